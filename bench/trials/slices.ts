import { randomBytes } from 'node:crypto';
import type { Bench } from '../kit/bench.ts';
import { sized } from '../kit/bench.ts';
import { putOf, serversThat } from '../kit/servers.ts';
import { MiB, nameOfBytes } from '../kit/sizes.ts';
import type { Trial, Trials } from '../kit/trial.ts';
import { putAndGet } from './large.ts';

const SMALL = 1024;
const LARGE = 4 * MiB;

/** What slices of 1,024 bytes cost: the original system's setting must work well, not just work. */
export const slices: Trials = (bench) => [slicesTrial(bench, sized(bench, { quick: 4 * MiB, usual: 64 * MiB, long: 256 * MiB }))];

export function slicesTrial({ directory }: Pick<Bench, 'directory'>, bytes: number): Trial {
  return {
    name: 'slices',
    rows: (['put', 'get'] as const).map((deed) => ({
      name: `slices-${deed}`,
      title: `${deed} ${nameOfBytes(bytes)} in slices of 1,024 B`,
      unit: 'MB/s',
      measured: `small.${deed}`,
      beside: `large.${deed}`,
      floor: 'the same with slices of 4 MiB',
    })),
    open: () => {
      const request = putOf(randomBytes, bytes);
      const products = { small: { size_per_slice: SMALL }, large: { size_per_slice: LARGE } };
      return serversThat({ directory, products }, (server) => putAndGet(server, { clients: 1, bytes }, request));
    },
  };
}
