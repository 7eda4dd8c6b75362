import { NodeError } from '../storage-node.js';

interface Waiter {
  readonly admit: () => void;
  readonly refuse: (reason: Error) => void;
}

interface Closing {
  readonly ended: Promise<unknown>;
  readonly end: () => void;
}

/**
 * Bounds how many file operations a node has under way, first come first served. Each occupies a thread of libuv's pool, which all
 * nodes of the process share, and a disk that hangs never gives its threads back: without a bound for each node, one frozen disk
 * freezes them all.
 */
export class Slots {
  private free: number;
  private readonly waiters: Waiter[] = [];
  private closing: Closing | undefined;

  constructor(private readonly count: number) {
    this.free = count;
  }

  /** Does the work when there is a slot for it. Rejects with the signal's reason if it was aborted before that. */
  async run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted();
    if (this.closing !== undefined) throw closedError();
    if (this.free > 0) this.free -= 1;
    else await this.wait(signal);
    try {
      return await work();
    } finally {
      this.give();
    }
  }

  /** Refuses what waits and whatever comes, and resolves when what is under way has ended; safe to call twice. */
  async close(): Promise<void> {
    if (this.closing === undefined) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      this.closing = { ended: promise, end: () => resolve(undefined) };
      for (const waiter of this.waiters.splice(0)) waiter.refuse(closedError());
      if (this.free === this.count) this.closing.end();
    }
    await this.closing.ended;
  }

  private async wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const waiter: Waiter = { admit: () => resolve(undefined), refuse: reject };
    const onAbort = (): void => {
      const position = this.waiters.indexOf(waiter);
      if (position < 0) return; // it has its slot, and gives it back by itself
      this.waiters.splice(position, 1);
      reject(signal.reason as Error);
    };
    this.waiters.push(waiter);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  private give(): void {
    const next = this.waiters.shift();
    if (next !== undefined) {
      next.admit();
      return;
    }
    this.free += 1;
    if (this.free === this.count) this.closing?.end();
  }
}

function closedError(): NodeError {
  return new NodeError('unavailable', 'it is closed');
}
