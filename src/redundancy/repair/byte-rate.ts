import { setTimeout as sleep } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** Holds back who reads or copies to a number of bytes in a second. */
export class ByteRate {
  private freeAt = -Infinity;

  /** @param bytesPerSecond 0: as many as go */
  constructor(
    private readonly clock: Clock,
    private readonly bytesPerSecond: () => number,
  ) {}

  /** Resolves when so many bytes may be copied. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const bytesPerSecond = this.bytesPerSecond();
    const now = this.clock.now();
    const due = Math.max(now, this.freeAt);
    this.freeAt = due + (bytesPerSecond === 0 ? 0 : (1000 * bytes) / bytesPerSecond);
    if (due > now) await this.clock.pause(due - now, signal);
  }
}

export const CLOCK: Clock = {
  now: () => performance.now(),
  pause: (ms, signal) => sleep(ms, undefined, { signal }),
};
