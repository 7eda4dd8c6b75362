/**
 * `npm run bench:repair`: how fast a node's data is restored on the others, compared with a plain durable copy of the same files on the same disk,
 * and what requests feel of it: with nobody there, with clients that each send one request after the other, and with requests at a fixed rate.
 * Options: `--mib N` (256: bytes of the node that is lost), `--peers` (each node is a process, and the lost one is killed), `--rate N` (100 requests
 * a second), `--only idle|closed|open`, `--rounds N` (1), `--directory DIR`.
 */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fill } from './kit/servers.ts';
import { MiB } from './kit/sizes.ts';
import { runLoad, runPaced } from './load.ts';
import { fillNodes, losingFolders, losingPeers, plainCopyOf, repaired, repairOf } from './losing-store.ts';
import { get, put } from './requests.ts';

const SMALL_BYTES = 64 * 1024;
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

/** Sends requests until the signal is aborted, and tells of each how long it took and when it was due. */
type Foreground = (port: number, signal: AbortSignal, note: (ms: number, dueAt: number) => void) => Promise<void>;

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

async function measure(name: string, foregroundOf: (small: readonly string[]) => Foreground | undefined): Promise<void> {
  const store = await (values.peers ? losingPeers(values.directory) : losingFolders(values.directory));
  const { port } = store;
  try {
    await fillNodes(store, Number(values.mib) * MiB);
    const small = await fill(store, { clients: 8, operations: 400 }, () => put(randomBytes(SMALL_BYTES)));
    await runLoad(port, { clients: CLIENTS, operations: 2000 }, (operation) => get(small[operation % small.length] ?? ''));
    const foreground = foregroundOf(small);
    const quiet = foreground === undefined ? [] : await feltDuring(foreground, port, () => sleep(QUIET_MS));
    const copy = await plainCopyOf(store);
    const copied = copy.bytes / MiB / copy.seconds;
    if (foreground !== undefined) await feltDuring(foreground, port, () => sleep(QUIET_MS / 4)); // nothing is held back for a load that has gone
    let cpuBefore = NaN;
    const during = await feltDuring(foreground, port, async (noteBegin) => {
      const before = await repairOf(port);
      await store.lose();
      cpuBefore = store.cpuSeconds();
      await repaired(port, before, noteBegin);
    });
    const cpuMs = (store.cpuSeconds() - cpuBefore) * 1000;
    const { done, startedAt, endedAt } = await repairOf(port);
    const seconds = (Date.parse(endedAt ?? '') - Date.parse(startedAt ?? '')) / 1000;
    const restored = done.bytes / MiB / seconds;
    const [p99Before, p99] = [at(0.99, quiet), at(0.99, during)];
    const cells = [
      done.bytes / MiB,
      restored,
      copied,
      restored / copied,
      cpuMs / (done.bytes / MiB),
      at(0.5, quiet),
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
