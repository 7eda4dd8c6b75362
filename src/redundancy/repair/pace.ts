import { ByteRate, type Clock } from './byte-rate.js';

/** What the pace looks at. */
export interface PaceParts {
  /** Bytes that may be copied in a second; 0: as many as go. */
  readonly bytesPerSecond: () => number;
  /** Within which time nearly all calls end that somebody waits for, of late; undefined: nobody waits. */
  readonly foregroundMs: () => number | undefined;
  /** The same of the calls that began at a time or later, by the clock; undefined: too few have. */
  readonly foregroundSinceMs: (since: number) => number | undefined;
  /** Mean time by which timers of the event loop were late, of late. */
  readonly loopLagMs: () => number;
  readonly clock: Clock;
}

/** What those in front feel: nobody is there; it is as without it; it is worse; or too few have asked since the window was changed. */
type Feeling = 'nobody' | 'calm' | 'disturbed' | 'unknown';

interface Waiter {
  readonly weight: number;
  readonly admit: () => void;
}

const KiB = 1024;
const MiB = 1024 * KiB;
/** Beyond this many times what it is without repair the foreground counts as disturbed: by the time it is seen, more is on its way. */
const DISTURBED = 1.5;
/** Shorter calls than this are no sign of anything. */
const FOREGROUND_MS_LEAST = 2;
/** As long as nobody has seen how long they take. */
const FOREGROUND_MS_USUAL = 4;
const LOOP_LAG_MS_MOST = 100;
/** What a copy costs besides its bytes, in bytes. */
const COPY_BYTES = 256 * KiB;
const WINDOW_LEAST = 512 * KiB;
/** With so much on its way nothing waits for anything but the machine. */
const WINDOW_FULL = 8 * MiB;
const WINDOW_MOST = 64 * MiB;
/** By so much more is on its way each time that all that was has arrived, and nobody was disturbed. */
const WINDOW_STEP = 512 * KiB;
/** Of the time that a copy took no more than this counts, so that no pause is longer than a few seconds. */
const WORKED_MS_MOST = 250;
/** So long after it was made smaller a window is judged by what there is, and until then only by calls that began since. */
const STALE_MS_MOST = 2000;
/** Weight of the newest look in the estimate of quiet times, which is a low one: what was seen faster counts soon, whatever slower calls there were before. */
const WEIGHT_OF_SLOWER = 0.1;
const WEIGHT_OF_FASTER = 0.5;

/**
 * Holds back who copies in the background: to a number of bytes in a second, and to a window of bytes that are on their way at once. As TCP does,
 * it grows as long as nobody is disturbed, by a step at a time if somebody is there who could be, and halves when those in front wait for nodes
 * longer than they do without it. When it is smaller than a single copy there are pauses between one and the next.
 */
export class Pace {
  private readonly rate: ByteRate;
  private readonly waiters: Waiter[] = [];
  private window = WINDOW_FULL;
  private underWay = 0;
  /** What was on its way before this says nothing of the window as it is now. */
  private cutAt = -Infinity;
  private restUntil = -Infinity;
  private quietMs: number | undefined;

  constructor(private readonly parts: PaceParts) {
    this.rate = new ByteRate(parts.clock, parts.bytesPerSecond);
  }

  /** How many times slower than it could be, about. */
  get heldBack(): number {
    return Math.max(1, WINDOW_FULL / this.window);
  }

  /** Takes a look while nothing is copied: how long calls take by themselves. */
  observeQuiet(): void {
    const spent = this.parts.foregroundMs();
    this.window = spent === undefined ? WINDOW_FULL : WINDOW_LEAST;
    if (spent === undefined) return;
    const before = this.quietMs ?? spent;
    this.quietMs = before + (spent < before ? WEIGHT_OF_FASTER : WEIGHT_OF_SLOWER) * (spent - before);
  }

  /** Resolves when so many bytes may be copied; the result is to be called when that has ended, whatever came of it. */
  async enter(bytes: number, signal: AbortSignal): Promise<() => void> {
    const { clock } = this.parts;
    const weight = bytes + COPY_BYTES;
    await this.rate.take(bytes, signal);
    await this.admission(weight, signal);
    try {
      const rest = this.restUntil - clock.now();
      if (rest > 0) await clock.pause(rest, signal);
    } catch (error) {
      this.leave(weight);
      throw error;
    }
    const began = clock.now();
    return () => {
      this.adapt(weight, began);
      this.leave(weight);
    };
  }

  private async admission(weight: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.waiters.length === 0 && this.hasRoom(weight)) {
      this.underWay += weight;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const waiter = { weight, admit: () => resolve(undefined) };
    const onAbort = (): void => {
      const at = this.waiters.indexOf(waiter);
      if (at < 0) return; // it is in, and leaves by itself
      this.waiters.splice(at, 1);
      reject(signal.reason);
      this.admitWaiters();
    };
    this.waiters.push(waiter);
    signal.addEventListener('abort', onAbort, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  private leave(weight: number): void {
    this.underWay -= weight;
    this.admitWaiters();
  }

  private admitWaiters(): void {
    for (let next = this.waiters[0]; next !== undefined && this.hasRoom(next.weight); next = this.waiters[0]) {
      this.waiters.shift();
      this.underWay += next.weight;
      next.admit();
    }
  }

  private hasRoom(weight: number): boolean {
    return this.underWay === 0 || this.underWay + weight <= this.window;
  }

  private adapt(weight: number, began: number): void {
    const now = this.parts.clock.now();
    const feeling = this.feeling(now);
    if (feeling === 'nobody' || feeling === 'calm') {
      const step = feeling === 'nobody' ? weight : WINDOW_STEP * Math.min(1, weight / this.window);
      // What is not made use of tells nothing of what would be too much.
      if (2 * this.underWay >= this.window) this.window = Math.min(WINDOW_MOST, this.window + step);
    } else if (feeling === 'disturbed' && began >= this.cutAt) {
      this.window = Math.max(WINDOW_LEAST, Math.min(this.window, this.underWay) / 2);
      this.cutAt = now;
    }
    const rest = (weight / this.window - 1) * Math.min(now - began, WORKED_MS_MOST);
    this.restUntil = Math.max(this.restUntil, now + rest);
  }

  /** One slow moment is seen in the tail of the calls for as long as they are looked at: it makes the window smaller once, and not again and again. */
  private feeling(now: number): Feeling {
    const { loopLagMs, foregroundMs, foregroundSinceMs } = this.parts;
    if (loopLagMs() > LOOP_LAG_MS_MOST) return 'disturbed';
    const ofLate = foregroundMs();
    if (ofLate === undefined) return 'nobody';
    const spent = now - this.cutAt > STALE_MS_MOST ? ofLate : foregroundSinceMs(this.cutAt);
    if (spent === undefined) return 'unknown';
    return spent > DISTURBED * Math.max(FOREGROUND_MS_LEAST, this.quietMs ?? FOREGROUND_MS_USUAL) ? 'disturbed' : 'calm';
  }
}
