import { filledStore, PAGE, PAGE_BYTES } from '../filled-store.ts';
import { type Bench, sized } from '../kit/bench.ts';
import { measure } from '../kit/measure.ts';
import { nameOfCount } from '../kit/sizes.ts';
import type { Arena, Plot, Row, Trials, Turns } from '../kit/trial.ts';
import { list } from '../requests.ts';
import { startFloor } from '../subject.ts';

const FLOOR = 'makes 1,000 records as it goes and answers them as JSON';

const PLOT: Plot = { title: 'A page of 1,000 files by number of files', x: 'files' };
const COUNTS = [1000, 10_000, 100_000, 1_000_000];
const [FEW, MANY] = [10_000, 1_000_000];

/** Pages of few files and of many: of many they may take hardly longer. */
export const lists: Trials = (bench) => {
  const counts = sized(bench, { quick: [2000, 10_000], usual: COUNTS, long: COUNTS });
  const [few = FEW, many = MANY] = sized(bench, { quick: counts, usual: [FEW, MANY], long: [FEW, MANY] });
  const operations = sized(bench, { quick: 20, usual: 200, long: 500 });
  const rows = counts.flatMap((count): Row[] => {
    const title = `list ${nameOfCount(PAGE)} of ${nameOfCount(count)}, anywhere`;
    const row = { title, unit: 'p50, ms', measured: `${count}.list`, beside: 'floor.list', floor: FLOOR } as const;
    const point = { ...row, name: `list-at-${count}`, point: { plot: PLOT, series: 'list', x: count } };
    return count === few || count === many ? [{ ...row, name: `list-${count}` }, point] : [point];
  });
  const growth: Row = {
    name: 'list-growth',
    title: `list ${nameOfCount(PAGE)} of ${nameOfCount(many)}, beside fewer`,
    unit: 'p50, ms',
    measured: `${many}.list`,
    beside: `${few}.list`,
    floor: `the same of ${nameOfCount(few)} files`,
    goal: { of: 'ratio', most: 1.3 },
  };
  return [{ name: 'list', rows: [...rows, growth], open: () => openLists(bench, counts, operations) }];
};

async function openLists({ directory }: Bench, counts: readonly number[], operations: number): Promise<Arena> {
  const sides: Record<string, Arena['sides'][string]> = {};
  const ends: (() => Promise<void>)[] = [];
  const end = async (): Promise<void> => {
    for (const each of ends) await each();
  };
  const size = { clients: 1, operations, bytesEach: PAGE_BYTES };
  try {
    for (const count of counts) {
      const { server, cursors } = await filledStore(directory, count);
      ends.push(server.end);
      sides[count] = async (): Promise<Turns> => ({
        list: await measure(server, size, (operation) => list(PAGE, cursors[operation % cursors.length])),
      });
    }
    const floor = await startFloor(directory, 'list');
    ends.push(floor.end);
    sides['floor'] = async () => ({ list: await measure(floor, size, () => list(PAGE, undefined)) });
  } catch (error) {
    await end();
    throw error;
  }
  return { sides, end };
}
