import { isInBackground } from '../background-work.js';
import { NodeError } from '../storage-node.js';

interface Waiter {
  readonly admit: () => void;
  readonly refuse: (reason: Error) => void;
}

/** What somebody waits for, and what is done in the background. */
type Side = 'front' | 'back';

interface Closing {
  readonly ended: Promise<unknown>;
  readonly end: () => void;
}

/** Somebody is there if anybody was within this time: between two requests of one client there is none. */
const OF_LATE_MS = 1000;

/**
 * Bounds how many file operations a node has under way, first come first served. Each occupies a thread of libuv's pool, which all
 * nodes of the process share, and a disk that hangs never gives its threads back: without a bound for each node, one frozen disk
 * freezes them all. What is done in the background comes after what somebody waits for, and leaves half of the slots to that: a copy
 * of a node would else fill them all with writes, which end when the disk has synced them, and each read would wait for some of those.
 */
export class Slots {
  private readonly running = { front: 0, back: 0 };
  private readonly waiters: { readonly front: Waiter[]; readonly back: Waiter[] } = { front: [], back: [] };
  private frontAt = -Infinity;
  private closing: Closing | undefined;

  constructor(
    private readonly count: number,
    /** A clock that never goes back, milliseconds. */
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Does the work when there is a slot for it. Rejects with the signal's reason if it was aborted before that. */
  async run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted();
    if (this.closing !== undefined) throw closedError();
    const side = isInBackground() ? 'back' : 'front';
    if (side === 'front') this.frontAt = this.now();
    if (this.waiters[side].length === 0 && this.hasRoom(side)) this.running[side] += 1;
    else await this.wait(side, signal);
    try {
      return await work();
    } finally {
      this.running[side] -= 1;
      this.admitWaiters();
    }
  }

  /** Refuses what waits and whatever comes, and resolves when what is under way has ended; safe to call twice. */
  async close(): Promise<void> {
    if (this.closing === undefined) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      this.closing = { ended: promise, end: () => resolve(undefined) };
      const { front, back } = this.waiters;
      for (const waiter of [...front.splice(0), ...back.splice(0)]) waiter.refuse(closedError());
      if (this.isFree) this.closing.end();
    }
    await this.closing.ended;
  }

  private get isFree(): boolean {
    return this.running.front + this.running.back === 0;
  }

  private hasRoom(side: Side): boolean {
    const { front, back } = this.running;
    if (front + back >= this.count) return false;
    if (side === 'front') return true;
    // One at the least goes on, however many are there: what is lost has to be restored all the same.
    return back === 0 || (this.waiters.front.length === 0 && back < this.backMost);
  }

  private get backMost(): number {
    const isSomebodyThere = this.now() - this.frontAt < OF_LATE_MS;
    return isSomebodyThere ? Math.ceil(this.count / 2) : this.count;
  }

  private async wait(side: Side, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const waiter: Waiter = { admit: () => resolve(undefined), refuse: reject };
    const waiters = this.waiters[side];
    const onAbort = (): void => {
      const position = waiters.indexOf(waiter);
      if (position < 0) return; // it has its slot, and gives it back by itself
      waiters.splice(position, 1);
      reject(signal.reason as Error);
      this.admitWaiters();
    };
    waiters.push(waiter);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  private admitWaiters(): void {
    for (const side of ['back', 'front', 'back'] as const) {
      const waiters = this.waiters[side];
      while (waiters.length > 0 && this.hasRoom(side)) {
        this.running[side] += 1;
        waiters.shift()?.admit();
      }
    }
    if (this.isFree) this.closing?.end();
  }
}

function closedError(): NodeError {
  return new NodeError('unavailable', 'it is closed');
}
