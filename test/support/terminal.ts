import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { EventEmitter, once } from 'node:events';

const MS_MAX = 60_000;
const COLUMNS = 80;

/** False, with a word on it, where there is no `script` (util-linux), by which a program gets a terminal. */
export function hasTerminals(): boolean {
  const isThere = spawnSync('script', ['-qfec', 'tty', '/dev/null'], { timeout: 10_000 }).status === 0;
  if (!isThere) process.stderr.write('skipped: this machine has no script of util-linux to make a terminal\n');
  return isThere;
}

/** A pseudo-terminal, in which a command runs and somebody types and looks. */
export class TestTerminal {
  /** All that was printed, as it came. */
  text = '';
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly news = new EventEmitter();
  private readonly exit: Promise<unknown>;
  private readonly looking: Promise<void>;
  private seen = 0;

  /** @param script for `sh`, with `$@` for the arguments */
  constructor(script: string, args: readonly string[], options: { readonly env: NodeJS.ProcessEnv; readonly cwd: string }) {
    const words = ['sh', '-c', `stty echo rows 24 cols ${COLUMNS}; ${script}`, 'sh', ...args];
    const command = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    const limits = { timeout: MS_MAX, killSignal: 'SIGKILL' } as const;
    this.child = spawn('script', ['-qfec', command, '/dev/null'], { stdio: 'pipe', ...options, ...limits });
    this.exit = once(this.child, 'exit');
    this.looking = this.look();
  }

  /** Waits until something is to be seen after what was seen by the wait before. */
  async until(pattern: RegExp): Promise<void> {
    for (;;) {
      const found = pattern.exec(this.text.slice(this.seen));
      if (found !== null) {
        this.seen += found.index + found[0].length;
        return;
      }
      if (this.child.exitCode !== null) throw new Error(`it ended without ${String(pattern)}:\n${this.text}`);
      await once(this.news, 'change');
    }
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  /** The exit code of the script. */
  async ended(): Promise<number | null> {
    await this.looking;
    return this.child.exitCode;
  }

  /** What stands on the terminal, line by line; whatever moves the cursor otherwise than back to where it takes the line away is left in it. */
  get screen(): readonly string[] {
    const lines = this.text.split('\r\n').map((line) => line.replace(/^[^]*\r\u001b\[K/u, ''));
    return lines.filter((line) => line !== '');
  }

  private async look(): Promise<void> {
    for await (const chunk of this.child.stdout.setEncoding('utf8')) {
      this.text += String(chunk);
      this.news.emit('change');
    }
    await this.exit;
    this.news.emit('change');
  }
}
