/** Calls that are kept: the tail of so many means something, and is soon over. */
const SAMPLES = 128;
/** Of fewer calls the tail is but the slowest one. */
const TAIL_OF = 40;

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
    return tailOf(this.calls.filter(({ at }) => now - at <= withinMs));
  }

  /** The same of those that began at a time or later, if they are enough to have a tail. */
  latencySinceMs(since: number): number | undefined {
    const calls = this.calls.filter(({ spentMs, at }) => at - spentMs >= since);
    return calls.length < TAIL_OF ? undefined : tailOf(calls);
  }
}

function tailOf(calls: readonly Call[]): number | undefined {
  const spent = calls.map(({ spentMs }) => spentMs).sort((a, b) => a - b);
  return spent[Math.ceil(0.95 * spent.length) - 1];
}
