/** Weight of the newest call in the moving mean. */
const WEIGHT = 0.05;

/** How long calls to nodes take that somebody waits for: a moving mean over all nodes. */
export class ForegroundLoad {
  private mean: number | undefined;
  private lastAt = -Infinity;

  /** @param now milliseconds of a clock that never goes back */
  note(spentMs: number, now: number): void {
    this.mean = this.mean === undefined ? spentMs : this.mean + WEIGHT * (spentMs - this.mean);
    this.lastAt = now;
  }

  /** The mean, if there was a call within the last `withinMs`. */
  latencyMs(now: number, withinMs: number): number | undefined {
    return now - this.lastAt <= withinMs ? this.mean : undefined;
  }
}
