/**
 * `npm run bench:repair`: how fast a node's data is restored on the others, compared with a plain durable copy of the same files on the same disk,
 * and what requests feel of it: with nobody there, with clients that each send one request after the other, and with requests at a fixed rate.
 * Options: `--mib N` (256: bytes of the node that is lost), `--peers` (each node is a process, and the lost one is killed), `--rate N` (100 requests
 * a second), `--only idle|closed|open`, `--rounds N` (1), `--directory DIR`.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PeerCluster } from '../test/support/peer-cluster.ts';
import { runLoad, runPaced } from './load.ts';
import { get, idOf, put } from './requests.ts';
import { cpuSeconds, startProduct } from './subject.ts';

const MiB = 1024 * 1024;
const NODES = 4;
const LOST = 4;
const FILE_BYTES = 4 * MiB;
const SMALL_BYTES = 64 * 1024;
/** Files of a folder that are copied at once, as many as a repair has on its way. */
const COPIES = 8;
const CLIENTS = 4;
/** How long the foreground is measured without a repair. */
const QUIET_MS = 10_000;

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '256' },
    peers: { type: 'boolean', default: false },
    rate: { type: 'string', default: '100' },
    only: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const rate = Number(values.rate);

/** A store that loses a node. */
interface Store {
  readonly port: number;
  /** The folder of the node that is lost. */
  readonly folder: string;
  /** Where there is room on the same disk. */
  readonly directory: string;
  readonly lose: () => Promise<void>;
  /** Seconds of processor time of all processes that are left. */
  readonly cpuSeconds: () => number;
  readonly end: () => Promise<void>;
}

interface Repair {
  readonly state: string;
  readonly done: { readonly bytes: number };
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

/** Sends requests until the signal is aborted, and tells of each how long it took and when it was due. */
type Foreground = (port: number, signal: AbortSignal, note: (ms: number, dueAt: number) => void) => Promise<void>;

const CONFIG = {
  redundancy_count: 1,
  repair_after: 0,
  log_level: 'error',
  limits: { repair_bytes_per_second: 0, small_cache_bytes: 0 },
};

async function folders(): Promise<Store> {
  const { storage, ...product } = await startProduct(values.directory, { ...CONFIG, node_count: NODES });
  const folder = join(storage, `node_${LOST}`);
  return { ...product, folder, directory: storage, lose: () => rename(folder, `${folder}-away`) };
}

async function peers(): Promise<Store> {
  const directory = await mkdtemp(join(values.directory, 'dcloud-bench-'));
  const cluster = await PeerCluster.start({ nodes: NODES, redundancy: 1, config: CONFIG, directory });
  const left = Array.from({ length: NODES }, (_, at) => at + 1).filter((i) => i !== LOST);
  return {
    port: Number(new URL(cluster.url(1)).port),
    folder: cluster.nodeFolder(LOST),
    directory,
    lose: () => cluster.kill(LOST),
    cpuSeconds: () => left.reduce((sum, i) => sum + cpuSeconds(cluster.process(i).pid as number), 0),
    end: async () => {
      await cluster.remove();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Copies all files of a folder, each synced; returns MiB a second. */
async function plainCopy(from: string, to: string): Promise<number> {
  await mkdir(to, { recursive: true });
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const began = performance.now();
  let [next, bytes] = [0, 0];
  const copyNext = async (): Promise<void> => {
    while (next < files.length) {
      const at = next++;
      const entry = files[at];
      if (entry === undefined) return;
      const content = await readFile(join(entry.parentPath, entry.name));
      const target = await open(join(to, String(at)), 'w');
      await target.write(content);
      await target.datasync();
      await target.close();
      bytes += content.length;
    }
  };
  await Promise.all(Array.from({ length: COPIES }, copyNext));
  return bytes / MiB / ((performance.now() - began) / 1000);
}

async function repairOf(port: number): Promise<Repair> {
  return (await (await fetch(`http://127.0.0.1:${port}/repair`)).json()) as Repair;
}

function at(share: number, latencies: readonly number[]): number {
  const sorted = [...latencies].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? NaN;
}

/** Several clients, each one request after the other: as many requests as the server can answer. */
function closedLoop(small: readonly string[]): Foreground {
  return async (port, signal, note) => {
    let sent = 0;
    while (!signal.aborted) {
      const dueAt = performance.now();
      const { latencies } = await runLoad(port, { clients: CLIENTS, operations: 100 }, () =>
        get(small[sent++ % small.length] ?? ''),
      );
      for (const ms of latencies) note(ms, dueAt);
    }
  };
}

function openLoop(small: readonly string[]): Foreground {
  return (port, signal, note) =>
    runPaced(port, { rate, signal }, (operation) => get(small[operation % small.length] ?? ''), note);
}

/** The latencies of the foreground while work is done, from the moment on that the work names. */
async function feltDuring(
  foreground: Foreground | undefined,
  port: number,
  work: (noteBegin: () => void) => Promise<void>,
): Promise<readonly number[]> {
  const stop = new AbortController();
  const samples: { readonly ms: number; readonly dueAt: number }[] = [];
  const running = foreground?.(port, stop.signal, (ms, dueAt) => samples.push({ ms, dueAt }));
  let beganAt = performance.now();
  await work(() => (beganAt = performance.now()));
  const endedAt = performance.now();
  stop.abort();
  await running;
  return samples.filter(({ dueAt }) => dueAt >= beganAt && dueAt <= endedAt).map(({ ms }) => ms);
}

async function repaired(port: number, noteBegin: () => void): Promise<void> {
  for (let hasBegun = false; ;) {
    const { state } = await repairOf(port);
    // What requests feel of the loss of the node itself, until it is known to be down, is not what they feel of the repair.
    if (!hasBegun && state === 'running') noteBegin();
    hasBegun ||= state === 'running';
    if (hasBegun && state !== 'running') return;
    await sleep(50);
  }
}

async function measure(name: string, foregroundOf: (small: readonly string[]) => Foreground | undefined): Promise<void> {
  const store = await (values.peers ? peers() : folders());
  const { port } = store;
  try {
    const total = (Number(values.mib) * MiB * NODES) / 2;
    await runLoad(port, { clients: 4, operations: Math.ceil(total / FILE_BYTES) }, () => put(randomBytes(FILE_BYTES)));
    const small: string[] = [];
    await runLoad(
      port,
      { clients: 8, operations: 400 },
      () => put(randomBytes(SMALL_BYTES)),
      (answer) => small.push(idOf(answer)),
    );
    await runLoad(port, { clients: CLIENTS, operations: 2000 }, (operation) => get(small[operation % small.length] ?? ''));
    const foreground = foregroundOf(small);
    const before = foreground === undefined ? [] : await feltDuring(foreground, port, () => sleep(QUIET_MS));
    const copied = await plainCopy(join(store.folder, 'shards'), join(store.directory, 'plain-copy'));
    await rm(join(store.directory, 'plain-copy'), { recursive: true });
    if (foreground !== undefined) await feltDuring(foreground, port, () => sleep(QUIET_MS / 4)); // nothing is held back for a load that has gone
    let cpuBefore = NaN;
    const during = await feltDuring(foreground, port, async (noteBegin) => {
      await store.lose();
      cpuBefore = store.cpuSeconds();
      await repaired(port, noteBegin);
    });
    const cpuMs = (store.cpuSeconds() - cpuBefore) * 1000;
    const { done, startedAt, endedAt } = await repairOf(port);
    const seconds = (Date.parse(endedAt ?? '') - Date.parse(startedAt ?? '')) / 1000;
    const restored = done.bytes / MiB / seconds;
    const [p99Before, p99] = [at(0.99, before), at(0.99, during)];
    const cells = [
      done.bytes / MiB,
      restored,
      copied,
      restored / copied,
      cpuMs / (done.bytes / MiB),
      at(0.5, before),
      at(0.5, during),
      p99Before,
      p99,
    ];
    console.log(`| ${name} | ${[...cells, p99 / p99Before].map((cell) => cell.toFixed(2)).join(' | ')} |`);
  } finally {
    await store.end();
  }
}

const settings = [
  { key: 'idle', name: 'nobody', foregroundOf: () => undefined },
  { key: 'closed', name: `${CLIENTS} clients in a closed loop`, foregroundOf: closedLoop },
  { key: 'open', name: `${rate} requests/s`, foregroundOf: openLoop },
].filter(({ key }) => values.only === undefined || values.only === key);

console.log(
  `${values.peers ? 'peer processes, one of them killed' : 'folders of one process, one of them lost'}; gets of 64 KiB\n`,
);
console.log(
  '| foreground | restored MiB | MiB/s | plain copy MiB/s | ratio | CPU ms/MiB | p50 before, ms | during | p99 before, ms | during | ratio |',
);
console.log('|---|---|---|---|---|---|---|---|---|---|---|');
for (let round = 0; round < Number(values.rounds); round += 1)
  for (const { name, foregroundOf } of settings) await measure(name, foregroundOf);
