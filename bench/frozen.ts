/**
 * `npm run bench:frozen`: gets of 4 MiB from a cluster of four real processes while one of them is frozen (SIGSTOP), beside the same gets when all
 * are well, interleaved. Options: `--rounds N` (5), `--gets N` (200: gets of one measurement), `--clients N` (2).
 */
import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PeerCluster } from '../test/support/peer-cluster.ts';
import { format, median } from './figures.ts';
import { runLoad } from './load.ts';
import { get, idOf, put } from './requests.ts';

const MiB = 1024 * 1024;
const FILE_BYTES = 4 * MiB;
const FILES = 40;
const NODES = 4;
/** A node that is frozen is down within this time, which is when the second measurement begins. */
const MARKED_MS_MAX = 5000;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    gets: { type: 'string', default: '200' },
    clients: { type: 'string', default: '2' },
  },
});
const [rounds, gets, clients] = [values.rounds, values.gets, values.clients].map(Number) as [number, number, number];

interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

function timesOf(latencies: readonly number[]): Times {
  const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), most: latencies.at(-1) ?? NaN };
}

const cluster = await PeerCluster.start({
  nodes: NODES,
  redundancy: 1,
  // What is measured are nodes, so nothing may be read from the gateway's memory; nor may repair begin, or damping end the rounds.
  config: { log_level: 'error', repair_after: 3600, limits: { small_cache_bytes: 0, flap_window_ms: 1 } },
});
try {
  const port = Number(new URL(cluster.url(1)).port);
  const ids: string[] = [];
  const size = { clients: 4, operations: FILES };
  await runLoad(
    port,
    size,
    () => put(randomBytes(FILE_BYTES)),
    (answer) => ids.push(idOf(answer)),
  );
  const measure = async (operations: number): Promise<Times> =>
    timesOf((await runLoad(port, { clients, operations }, () => get(ids[randomInt(ids.length)] ?? ''))).latencies);
  await measure(gets);

  const found: { readonly healthy: Times; readonly before: Times; readonly marked: Times }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const frozen = 2 + (round % (NODES - 1));
    const healthy = await measure(gets);
    cluster.freeze(frozen);
    const unnoticed = measure(gets); // begins while nobody knows
    await cluster.untilNode(frozen, 'down', MARKED_MS_MAX);
    const before = await unnoticed;
    const marked = await measure(gets);
    cluster.thaw(frozen);
    await cluster.untilNode(frozen, 'up', 20_000);
    await sleep(500);
    found.push({ healthy, before, marked });
  }

  const row = (name: string, pick: (round: (typeof found)[number]) => number): void =>
    console.log(`| ${name} | ${format(median(found.map(pick)))} | ${format(Math.max(...found.map(pick)))} |`);
  console.log(
    `4 MiB gets, ${clients} clients, ${gets} gets a measurement, ${rounds} rounds; the gateway is another process than the frozen one\n`,
  );
  console.log('| | median of the rounds | worst round |\n|---|---|---|');
  row('healthy: p50, ms', ({ healthy }) => healthy.p50);
  row('healthy: p99, ms', ({ healthy }) => healthy.p99);
  row('frozen, before it is marked: slowest get over the healthy p50, ms', ({ healthy, before }) => before.most - healthy.p50);
  row('frozen and marked: p99, ms', ({ marked }) => marked.p99);
  row('frozen and marked: p99 over healthy p99', ({ healthy, marked }) => marked.p99 / healthy.p99);
} finally {
  await cluster.remove();
}
