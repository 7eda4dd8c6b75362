import { LatencyWindow } from './latency-window.js';

/** Calls that take about the same time on a healthy node: what a small one needs says nothing of a large one. */
export type CallClass = 'readSmall' | 'readLarge' | 'writeSmall' | 'writeLarge' | 'other';

/** Bytes from which the moving of them, and not the asking, makes up the time of a call. */
const LARGE_BYTES = 64 * 1024;
/** Calls of a class before what is known of it is believed. */
const BELIEVED = 8;
/** Below this a difference between two nodes is noise, milliseconds. */
const NOISE_MS = 1;
/** Time after which the slowness of a node that is not asked any more counts half: so it is asked again, and the sooner the less slow it was. */
const HALF_LIFE_MS = 5000;

export function readClass(bytes: number): CallClass {
  return bytes < LARGE_BYTES ? 'readSmall' : 'readLarge';
}

export function writeClass(bytes: number): CallClass {
  return bytes < LARGE_BYTES ? 'writeSmall' : 'writeLarge';
}

interface ClassTimes {
  /** Calls that were waited for. */
  readonly completed: LatencyWindow;
  /** Those, and the ones that were given up because they were late, which would have taken longer still. */
  readonly observed: LatencyWindow;
  lastAt: number;
}

/** How long the calls to one node take, by class. */
export class NodeLatencies {
  private readonly classes = new Map<CallClass, ClassTimes>();

  /** @param now a clock that never goes back, milliseconds */
  constructor(private readonly now: () => number) {}

  completed(kind: CallClass, ms: number): void {
    this.of(kind).completed.add(ms);
    this.late(kind, ms);
  }

  /** Notes a call that was given up after so long. */
  late(kind: CallClass, ms: number): void {
    const times = this.of(kind);
    times.observed.add(ms);
    times.lastAt = this.now();
  }

  /** Of the calls that were waited for; undefined while there are too few. */
  p95(kind: CallClass): number | undefined {
    const window = this.classes.get(kind)?.completed;
    return window === undefined || window.size < BELIEVED ? undefined : window.p95;
  }

  /** The same with those that were given up. */
  observedP95(kind: CallClass): number | undefined {
    const window = this.classes.get(kind)?.observed;
    return window === undefined || window.size < BELIEVED ? undefined : window.p95;
  }

  /** What a call is thought to take now, milliseconds. A node that was not asked for long gets the benefit of the doubt. */
  expected(kind: CallClass): number {
    const times = this.classes.get(kind);
    const mean = times?.observed.mean ?? 0;
    if (times === undefined || mean <= NOISE_MS) return NOISE_MS;
    return Math.max(NOISE_MS, mean * 2 ** ((times.lastAt - this.now()) / HALF_LIFE_MS));
  }

  /** Moving mean over all that is read and written, for people. */
  get mean(): number | undefined {
    const windows = [...this.classes.values()].map(({ observed }) => observed);
    const total = windows.reduce((sum, { size }) => sum + size, 0);
    return total === 0 ? undefined : windows.reduce((sum, { mean, size }) => sum + (mean ?? 0) * size, 0) / total;
  }

  /** The worse of the two classes of reads, for people. */
  get readP95(): number | undefined {
    const both = (['readSmall', 'readLarge'] as const).flatMap((kind) => this.classes.get(kind)?.observed.p95 ?? []);
    return both.length === 0 ? undefined : Math.max(...both);
  }

  private of(kind: CallClass): ClassTimes {
    let times = this.classes.get(kind);
    if (times === undefined) {
      times = { completed: new LatencyWindow(), observed: new LatencyWindow(), lastAt: this.now() };
      this.classes.set(kind, times);
    }
    return times;
  }
}
