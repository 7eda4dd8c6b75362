import { AsyncLocalStorage } from 'node:async_hooks';

const storage = new AsyncLocalStorage<true>();

/** Runs work that nobody waits for: what it asks of nodes does not count as their latency in the eyes of those who hold it back for others. */
export function inBackground<Result>(work: () => Promise<Result>): Promise<Result> {
  return storage.run(true, work);
}

export function isInBackground(): boolean {
  return storage.getStore() === true;
}
