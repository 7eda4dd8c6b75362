import { DomainError } from './errors.js';
import { holding } from './outcome-unknown-error.js';

/** Lets calls about the same thing follow each other, in the order in which they come; those about different things do not wait. */
export class Turns<Key> {
  private readonly last = new Map<Key, Promise<unknown>>();
  /** Things of which a call is under way, or has left a change in doubt. */
  private readonly unsettled = new Set<Key>();

  /**
   * Runs a call when those before it about this thing have ended, however they ended.
   * @throws DomainError `index-unavailable` while the change of one before it is in doubt: nobody knows what to build on
   */
  async take<Result>(key: Key, work: () => Promise<Result>): Promise<Result> {
    const turn = this.afterwards(key, work);
    this.last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.last.get(key) === turn) this.last.delete(key);
    }
  }

  private async afterwards<Result>(key: Key, work: () => Promise<Result>): Promise<Result> {
    const before = this.last.get(key);
    if (before !== undefined) await Promise.allSettled([before]);
    if (this.unsettled.has(key))
      throw new DomainError('index-unavailable', 'it is not known yet what became of the change before');
    this.unsettled.add(key);
    return holding(work, () => this.unsettled.delete(key));
  }
}
