/**
 * `npm run bench:frozen`: gets of 4 MiB from a cluster of four real processes while one of them is frozen (SIGSTOP), beside the same gets when all
 * are well, interleaved. Options: `--rounds N` (5), `--gets N` (200: gets of one measurement), `--clients N` (2).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { tmpdir } from 'node:os';
import { format, median } from './figures.ts';
import { within } from './kit/trial.ts';
import { GetCluster, MARKED_MS_MAX } from './get-cluster.ts';

const NODES = 4;

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

const cluster = await GetCluster.start({ nodes: NODES, redundancy: 1, directory: tmpdir() });
try {
  const measure = async (operations: number): Promise<Times> => {
    const { latencies } = await cluster.measure({ clients, operations });
    return { p50: within(0.5, { latencies }), p99: within(0.99, { latencies }), most: latencies.at(-1) ?? NaN };
  };
  await measure(gets);

  const found: { readonly healthy: Times; readonly before: Times; readonly marked: Times }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const frozen = 2 + (round % (NODES - 1));
    const healthy = await measure(gets);
    cluster.peers.freeze(frozen);
    const unnoticed = measure(gets); // begins while nobody knows
    await cluster.peers.untilNode(frozen, 'down', MARKED_MS_MAX);
    const before = await unnoticed;
    const marked = await measure(gets);
    cluster.peers.thaw(frozen);
    await cluster.peers.untilNode(frozen, 'up', 20_000);
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
  await cluster.end();
}
