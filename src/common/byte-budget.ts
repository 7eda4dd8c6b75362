import { DomainError } from './errors.js';

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/** The longest time of a timer. */
const FOR_EVER_MS = 2 ** 31 - 1;

/**
 * Bounds the bytes that all requests of this process hold in memory at once: a weighted semaphore, first come first served.
 * A request takes its share once, before it reads a body, and gives it back when it ends; so no request that has begun ever waits
 * for another one, and there is no deadlock.
 */
export class ByteBudget {
  private free: number;
  private readonly waiters: Waiter[] = [];

  /** @param waitMsMax absent: who waits does so until its signal is aborted */
  constructor(
    private readonly bytesMax: number,
    private readonly waitMsMax = FOR_EVER_MS,
  ) {
    this.free = bytesMax;
  }

  /** Takes `bytes` (at most the whole budget) and returns how to give them back. Throws `too-busy` after the longest wait. */
  async take(bytes: number, signal: AbortSignal): Promise<() => void> {
    const share = Math.min(bytes, this.bytesMax);
    if (this.waiters.length === 0 && share <= this.free) this.free -= share;
    else await this.wait(share, signal);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.free += share;
      this.admitWaiters();
    };
  }

  private async wait(bytes: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { promise: refused, reject } = Promise.withResolvers<never>();
    const waiter: Waiter = { bytes, admit: () => resolve(undefined) };
    this.waiters.push(waiter);
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(
      () => reject(new DomainError('too-busy', `waited ${this.waitMsMax} ms for memory that other requests hold`)),
      this.waitMsMax,
    );
    try {
      signal.throwIfAborted();
      await Promise.race([promise, refused]);
    } catch (error) {
      const position = this.waiters.indexOf(waiter);
      if (position >= 0) this.waiters.splice(position, 1);
      else this.free += bytes; // admitted and refused in the same turn
      this.admitWaiters();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  private admitWaiters(): void {
    for (let next = this.waiters[0]; next !== undefined && next.bytes <= this.free; next = this.waiters[0]) {
      this.waiters.shift();
      this.free -= next.bytes;
      next.admit();
    }
  }
}
