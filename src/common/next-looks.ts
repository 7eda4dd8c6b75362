/** Looks at things on behalf of many: who asks while a look is about to begin shares it, and never one that had begun before. */
export class NextLooks<Key, Seen> {
  private readonly next = new Map<Key, Promise<Seen>>();

  constructor(private readonly look: (key: Key) => Promise<Seen>) {}

  /** What is there at some moment after this call. */
  at(key: Key): Promise<Seen> {
    const known = this.next.get(key) ?? this.begin(key);
    this.next.set(key, known);
    return known;
  }

  private async begin(key: Key): Promise<Seen> {
    await new Promise(setImmediate); // those who wait for the same change go on in the same turn
    this.next.delete(key);
    return this.look(key);
  }
}
