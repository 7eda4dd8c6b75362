/** What of one piece has come so far: filled as it comes, and read at the reader's own pace. It holds at most the piece. */
export class PieceQueue {
  private readonly chunks: Uint8Array[] = [];
  private changed = Promise.withResolvers<undefined>();
  private isEnded = false;
  private failure: { readonly error: unknown } | undefined;

  /** Takes everything of a stream. Never rejects: who reads hears of it. */
  async fill(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of chunks) {
        this.chunks.push(chunk);
        this.wake();
      }
    } catch (error) {
      this.failure = { error };
    }
    this.isEnded = true;
    this.wake();
  }

  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = this.chunks.shift();
      if (chunk !== undefined) {
        yield chunk;
      } else if (this.isEnded) {
        if (this.failure !== undefined) throw this.failure.error;
        return;
      } else {
        await this.changed.promise;
      }
    }
  }

  private wake(): void {
    this.changed.resolve(undefined);
    this.changed = Promise.withResolvers();
  }
}
