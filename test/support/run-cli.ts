import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const BIN = join(process.cwd(), 'bin', 'dcloud.mjs');

export interface CliOutcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface CliOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly msMax?: number;
}

/** Runs `dcloud` with these arguments until it ends by itself; one that goes on for too long is killed, and its code is null. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
  return beginCli(args, options).outcome;
}

/** The same, for who has something to do with it meanwhile. */
export function beginCli(
  args: readonly string[],
  options: CliOptions = {},
): { readonly child: ChildProcess; readonly outcome: Promise<CliOutcome> } {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('DCLOUD_') && name !== 'NODE_OPTIONS');
  const child = spawn(process.execPath, [BIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(inherited), ...options.environment },
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
    timeout: options.msMax ?? 20_000,
    killSignal: 'SIGKILL',
  });
  const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { child, outcome: ended.then(([, stdout, stderr]) => ({ code: child.exitCode, stdout, stderr })) };
}
