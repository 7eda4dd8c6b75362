import type { Bench } from '../kit/bench.ts';
import type { Trial } from '../kit/trial.ts';
import { codec } from './codec.ts';
import { degraded } from './degraded.ts';
import { fileSizes } from './file-size.ts';
import { gateways } from './gateways.ts';
import { large } from './large.ts';
import { lists } from './list.ts';
import { loop } from './loop.ts';
import { mixed } from './mixed.ts';
import { nodeCounts } from './node-count.ts';
import { ranges } from './range.ts';
import { repairs } from './repair.ts';
import { schemes } from './scheme.ts';
import { slices } from './slices.ts';
import { small } from './small.ts';

const ALL = [
  large,
  small,
  mixed,
  lists,
  loop,
  ranges,
  slices,
  schemes,
  codec,
  degraded,
  gateways,
  repairs,
  fileSizes,
  nodeCounts,
];

/** The trials in the order in which they run: all that this effort has, or those of such names, or that begin with one and a dash. */
export function trialsOf(bench: Bench, only: readonly string[]): readonly Trial[] {
  const trials = ALL.flatMap((of) => of(bench));
  if (only.length === 0) return trials.filter(({ isOfLong = false }) => !isOfLong || bench.effort === 'long');
  const isWanted = (name: string): boolean => only.some((asked) => name === asked || name.startsWith(`${asked}-`));
  const wanted = trials.flatMap((trial): Trial[] => {
    const rows = isWanted(trial.name) ? trial.rows : trial.rows.filter(({ name }) => isWanted(name));
    return rows.length === 0 ? [] : [{ ...trial, rows }];
  });
  if (wanted.length === 0)
    throw new RangeError(`there is no row like that; there are: ${trials.map(({ name }) => name).join(', ')}`);
  return wanted;
}
