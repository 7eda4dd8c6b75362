import type { VersionId } from '../common/ids.js';

/**
 * Versions that this process is writing or reading at the moment. Their shards are not touched by those who clean up, even if no file
 * has the version (not committed yet) or none has it any more (replaced under a running download).
 */
export class VersionHolds {
  private readonly counts = new Map<VersionId, number>();
  private readonly claims = new Map<VersionId, Promise<undefined>>();

  /** Holds a version until the returned function is called; calling it twice is harmless. */
  hold(versionId: VersionId): () => void {
    this.counts.set(versionId, (this.counts.get(versionId) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.counts.get(versionId) ?? 0) - 1;
      if (left > 0) this.counts.set(versionId, left);
      else this.counts.delete(versionId);
    };
  }

  /** All versions that are held now. */
  get held(): readonly VersionId[] {
    return [...this.counts.keys()];
  }

  isHeld(versionId: VersionId): boolean {
    return this.counts.has(versionId);
  }

  /**
   * The right to change where shards of a version lie, which only one has at a time: who moves them, or who deletes those that the layout does
   * not name. Waits for the one who has it; holds the version besides.
   */
  async claim(versionId: VersionId): Promise<() => void> {
    for (let before = this.claims.get(versionId); before !== undefined; before = this.claims.get(versionId)) await before;
    const letGo = this.take(versionId);
    const release = this.hold(versionId);
    return () => {
      letGo();
      release();
    };
  }

  /** As {@link claim}, for one who does not wait, and without a hold; undefined if another one has it. */
  tryClaim(versionId: VersionId): (() => void) | undefined {
    return this.claims.has(versionId) ? undefined : this.take(versionId);
  }

  private take(versionId: VersionId): () => void {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.claims.set(versionId, promise);
    return () => {
      if (this.claims.get(versionId) === promise) this.claims.delete(versionId);
      resolve(undefined);
    };
  }
}
