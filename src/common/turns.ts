/** Lets calls about the same thing follow each other, in the order in which they come; those about different things do not wait. */
export class Turns<Key> {
  private readonly last = new Map<Key, Promise<unknown>>();

  /** Runs a call when those before it about this thing have ended, however they ended. */
  async take<Result>(key: Key, work: () => Promise<Result>): Promise<Result> {
    const turn = afterwards(this.last.get(key), work);
    this.last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.last.get(key) === turn) this.last.delete(key);
    }
  }
}

async function afterwards<Result>(before: Promise<unknown> | undefined, work: () => Promise<Result>): Promise<Result> {
  if (before !== undefined) await Promise.allSettled([before]);
  return work();
}
