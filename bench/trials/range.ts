import { randomBytes, randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { type Bench, hasRoom, sized } from '../kit/bench.ts';
import { measure } from '../kit/measure.ts';
import { fill, putOf, serversThat } from '../kit/servers.ts';
import { GiB, KiB, MiB, nameOfBytes } from '../kit/sizes.ts';
import type { Row, Trials, Turns } from '../kit/trial.ts';
import { getRange } from '../requests.ts';
import type { Subject } from '../subject.ts';

const RANGE_BYTES = 64 * KiB;
const COPIES = 2;

/** Ranges of a very large file, beside those of a small one and beside a floor. */
export const ranges: Trials = (bench) => {
  const large = sized(bench, { quick: 16 * MiB, usual: GiB, long: 10 * GiB });
  const smaller = sized(bench, { quick: 4 * MiB, usual: 10 * MiB, long: 10 * MiB });
  const operations = sized(bench, { quick: 50, usual: 1000, long: 1000 });
  const size = { clients: 1, operations, bytesEach: RANGE_BYTES };
  const title = `get 64 KiB anywhere in ${nameOfBytes(large)}`;
  const row = { unit: 'p50, ms', measured: 'product.large' } as const;
  const rows: Row[] = [
    { ...row, name: 'range', title, beside: 'floor.large', floor: 'reads the sealed segments of the range and opens them' },
    {
      ...row,
      name: 'range-growth',
      title: `${title}, beside a small file`,
      beside: 'product.small',
      floor: `the same in a file of ${nameOfBytes(smaller)}`,
      goal: { of: 'ratio', most: 1.5, isOfLong: true },
    },
  ];
  const open = (): ReturnType<typeof serversThat> => {
    const idsBySide = new Map<string, readonly string[]>();
    const take = async (server: Subject, _: number, side: string): Promise<Turns> => {
      const ids = idsBySide.get(side) ?? [
        ...(await fill(server, { clients: 1, operations: 1 }, putOf(randomBytes, large))),
        ...(await fill(server, { clients: 1, operations: 1 }, putOf(randomBytes, smaller))),
      ];
      idsBySide.set(side, ids);
      const ask = (id: string | undefined, bytes: number): ReturnType<typeof measure> =>
        measure(server, size, () => getRange(id ?? '', randomInt(bytes - RANGE_BYTES), RANGE_BYTES));
      return { large: await ask(ids[0], large), small: await ask(ids[1], smaller) };
    };
    const directory = placeFor(bench, 2 * COPIES * (large + smaller));
    return serversThat({ directory, products: { product: {} }, floors: { floor: 'sealed' } }, take);
  };
  return [{ name: 'range', rows, open }];
};

/** The directory of the bench, or the system's temporary one if that has no room for so much. */
function placeFor({ directory }: Bench, bytes: number): string {
  return hasRoom(directory, bytes) ? directory : tmpdir();
}
