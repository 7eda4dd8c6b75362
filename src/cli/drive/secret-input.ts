import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CliError } from './cli-error.js';

/** Longest secret; what is longer is no password but the wrong file. */
const BYTES_MAX = 65_536;

export interface SecretStreams {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Where questions are asked: not among the results. */
  readonly stderr: { write(text: string): unknown };
}

/**
 * Passwords and codes: typed without echo where somebody sits, else a line of standard input, or of the file that `--password-file` names,
 * for each in the order in which they are asked for. Never an argument, which everybody on the machine can read.
 */
export class SecretInput {
  private lines: Promise<string[]> | undefined;

  constructor(
    private readonly file: string | undefined,
    private readonly streams: SecretStreams,
  ) {}

  /** True if a person answers. */
  get isInteractive(): boolean {
    return this.file === undefined && this.streams.stdin.isTTY === true;
  }

  /** @param question such as `Password` */
  async ask(question: string, signal: AbortSignal): Promise<string> {
    const secret = this.isInteractive ? await this.prompt(`${question}: `, signal) : (await this.given()).shift();
    if (secret !== undefined && secret !== '') return secret;
    throw new CliError('usage', `nothing was given for: ${question}`);
  }

  /** A new password: twice, where it is typed. */
  async askNew(question: string, signal: AbortSignal): Promise<string> {
    const secret = await this.ask(question, signal);
    if (!this.isInteractive) return secret;
    if ((await this.prompt(`${question}, again: `, signal)) === secret) return secret;
    throw new CliError('usage', 'the two are not the same');
  }

  /** Empty if nothing was typed or given. */
  async askOptional(question: string, signal: AbortSignal): Promise<string> {
    if (this.isInteractive) return this.prompt(`${question}: `, signal);
    return (await this.given()).shift() ?? '';
  }

  private given(): Promise<string[]> {
    this.lines ??= this.file === undefined || this.file === '-' ? linesOf(this.streams.stdin) : linesOfFile(this.file);
    return this.lines;
  }

  private async prompt(question: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
    // As a terminal: then it is this interface that would echo, and into nothing.
    const reader = createInterface({ input: this.streams.stdin, output: silent, terminal: true, historySize: 0 });
    this.streams.stderr.write(question); // after the echo is off
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const interrupted = (): void => reject(new CliError('interrupted', 'interrupted'));
    signal.addEventListener('abort', interrupted, { once: true });
    reader.once('line', resolve).once('SIGINT', interrupted).once('close', interrupted);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', interrupted);
      reader.close();
      this.streams.stderr.write('\n');
    }
  }
}

async function linesOfFile(path: string): Promise<string[]> {
  const file = await open(path, 'r');
  try {
    return await linesOf(file.createReadStream({ autoClose: false }));
  } finally {
    await file.close();
  }
}

async function linesOf(stream: AsyncIterable<Buffer | string>): Promise<string[]> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > BYTES_MAX) throw new CliError('usage', 'what was given as a password is too long');
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString('utf8').split(/\r?\n/u);
}
