/** Revisions of one millisecond: as many changes as that has room for, and the rest borrow from the next ones. */
const PER_MS = 1024;
/** How far ahead of the clock the ceiling is set. */
const RESERVE_MS = 5000;

/**
 * Gives the revisions of changes: a hybrid logical clock (Kulkarni et al., 2014), which follows the time and never goes back. What was given
 * is never given again, because the ceiling of all that may be given is durable before; it is raised ahead of its need, so that hardly a
 * change waits for that.
 */
export class RevisionClock {
  private last: number;
  private raising: Promise<void> | undefined;

  /**
   * @param ceiling what was reserved before
   * @param reserve makes a higher ceiling durable
   * @param now milliseconds since 1970
   */
  constructor(
    private ceiling: number,
    private readonly reserve: (ceiling: number) => Promise<unknown>,
    private readonly now: () => number = Date.now,
  ) {
    this.last = ceiling;
  }

  get reserved(): number {
    return this.ceiling;
  }

  /** Takes note of a revision that another index gave, and that is durable as the ceiling of this one. */
  seen(revision: number): void {
    this.last = Math.max(this.last, revision);
    this.ceiling = Math.max(this.ceiling, revision);
  }

  /** Resolves when no higher ceiling is on its way. */
  async rest(): Promise<void> {
    await this.raising?.catch(() => undefined);
  }

  async next(): Promise<number> {
    while (this.last >= this.ceiling) await this.raise();
    this.last = Math.min(this.ceiling, Math.max(this.last + 1, this.now() * PER_MS));
    // A failure is met by the one that finds the reserve used up.
    if (this.ceiling - this.last < (RESERVE_MS * PER_MS) / 2) void this.raise().catch(() => undefined);
    return this.last;
  }

  private raise(): Promise<void> {
    this.raising ??= this.raiseNow().finally(() => (this.raising = undefined));
    return this.raising;
  }

  private async raiseNow(): Promise<void> {
    const ceiling = Math.max(this.last, this.now() * PER_MS) + RESERVE_MS * PER_MS;
    await this.reserve(ceiling);
    this.ceiling = Math.max(this.ceiling, ceiling);
  }
}
