import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PeerCluster } from '../../test/support/peer-cluster.ts';
import { atExit } from '../kit/at-exit.ts';
import { type Bench, sized } from '../kit/bench.ts';
import { putOf } from '../kit/servers.ts';
import { KiB, MiB } from '../kit/sizes.ts';
import type { Arena, Goal, Row, Trials, Turn, Turns } from '../kit/trial.ts';
import { type LoadSize, type NextRequest, runLoad } from '../load.ts';
import { get, idOf, put, remove } from '../requests.ts';
import { cpuSeconds, peakMiB, resetPeak } from '../subject.ts';

const NODES = 4;
const LARGE_BYTES = 8 * MiB;
const SMALL_BYTES = 4 * KiB;
/** More of them must not be slower than one. */
const GOAL: Goal = { of: 'ratio', least: 1 };

/** Where the load goes, and which processes it costs. */
interface Asked {
  readonly pids: readonly number[];
  readonly ports: readonly number[];
}

interface Load extends LoadSize {
  readonly bytesEach: number;
}

/** The same clients at all four processes of a cluster, beside all of them at the one that has the index. */
export const gateways: Trials = (bench) => [
  {
    name: 'gateways',
    rows: (['large', 'small'] as const).flatMap((size) =>
      (['put', 'get'] as const).map((deed): Row => {
        const what = size === 'large' ? '8 MiB, 8 clients' : '4 KiB, 32 clients';
        return {
          name: `gateways-${size}-${deed}`,
          title: `${deed} ${what}, at four processes of a cluster`,
          unit: size === 'large' ? 'MB/s' : 'requests/s',
          measured: `all.${deed}-${size}`,
          beside: `one.${deed}-${size}`,
          floor: 'the same at the process that has the index',
          goal: GOAL,
        };
      }),
    ),
    open: () => openCluster(bench),
  },
];

async function openCluster(bench: Bench): Promise<Arena> {
  const directory = await mkdtemp(join(bench.directory, 'dcloud-bench-'));
  const config = { log_level: 'error', limits: { small_cache_bytes: 0 } };
  const peers = await PeerCluster.start({ nodes: NODES, redundancy: 1, config, directory }).catch(async (error: unknown) => {
    await rm(directory, { recursive: true, force: true });
    throw error;
  });
  const pids = Array.from({ length: NODES }, (_, at) => peers.process(at + 1).pid as number);
  const forget = atExit({ pids: () => pids, directory });
  const ports = Array.from({ length: NODES }, (_, at) => Number(new URL(peers.url(at + 1)).port));
  const large = { clients: 8, operations: sized(bench, { quick: 8, usual: 48, long: 192 }), bytesEach: LARGE_BYTES };
  const small = { clients: 32, operations: sized(bench, { quick: 64, usual: 3200, long: 12_800 }), bytesEach: SMALL_BYTES };
  const side = (used: readonly number[]) => async (): Promise<Turns> => ({
    ...(await putAndGet({ pids, ports: used }, large, putOf(randomBytes, LARGE_BYTES))),
    ...(await putAndGet({ pids, ports: used }, small, () => put(randomBytes(SMALL_BYTES)))),
  });
  const end = async (): Promise<void> => {
    await peers.remove();
    await rm(directory, { recursive: true, force: true });
    forget();
  };
  return { sides: { all: side(ports), one: side(ports.slice(0, 1)) }, end };
}

/** Puts files, gets each of them, and removes them again. */
async function putAndGet(asked: Asked, load: Load, request: () => NextRequest): Promise<Turns> {
  const size = load.bytesEach === LARGE_BYTES ? 'large' : 'small';
  const ids: string[] = [];
  const written = await spread(asked, load, request, (answer) => ids.push(idOf(answer)));
  const read = await spread(asked, load, (operation) => get(ids[operation % ids.length] ?? ''));
  await runLoad(asked.ports[0] as number, { clients: 4, operations: ids.length }, (operation) => remove(ids[operation] ?? ''));
  return { [`put-${size}`]: written, [`get-${size}`]: read };
}

/** Puts a load on several processes at once, an equal part on each. Memory is that of the one that takes the most. */
async function spread(
  { pids, ports }: Asked,
  { bytesEach, clients, operations }: Load,
  request: (operation: number) => NextRequest,
  onAnswer?: (body: string) => void,
): Promise<Turn> {
  for (const pid of pids) resetPeak(pid);
  const spent = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = spent();
  const began = performance.now();
  const each = { clients: clients / ports.length, operations: operations / ports.length };
  const loads = ports.map((port, at) => runLoad(port, each, (operation) => request(at * each.operations + operation), onAnswer));
  const latencies = (await Promise.all(loads)).flatMap((load) => [...load.latencies]).sort((a, b) => a - b);
  return {
    seconds: (performance.now() - began) / 1000,
    operations,
    latencies,
    bytes: operations * bytesEach,
    cpuSeconds: spent() - before,
    peakMiB: Math.max(...pids.map((pid) => peakMiB(pid))),
  };
}
