import type { VersionId } from '../common/ids.js';

/**
 * Versions that this process is writing or reading at the moment. Their shards are not touched by those who clean up, even if no file
 * has the version (not committed yet) or none has it any more (replaced under a running download).
 */
export class VersionHolds {
  private readonly counts = new Map<VersionId, number>();

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

  isHeld(versionId: VersionId): boolean {
    return this.counts.has(versionId);
  }
}
