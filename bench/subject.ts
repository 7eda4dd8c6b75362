import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { atExit } from './kit/at-exit.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Clock ticks of a second in /proc (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;

/** A server that is measured: ours, or a floor. */
export interface Subject {
  readonly port: number;
  /** Where all lies that belongs to it. */
  readonly directory: string;
  /** The storage directory, if it is ours. */
  readonly storage: string;
  /** Seconds of processor time that it has used so far. */
  readonly cpuSeconds: () => number;
  /** Highest resident memory so far, or since it was reset, in MiB. */
  readonly peakMiB: () => number;
  readonly resetPeak: () => void;
  /** Ends it, and lets it close what it has open; what it stored stays. */
  readonly stop: () => Promise<void>;
  /** Kills it, and removes what it stored. */
  readonly end: () => Promise<void>;
}

/** What a floor does; see `floor/bare-server.ts`. */
export type FloorMode = 'sealed' | 'memory' | 'list';

export async function startProduct(base: string, config: Readonly<Record<string, unknown>> = {}): Promise<Subject> {
  const directory = await mkdtemp(join(base, 'dcloud-bench-'));
  const file = join(directory, 'config.json');
  await writeFile(file, JSON.stringify({ storage_directory: join(directory, 'data'), port: 0, log_level: 'warn', ...config }));
  return restartProduct(directory);
}

/** Starts it once more on what it stored. */
export function restartProduct(directory: string): Promise<Subject> {
  const args = [join(ROOT, 'bin/dcloud.mjs'), 'serve', '--config', join(directory, 'config.json')];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  return subject(child, child.stderr, /listens on http:\/\/127\.0\.0\.1:(\d+)/, directory);
}

export async function startFloor(base: string, mode: FloorMode): Promise<Subject> {
  const directory = await mkdtemp(join(base, 'dcloud-floor-'));
  const args = [join(ROOT, 'bench/floor/bare-server.ts'), mode, directory];
  const env = { ...process.env, UV_THREADPOOL_SIZE: '128' }; // as the product has it
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  return subject(child, child.stdout, /(\d+)/, directory);
}

/** Seconds of processor time that a process has used so far. */
export function cpuSeconds(pid: number): number {
  const fields = aboutProcess(pid, 'stat').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Highest resident memory of a process so far, or since it was reset, in MiB. */
export function peakMiB(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(aboutProcess(pid, 'status'))?.[1]) / 1024;
}

export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function aboutProcess(pid: number, file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, 'utf8');
}

async function subject(child: ChildProcess, output: Readable, pattern: RegExp, directory: string): Promise<Subject> {
  let text = '';
  let port: string | undefined;
  for await (const chunk of output.iterator({
    destroyOnReturn: false,
  }) as AsyncIterable<Buffer>) {
    text += chunk.toString();
    port = pattern.exec(text)?.[1];
    if (port !== undefined) break;
  }
  if (port === undefined) throw new Error(`a server did not start: ${text}`);
  const pid = child.pid as number;
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  const forget = atExit({ pids: () => (isRunning() ? [pid] : []), directory });
  return {
    port: Number(port),
    directory,
    storage: join(directory, 'data'),
    cpuSeconds: () => cpuSeconds(pid),
    peakMiB: () => peakMiB(pid),
    resetPeak: () => resetPeak(pid),
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
    end: async () => {
      if (isRunning()) {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
      await rm(directory, { recursive: true, force: true });
      forget();
    },
  };
}
