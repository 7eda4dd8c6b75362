import { type Bench, sized } from '../kit/bench.ts';
import { MiB, nameOfBytes } from '../kit/sizes.ts';
import type { Trial, Trials, Turn, Turns } from '../kit/trial.ts';
import { fillNodes, losingFolders, losingPeers, type LosingStore, plainCopyOf, repaired, repairOf } from '../losing-store.ts';

/** What lay on a lost node is restored on the others, with nobody there, beside a plain durable copy of the same files on the same disk. */
export const repairs: Trials = (bench) => [
  repairTrial(bench, { name: 'repair', title: 'repair of a folder', start: losingFolders, isOfLong: false }),
  repairTrial(bench, { name: 'repair-peer', title: 'repair of a peer', start: losingPeers, isOfLong: true }),
];

interface Kind {
  readonly name: string;
  readonly title: string;
  readonly start: (base: string) => Promise<LosingStore>;
  readonly isOfLong: boolean;
}

function repairTrial(bench: Bench, { name, title, start, isOfLong }: Kind): Trial {
  const bytes = sized(bench, { quick: 8 * MiB, usual: 128 * MiB, long: 1024 * MiB });
  return {
    name,
    isOfLong,
    rows: [
      {
        name,
        title: `${title} with ${nameOfBytes(bytes)}`,
        unit: 'MB/s',
        measured: 'store.repair',
        beside: 'store.copy',
        floor: 'the same files copied and synced, 8 at once',
        goal: { of: 'ratio', least: 0.5 },
      },
    ],
    open: () =>
      Promise.resolve({
        sides: { store: () => turnOf(() => filled(bench.directory, start, bytes)) },
        end: () => Promise.resolve(),
      }),
  };
}

async function filled(base: string, start: Kind['start'], bytes: number): Promise<LosingStore> {
  const store = await start(base);
  try {
    await fillNodes(store, bytes);
    return store;
  } catch (error) {
    await store.end();
    throw error;
  }
}

/** A node is lost once only, so each turn has a store of its own; what is to be copied is there only as long as the node is. */
async function turnOf(fresh: () => Promise<LosingStore>): Promise<Turns> {
  const store = await fresh();
  try {
    const { bytes, seconds } = await plainCopyOf(store);
    const copy = { bytes, seconds, operations: 1, latencies: [], cpuSeconds: NaN, peakMiB: NaN };
    return { copy, repair: await repairTurn(store) };
  } finally {
    await store.end();
  }
}

async function repairTurn(store: LosingStore): Promise<Turn> {
  const before = await repairOf(store.port);
  const cpuBefore = store.cpuSeconds();
  await store.lose();
  await repaired(store.port, before, () => undefined);
  const cpuSeconds = store.cpuSeconds() - cpuBefore;
  const { done, startedAt, endedAt } = await repairOf(store.port);
  const seconds = (Date.parse(endedAt ?? '') - Date.parse(startedAt ?? '')) / 1000;
  return { bytes: done.bytes, seconds, operations: 1, latencies: [], cpuSeconds, peakMiB: store.peakMiB() };
}
