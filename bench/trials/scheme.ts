import { randomBytes } from 'node:crypto';
import { sized } from '../kit/bench.ts';
import { putOf, serversThat } from '../kit/servers.ts';
import { GiB, MiB, nameOfBytes } from '../kit/sizes.ts';
import type { Goal, Trials } from '../kit/trial.ts';
import { putAndGet } from './large.ts';

const PUT_GOAL: Goal = { of: 'ratio', least: 1, isOfLong: true };

/** Files that are erasure coded beside the same files with a copy of each slice, on four nodes of which one may be lost. */
export const schemes: Trials = (bench) => {
  const bytes = sized(bench, { quick: 8 * MiB, usual: 256 * MiB, long: GiB });
  return [
    {
      name: 'scheme',
      rows: (['put', 'get'] as const).map((deed) => ({
        name: `scheme-${deed}`,
        title: `${deed} ${nameOfBytes(bytes)}, erasure coded 3 + 1`,
        unit: 'MB/s',
        measured: `erasure.${deed}`,
        beside: `replicate.${deed}`,
        floor: 'the same with two copies of each slice',
        ...(deed === 'put' ? { goal: PUT_GOAL } : {}),
      })),
      open: () => {
        const request = putOf(randomBytes, bytes);
        const products = { erasure: { redundancy_scheme: 'erasure' }, replicate: {} };
        return serversThat({ directory: bench.directory, products }, (server) =>
          putAndGet(server, { clients: 1, bytes }, request),
        );
      },
    },
  ];
};
