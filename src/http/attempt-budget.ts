import { DomainError } from '../common/errors.js';

export interface AttemptBudgetLimits {
  /** Attempts that may come at once, and the most in each window over time. */
  readonly attemptsMax: number;
  readonly windowMs: number;
  /** Keys that are remembered; beyond, those that were quiet for longest are forgotten. */
  readonly keysMax: number;
}

/** Attempts that count at a moment; they leak away evenly. */
interface Level {
  readonly attempts: number;
  readonly at: number;
}

/**
 * Bounds how often something guessable is tried, by a key (an address, a name): a leaky bucket for each. Counted before the attempt, so that
 * many at once gain nothing; given back by `forgive` when it was no guess. What is limited is the key and not what lies behind it: it answers
 * alike for what exists and what does not.
 */
export class AttemptBudget {
  /** In the order of the last attempt. */
  private readonly levels = new Map<string, Level>();

  constructor(
    private readonly limits: AttemptBudgetLimits,
    private readonly now: () => number = Date.now,
  ) {}

  /** Counts an attempt. @throws DomainError `too-many-attempts` */
  attempt(key: string): void {
    const attempts = this.attempts(key);
    const surplus = attempts + 1 - this.limits.attemptsMax;
    if (surplus > 0) {
      const retryAfterSeconds = Math.max(1, Math.ceil((surplus / this.limits.attemptsMax) * (this.limits.windowMs / 1000)));
      throw new DomainError('too-many-attempts', 'too many attempts failed: wait before the next one', { retryAfterSeconds });
    }
    this.keep(key, attempts + 1);
  }

  /** Whether the next attempt is too many. */
  isExhausted(key: string): boolean {
    return this.attempts(key) + 1 > this.limits.attemptsMax;
  }

  /** Takes one attempt back, which succeeded. */
  forgive(key: string): void {
    const attempts = this.attempts(key) - 1;
    if (attempts > 0) this.keep(key, attempts);
    else this.levels.delete(key);
  }

  private attempts(key: string): number {
    const level = this.levels.get(key);
    if (level === undefined) return 0;
    const leaked = (Math.max(0, this.now() - level.at) / this.limits.windowMs) * this.limits.attemptsMax;
    return Math.max(0, level.attempts - leaked);
  }

  private keep(key: string, attempts: number): void {
    this.levels.delete(key);
    this.levels.set(key, { attempts, at: this.now() });
    if (this.levels.size <= this.limits.keysMax) return;
    const [quietest] = this.levels.keys();
    if (quietest !== undefined) this.levels.delete(quietest);
  }
}
