import { setTimeout as sleep } from 'node:timers/promises';
import { GetCluster, MARKED_MS_MAX } from '../get-cluster.ts';
import { type Bench, sized } from '../kit/bench.ts';
import type { Arena, Goal, Row, Trial, Trials } from '../kit/trial.ts';

const CLIENTS = 2;
const [DEAD, FROZEN] = [2, 3];
const BACK_MS_MAX = 30_000;
/** For those that are back to become as fast as they were. */
const CALM_MS = 500;

interface Ill {
  readonly side: string;
  readonly title: string;
  readonly dead: boolean;
  readonly frozen: boolean;
  readonly goal?: Goal;
}

const ONE: readonly Ill[] = [
  { side: 'dead', title: 'one of 4 nodes dead', dead: true, frozen: false },
  { side: 'frozen', title: 'one of 4 nodes frozen', dead: false, frozen: true, goal: { of: 'ratio', most: 2 } },
];
const TWO: readonly Ill[] = [{ side: 'both', title: 'of 5 nodes one dead and one frozen, R = 2', dead: true, frozen: true }];

/** Gets while a process of the cluster is killed, frozen, or one of each, beside the same gets when all are well. */
export const degraded: Trials = (bench) => [
  trialOf(bench, { name: 'degraded', nodes: 4, redundancy: 1, ills: ONE }),
  trialOf(bench, { name: 'degraded-two', nodes: 5, redundancy: 2, ills: TWO, isOfLong: true }),
];

interface Wanted {
  readonly name: string;
  readonly nodes: number;
  readonly redundancy: number;
  readonly ills: readonly Ill[];
  readonly isOfLong?: boolean;
}

function trialOf(bench: Bench, { name, nodes, redundancy, ills, isOfLong = false }: Wanted): Trial {
  const size = { clients: CLIENTS, operations: sized(bench, { quick: 10, usual: 100, long: 400 }) };
  return {
    name,
    isOfLong,
    rows: ills.map(({ side, title, goal }): Row => {
      const row = {
        measured: `${side}.get`,
        beside: 'healthy.get',
        floor: 'the same when all are well',
        unit: 'p99, ms',
      } as const;
      return { ...row, name: `${name}-${side}`, title: `get 4 MiB, ${title}`, ...(goal === undefined ? {} : { goal }) };
    }),
    open: async (): Promise<Arena> => {
      const cluster = await GetCluster.start({ nodes, redundancy, directory: bench.directory });
      await cluster.measure(size).catch(async (error: unknown) => {
        await cluster.end();
        throw error;
      });
      const sides: Record<string, Arena['sides'][string]> = { healthy: async () => ({ get: await cluster.measure(size) }) };
      for (const ill of ills) sides[ill.side] = async () => ({ get: await whileIll(cluster, ill, () => cluster.measure(size)) });
      return { sides, end: () => cluster.end() };
    },
  };
}

/** Makes nodes ill, waits until that is known, measures, and makes them well again. */
async function whileIll<Result>({ peers }: GetCluster, { dead, frozen }: Ill, work: () => Promise<Result>): Promise<Result> {
  const nodes = [...(dead ? [DEAD] : []), ...(frozen ? [FROZEN] : [])];
  if (dead) await peers.kill(DEAD);
  if (frozen) peers.freeze(FROZEN);
  for (const node of nodes) await peers.untilNode(node, 'down', MARKED_MS_MAX);
  const result = await work();
  if (frozen) peers.thaw(FROZEN);
  if (dead) await peers.restart(DEAD);
  for (const node of nodes) await peers.untilNode(node, 'up', BACK_MS_MAX);
  await sleep(CALM_MS);
  return result;
}
