import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

const BIN = join(process.cwd(), 'bin', 'dcloud.mjs');
const START_MS_MAX = 30_000;

export interface ServerOptions {
  /** Keys of the configuration; the storage directory, the port and the log level have defaults here. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** A directory of an earlier server to go on with; it is not removed by `remove`. */
  readonly directory?: string;
  /** Instead of `--config` with the file of that configuration. */
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Descriptors that the process may have open. */
  readonly openFilesMax?: number;
}

/** The program as production runs it: a process of its own, from the built code, over TCP, on a port that the system chose. */
export class TestServer {
  readonly directory: string;
  readonly url: string;
  readonly process: ChildProcess;
  /** Everything that the process has printed. */
  readonly logs: () => string;
  private readonly ownsDirectory: boolean;

  // Fields are assigned by hand here: Node.js runs this file as it is (scripts/crash.ts), and only strips its types.
  private constructor(parts: Pick<TestServer, 'directory' | 'url' | 'process' | 'logs'> & { ownsDirectory: boolean }) {
    this.directory = parts.directory;
    this.url = parts.url;
    this.process = parts.process;
    this.logs = parts.logs;
    this.ownsDirectory = parts.ownsDirectory;
  }

  static async start(options: ServerOptions = {}): Promise<TestServer> {
    const home = options.directory ?? (await mkdtemp(join(tmpdir(), 'dcloud-e2e-')));
    const file = join(home, 'config.json');
    const config = { storage_directory: join(home, 'data'), port: 0, log_level: 'info', ...options.config };
    await writeFile(file, JSON.stringify(config));
    const child = spawnServer(file, options);
    let output = '';
    const url = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`the server did not start:\n${output}`));
      }, START_MS_MAX);
      const see = (chunk: Buffer): void => {
        output += chunk.toString();
        const found = /listens on (https?:\S+)/.exec(output)?.[1];
        if (found === undefined) return;
        clearTimeout(timer);
        resolve(found);
      };
      // eslint-disable-next-line no-restricted-syntax -- the output of a process under test is only looked at
      child.stdout.on('data', see);
      // eslint-disable-next-line no-restricted-syntax -- as above
      child.stderr.on('data', see);
      child.once('exit', (code) => reject(new Error(`the server ended with ${String(code)}:\n${output}`)));
      void once(child, 'exit').then(() => clearTimeout(timer));
    });
    return new TestServer({
      directory: home,
      url,
      process: child,
      ownsDirectory: options.directory === undefined,
      logs: () => output,
    });
  }

  /** The file of its configuration. */
  get configFile(): string {
    return join(this.directory, 'config.json');
  }

  get storage(): string {
    return join(this.directory, 'data');
  }

  nodeFolder(number: number): string {
    return join(this.storage, `node_${number}`);
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    return this.end('SIGTERM');
  }

  /** SIGKILL: no chance to tidy up. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Ends the process and removes what it stored. */
  async remove(): Promise<void> {
    await this.kill();
    if (this.ownsDirectory && existsSync(this.directory)) await rm(this.directory, { recursive: true, force: true });
  }

  /** Waits until a node is in a state. */
  async untilNode(node: number, state: string, msMax = 3000): Promise<void> {
    const deadline = Date.now() + msMax;
    for (;;) {
      const { nodes } = (await (await fetch(`${this.url}/nodes`)).json()) as { nodes: { node: number; state: string }[] };
      const now = nodes.find((entry) => entry.node === node)?.state;
      if (now === state) return;
      if (Date.now() > deadline) throw new Error(`node ${node} is ${String(now)} and not ${state} after ${msMax} ms`);
      await sleep(20);
    }
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return this.process.exitCode;
    const ended = once(this.process, 'exit');
    this.process.kill(signal);
    await ended;
    return this.process.exitCode;
  }
}

/** The process of a server, just begun: for who wants to kill it before it listens, too. */
export function spawnServer(
  configFile: string,
  { args, environment, openFilesMax }: Omit<ServerOptions, 'config' | 'directory'> = {},
): ChildProcess & { readonly stdout: Readable; readonly stderr: Readable } {
  const command = [process.execPath, BIN, 'serve', ...(args ?? ['--config', configFile])];
  const limited = openFilesMax === undefined ? command : ['sh', '-c', `ulimit -n ${openFilesMax}; exec "$@"`, 'sh', ...command];
  return spawn(limited[0]!, limited.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnvironment(), ...environment },
  });
}

/** The variables of this process less those that would configure the server. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('DCLOUD_') && name !== 'NODE_OPTIONS'),
  );
}
