import { leavable } from '../common/leavable.js';

/** The calls to one node that are under way, so that nobody waits for them when it goes down. */
export class RunningCalls {
  private readonly stops = new Set<(reason: Error) => void>();

  get size(): number {
    return this.stops.size;
  }

  /** Runs a call, and leaves it behind when {@link stopAll} is called. */
  async run<Result>(call: (signal: AbortSignal) => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    const { result, leave } = leavable(call, signal);
    this.stops.add(leave);
    try {
      return await result;
    } finally {
      this.stops.delete(leave);
    }
  }

  stopAll(reason: Error): void {
    for (const stop of [...this.stops]) stop(reason);
  }
}
