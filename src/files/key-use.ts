import { holding } from '../common/outcome-unknown-error.js';

/**
 * Counts the commits under way by the key that wraps their version's key: a key is dropped from the key ring only when the index names it
 * nowhere and no commit that will is still on its way there.
 */
export class KeyUse {
  private readonly commits = new Map<string, number>();
  private waiters: { readonly kekId: string; readonly resolve: () => void }[] = [];

  async during<Result>(kekId: string, commit: () => Promise<Result>): Promise<Result> {
    this.add(kekId, 1);
    return holding(commit, () => this.add(kekId, -1));
  }

  /** Resolves when no commit that uses the key is under way: true; or when the signal is aborted before: false. */
  async idle(kekId: string, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (!this.commits.has(kekId)) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter = { kekId, resolve: () => resolve(true) };
    const giveUp = (): void => resolve(false);
    this.waiters.push(waiter);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
      this.waiters = this.waiters.filter((entry) => entry !== waiter);
    }
  }

  private add(kekId: string, change: number): void {
    const count = (this.commits.get(kekId) ?? 0) + change;
    if (count > 0) this.commits.set(kekId, count);
    else {
      this.commits.delete(kekId);
      for (const waiter of this.waiters.filter((entry) => entry.kekId === kekId)) waiter.resolve();
      this.waiters = this.waiters.filter((entry) => entry.kekId !== kekId);
    }
  }
}
