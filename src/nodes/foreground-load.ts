/** Calls that are kept: the tail of so many means something, and is soon over. */
const SAMPLES = 128;

interface Call {
  readonly spentMs: number;
  readonly at: number;
}

/** How long calls to nodes take that somebody waits for, of late, over all nodes. */
export class ForegroundLoad {
  private readonly calls: Call[] = [];
  private count = 0;

  /** @param now milliseconds of a clock that never goes back */
  note(spentMs: number, now: number): void {
    this.calls[this.count % SAMPLES] = { spentMs, at: now };
    this.count += 1;
  }

  /** Within which time 95 of 100 of the last calls ended; undefined if there was none within the last `withinMs`. */
  latencyMs(now: number, withinMs: number): number | undefined {
    const spent = this.calls.filter(({ at }) => now - at <= withinMs).map(({ spentMs }) => spentMs);
    return spent.sort((a, b) => a - b)[Math.ceil(0.95 * spent.length) - 1];
  }
}
