import type { Failure } from './failure.js';
import { exitCode } from './exit-codes.js';
import { visible } from './visible.js';

/** What of a stream the output needs to know. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface OutputOptions {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly isJson: boolean;
  readonly isQuiet: boolean;
}

/** Results go to standard output, for people or as JSON; everything that is only said goes to standard error. */
export class Output {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  private readonly stdout: Sink;
  private readonly stderr: Sink;
  /** A line at the end of the terminal that is written over again and again. */
  private status = '';

  constructor({ stdout, stderr, isJson, isQuiet }: OutputOptions) {
    this.stdout = stdout;
    this.stderr = stderr;
    this.isJson = isJson;
    this.isQuiet = isQuiet;
  }

  /** True if somebody looks at what is said while it goes on. */
  get isLive(): boolean {
    return this.stderr.isTTY === true && !this.isQuiet && !this.isJson;
  }

  /** Columns of the terminal on standard output; undefined without one. */
  get columns(): number | undefined {
    return this.stdout.isTTY === true ? (this.stdout.columns ?? 80) : undefined;
  }

  get statusColumns(): number {
    return this.stderr.columns ?? 80;
  }

  /** A name as standard output may have it: as it is for a program, harmless for a terminal. */
  shown(name: string): string {
    return this.stdout.isTTY === true ? visible(name) : name;
  }

  /** A result for people; nothing with `--json`. */
  print(text: string): void {
    if (!this.isJson) this.onStdout(text);
  }

  /** A result for programs, on a line of its own; nothing without `--json`. */
  json(value: unknown): void {
    if (this.isJson) this.onStdout(`${JSON.stringify(value)}\n`);
  }

  /** Something that is good to know. */
  note(line: string): void {
    if (!this.isQuiet && !this.isJson) this.onStderr(`${visible(line)}\n`);
  }

  /** Something that must be known, whatever was asked for. Nothing with `--json`, whose reader has it as JSON. */
  warn(line: string): void {
    if (!this.isJson) this.onStderr(`dcloud: ${visible(line)}\n`);
  }

  /** @param subject what it happened to, if the failure itself does not say that */
  fail({ exit, kind, message, ...failure }: Failure, subject = failure.subject): void {
    if (this.isJson) {
      const error = { kind, exitCode: exitCode(exit), message, ...(subject !== undefined && { subject }) };
      this.stderr.write(`${JSON.stringify({ error })}\n`);
    } else {
      const sentence = subject === undefined ? message : `${subject}: ${message}`;
      this.onStderr(`dcloud: ${visible(sentence)}.\n`);
    }
  }

  /** Writes over the status line; an empty text takes it away. */
  setStatus(line: string): void {
    if (!this.isLive || line === this.status) return;
    this.stderr.write(`\r\u001b[K${line}`);
    this.status = line;
  }

  private onStdout(text: string): void {
    this.around(() => this.stdout.write(text));
  }

  private onStderr(text: string): void {
    this.around(() => this.stderr.write(text));
  }

  private around(write: () => void): void {
    const line = this.status;
    this.setStatus('');
    write();
    this.setStatus(line);
  }
}
