/** Times kept: enough for a 95th percentile that means something, few enough to forget a bad minute soon. */
const SAMPLES = 128;
/** The percentile is taken anew after so many further times: it moves slowly, and a busy node would sort all day. */
const FRESH = 8;
/** Weight of the newest time in the moving mean. */
const WEIGHT = 0.1;

/** The last times that a kind of call took, in milliseconds. */
export class LatencyWindow {
  private readonly samples: number[] = [];
  private count = 0;
  private moving: number | undefined;
  private cached: { readonly at: number; readonly value: number } | undefined;

  add(ms: number): void {
    this.samples[this.count % SAMPLES] = ms;
    this.count += 1;
    this.moving = this.moving === undefined ? ms : this.moving + WEIGHT * (ms - this.moving);
  }

  /** How many times were ever added. */
  get size(): number {
    return this.count;
  }

  /** Moving mean; undefined before the first time. */
  get mean(): number | undefined {
    return this.moving;
  }

  /** Time within which 95 of 100 of the last calls ended (nearest rank); undefined before the first. */
  get p95(): number | undefined {
    if (this.count === 0) return undefined;
    if (this.cached === undefined || this.count - this.cached.at >= Math.min(FRESH, this.cached.at))
      this.cached = { at: this.count, value: percentile95(this.samples) };
    return this.cached.value;
  }
}

function percentile95(samples: readonly number[]): number {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.ceil(sorted.length * 0.95) - 1] as number;
}
