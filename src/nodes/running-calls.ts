/** The calls to one node that are under way, so that nobody waits for them when it goes down. */
export class RunningCalls {
  private readonly stops = new Set<(reason: Error) => void>();

  get size(): number {
    return this.stops.size;
  }

  /**
   * Runs a call with a signal of its own, and leaves it behind when {@link stopAll} is called: a frozen node hears no signal.
   * The caller's signal is only passed on: what the call has under way must have ended when the caller cleans up after it.
   */
  async run<Result>(call: (signal: AbortSignal) => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    signal?.throwIfAborted();
    const controller = new AbortController();
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const stop = (reason: Error): void => {
      reject(reason); // first, so that the reason wins over whatever the aborted call makes of it
      controller.abort(reason);
    };
    const onAbort = (): void => controller.abort(signal?.reason);
    this.stops.add(stop);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      // The race listens to the loser too, so what comes back too late is no unhandled rejection.
      return await Promise.race([stopped, call(controller.signal)]);
    } finally {
      this.stops.delete(stop);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  stopAll(reason: Error): void {
    for (const stop of [...this.stops]) stop(reason);
  }
}
