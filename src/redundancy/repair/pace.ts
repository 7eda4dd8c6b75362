import { setTimeout as sleep } from 'node:timers/promises';

/** What the pace looks at. */
export interface PaceParts {
  /** Bytes that may be copied in a second; 0: as many as go. */
  readonly bytesPerSecond: () => number;
  /** Mean time of a call that somebody waits for, of late; undefined: nobody does. */
  readonly foregroundMs: () => number | undefined;
  /** Mean time by which timers of the event loop were late, of late. */
  readonly loopLagMs: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** Beyond this many times what it is without repair the foreground counts as disturbed. */
const DISTURBED = 2;
/** Shorter calls than this are no sign of anything. */
const FOREGROUND_MS_LEAST = 2;
const LOOP_LAG_MS_MOST = 100;
/** How much slower than it could be a repair becomes at the most. */
const SLOWNESS_MOST = 8;
/** Of the time that a copy took no more than this counts, so that no pause is longer than a few seconds. */
const WORKED_MS_MOST = 250;
/** Weight of the newest look in the moving mean of quiet times. */
const WEIGHT = 0.2;

/**
 * Holds back who copies in the background: to a number of bytes in a second, and, as long as those in front wait for nodes twice as long as they
 * do without it, by pauses that grow to a multiple of the time that the copying takes, and shrink again when they do not.
 */
export class Pace {
  private freeAt = -Infinity;
  private lastAt: number | undefined;
  private slowness = 1;
  private quietMs: number | undefined;

  constructor(private readonly parts: PaceParts) {}

  /** How many times slower than it could be. */
  get heldBack(): number {
    return this.slowness;
  }

  /** Takes a look while nothing is copied: how long calls take by themselves. */
  observeQuiet(): void {
    const spent = this.parts.foregroundMs();
    this.lastAt = undefined;
    this.slowness = 1;
    if (spent !== undefined) this.quietMs = this.quietMs === undefined ? spent : this.quietMs + WEIGHT * (spent - this.quietMs);
  }

  /** Resolves when so many bytes may be copied. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const { now, pause } = this.parts;
    const bytesPerSecond = this.parts.bytesPerSecond();
    const began = now();
    const worked = this.lastAt === undefined ? 0 : Math.max(0, began - this.lastAt);
    this.slowness = this.isDisturbing() ? Math.min(SLOWNESS_MOST, this.slowness * 2) : Math.max(1, this.slowness / 2);
    const due = Math.max(began, this.freeAt);
    const rest = (this.slowness - 1) * Math.min(worked, WORKED_MS_MOST);
    this.freeAt = due + rest + (bytesPerSecond === 0 ? 0 : (1000 * bytes) / bytesPerSecond);
    if (due + rest > began) await pause(due + rest - began, signal);
    this.lastAt = now();
  }

  private isDisturbing(): boolean {
    if (this.parts.loopLagMs() > LOOP_LAG_MS_MOST) return true;
    const spent = this.parts.foregroundMs();
    if (spent === undefined) return false;
    return spent > DISTURBED * Math.max(FOREGROUND_MS_LEAST, this.quietMs ?? FOREGROUND_MS_LEAST * 2);
  }
}

export const pauseFor = (ms: number, signal: AbortSignal): Promise<unknown> => sleep(ms, undefined, { signal });
