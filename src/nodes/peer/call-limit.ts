import { NodeError } from '../storage-node.js';

/**
 * The signal of one call to a peer: aborted when the caller's is, when the connection is closed, and when the next thing that is waited for
 * takes longer than it may. A timer of its own, because `AbortSignal.timeout` runs to its end even when the call took a millisecond.
 */
export class CallLimit {
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private readonly onAbort = (): void => this.stop(this.outer.reason);

  constructor(
    private readonly outer: AbortSignal,
    private readonly msMax: number,
  ) {
    outer.addEventListener('abort', this.onAbort, { once: true });
    this.restart();
    if (outer.aborted) this.onAbort();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Aborts with this reason, unless there is one already. */
  stop(reason: unknown): void {
    this.controller.abort(reason);
  }

  /** Something came: from here on it is the next thing that is waited for. */
  restart(): void {
    this.pause();
    this.timer = setTimeout(() => this.stop(new NodeError('unavailable', `did not answer within ${this.msMax} ms`)), this.msMax);
  }

  /** As long as the caller does not ask for more, nothing is waited for. */
  pause(): void {
    clearTimeout(this.timer);
  }

  end(): void {
    this.pause();
    this.outer.removeEventListener('abort', this.onAbort);
  }
}
