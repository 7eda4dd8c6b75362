import { median } from '../figures.ts';
import type { Bench } from './bench.ts';
import { type Goal, type Row, type Trial, type Turn, type Turns, type Unit, unitOf, within } from './trial.ts';

/** What a side came to: medians over its turns. */
export interface SideResult {
  readonly value: number;
  readonly p50: number;
  readonly p99: number;
  /** Seconds of processor time for each GiB of bodies. */
  readonly cpuPerGiB: number;
  readonly peakMiB: number;
  /** The value of each turn. */
  readonly turns: readonly number[];
}

export interface RowResult extends Row {
  readonly product: SideResult;
  readonly floorResult?: SideResult;
  /** Median of the ratios of the pairs; NaN if it stands beside nothing. */
  readonly ratio: number;
  /** Absent if there is no goal, or the sizes are too small to tell. */
  readonly isReached?: boolean;
}

type Pair = ReadonlyMap<string, Turns>;

/** Lets the sides take turns, and makes the rows of it. */
export async function runTrial(trial: Trial, bench: Bench): Promise<readonly RowResult[]> {
  const arena = await trial.open();
  try {
    const pairs: Pair[] = [];
    const count = Math.min(bench.pairs, trial.turnsMax ?? Infinity);
    for (let turn = 0; turn < count; turn += 1) {
      const pair = new Map<string, Turns>();
      const sides = Object.entries(arena.sides);
      // Who is first changes, so that none always has what the other leaves behind.
      for (const [side, take] of turn % 2 === 0 ? sides : sides.reverse()) pair.set(side, await take(turn));
      pairs.push(pair);
    }
    return trial.rows.map((row) => resultOf(row, pairs, bench));
  } finally {
    await arena.end();
  }
}

function resultOf(row: Row, pairs: readonly Pair[], { effort }: Bench): RowResult {
  const unit = unitOf(row.unit);
  const { of } = unit;
  const measured = pairs.map((pair) => turnOf(pair, row.measured));
  const product = sideOf(measured, unit);
  if (row.beside === undefined) return { ...row, product, ratio: NaN, ...verdict(row.goal, product.value, effort) };
  const { beside } = row;
  const floor = pairs.map((pair) => turnOf(pair, beside));
  const ratio = median(measured.map((turn, at) => of(turn) / of(floor[at] as Turn)));
  const judged = row.goal?.of === 'value' ? product.value : ratio;
  return { ...row, product, floorResult: sideOf(floor, unit), ratio, ...verdict(row.goal, judged, effort) };
}

function turnOf(pair: Pair, name: string): Turn {
  const [side = '', deed = ''] = name.split('.');
  const turn = pair.get(side)?.[deed];
  if (turn === undefined) throw new RangeError(`nothing is known of ${name}`);
  return turn;
}

function sideOf(turns: readonly Turn[], { of, isWorst, isMoreBetter }: Unit): SideResult {
  const middle = (pick: (turn: Turn) => number): number => median(turns.map(pick));
  return {
    value: isWorst === true ? worst(turns.map(of), isMoreBetter) : middle(of),
    p50: middle((turn) => within(0.5, turn)),
    p99: middle((turn) => within(0.99, turn)),
    cpuPerGiB: middle(({ cpuSeconds, bytes }) => cpuSeconds / (bytes / 1024 ** 3)),
    peakMiB: Math.max(...turns.map(({ peakMiB }) => peakMiB)),
    turns: turns.map(of),
  };
}

function worst(values: readonly number[], isMoreBetter: boolean): number {
  return isMoreBetter ? Math.min(...values) : Math.max(...values);
}

function verdict(goal: Goal | undefined, value: number, effort: Bench['effort']): Pick<RowResult, 'isReached'> {
  if (goal === undefined || effort === 'quick' || (goal.isOfLong === true && effort !== 'long')) return {};
  return { isReached: value >= (goal.least ?? -Infinity) && value <= (goal.most ?? Infinity) };
}
