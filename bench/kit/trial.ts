import type { Bench } from './bench.ts';

/** What one side did in one turn. */
export interface Turn {
  readonly seconds: number;
  readonly operations: number;
  /** Of bodies, both ways. */
  readonly bytes: number;
  /** Latencies in milliseconds, sorted; may be none. */
  readonly latencies: readonly number[];
  /** Of the processes that are measured, without the client. */
  readonly cpuSeconds: number;
  /** Highest resident memory in the turn of the process that is measured, in MiB; NaN if it has none of its own. */
  readonly peakMiB: number;
  /** By how many milliseconds the event loop was late at the most, in 99 of 100 cases; absent where nobody asked. */
  readonly loopMs?: number;
}

/** What is done in one turn of a side, by what it is: `put`, `get`. Rows name it as `side.deed`. */
export type Turns = Readonly<Record<string, Turn>>;

export interface Unit {
  readonly of: (turn: Turn) => number;
  readonly isMoreBetter: boolean;
  /** The worst turn counts, and not the one in the middle. */
  readonly isWorst?: boolean;
}

/** The latency within which such a share of all requests is answered. */
export function within(share: number, { latencies }: Pick<Turn, 'latencies'>): number {
  return latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? NaN;
}

const UNITS = {
  'MB/s': { of: ({ bytes, seconds }) => bytes / 1e6 / seconds, isMoreBetter: true },
  'requests/s': { of: ({ operations, seconds }) => operations / seconds, isMoreBetter: true },
  'GB/s of a core': { of: ({ bytes, cpuSeconds }) => bytes / 1e9 / cpuSeconds, isMoreBetter: true },
  'p50, ms': { of: (turn) => within(0.5, turn), isMoreBetter: false },
  'p99, ms': { of: (turn) => within(0.99, turn), isMoreBetter: false },
  'loop p99, ms': { of: ({ loopMs = NaN }) => loopMs, isMoreBetter: false },
  'peak, MB': { of: ({ peakMiB }) => peakMiB * 1.048576, isMoreBetter: false, isWorst: true },
} as const satisfies Readonly<Record<string, Unit>>;

export type UnitName = keyof typeof UNITS;

export function unitOf(name: UnitName): Unit {
  return UNITS[name];
}

/** What must be reached: by the ratio to the floor, or by the figure itself. */
export interface Goal {
  readonly of: 'ratio' | 'value';
  readonly least?: number;
  readonly most?: number;
  /** It is for the sizes of `--long`; with others it tells less. */
  readonly isOfLong?: boolean;
}

/** A picture of how something grows. */
export interface Plot {
  readonly title: string;
  /** What is along the horizontal axis, which is logarithmic. */
  readonly x: 'size of a file' | 'files' | 'nodes';
}

/** A line of the table. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly unit: UnitName;
  /** `side.deed`. */
  readonly measured: string;
  /** `side.deed`; absent if it stands beside nothing. */
  readonly beside?: string;
  /** What it stands beside, in words. */
  readonly floor: string;
  readonly goal?: Goal;
  /** Where it is in a plot; then it is not in the table of all others. */
  readonly point?: { readonly plot: Plot; readonly series: string; readonly x: number };
}

/** Sides that are ready to take turns. */
export interface Arena {
  readonly sides: Readonly<Record<string, (turn: number) => Promise<Turns>>>;
  readonly end: () => Promise<void>;
}

/** Sides that take turns, and the rows that come of it. */
export interface Trial {
  readonly name: string;
  readonly rows: readonly Row[];
  /** It takes so long that it runs only with `--long`, or when it is named. */
  readonly isOfLong?: boolean;
  /** How many turns at the most, where more would tell nothing. */
  readonly turnsMax?: number;
  readonly open: () => Promise<Arena>;
}

/** Trials that belong together, at the sizes that this bench has. */
export type Trials = (bench: Bench) => readonly Trial[];
