import type { VersionId } from '../common/ids.js';
import type { ShardId } from '../nodes/storage-node.js';
import type { CollectorParts } from './collector-parts.js';
import { LayoutReader } from './layout-reader.js';
import { STRIPES_PER_PAGE } from './layout.js';

/** Shards that were looked at with one call. */
export interface Deletion {
  readonly deleted: number;
  /** Of which it cannot be told now whether they are needed, as their version is written, read or moved. */
  readonly busy: readonly ShardId[];
}

/** Tells the shards on a node that no file needs, and deletes them. */
export class SuperfluousShards {
  constructor(private readonly parts: Pick<CollectorParts, 'registry' | 'metadata' | 'holds'>) {}

  /**
   * Deletes shards that seem superfluous with one call to their node. They are looked at while nobody can move any: since they were seen, the
   * layout may have come to name this node. Only who moves shards of the same versions waits for that, and for this one call at the most: uploads
   * and reads hold a version, and do not claim it. @throws NodeError
   */
  async delete(number: number, ids: readonly ShardId[], signal: AbortSignal): Promise<Deletion> {
    const { holds, registry } = this.parts;
    const claims: (() => void)[] = [];
    const found = { superfluous: [] as ShardId[], busy: [] as ShardId[] };
    try {
      for (const [versionId, group] of Map.groupBy(ids, (id) => id.versionId)) {
        const release = holds.tryClaim(versionId);
        if (release === undefined) {
          found.busy.push(...group);
          continue;
        }
        claims.push(release);
        await this.sort(number, { versionId, ids: group }, found, signal);
      }
      const { superfluous, busy } = found;
      if (superfluous.length > 0) await registry.call(number, (node) => node.delete(superfluous, signal));
      return { deleted: superfluous.length, busy };
    } finally {
      for (const release of claims) release();
    }
  }

  /**
   * Whether a shard may be needed. The order of the questions matters: an upload lets go of its version only after the commit, so a version
   * that is not held and *then* not committed never will be.
   */
  async isNeeded(number: number, shard: ShardId, layout: LayoutReader, signal: AbortSignal): Promise<boolean> {
    if (this.parts.holds.isHeld(shard.versionId)) return true;
    if (!(await this.parts.metadata.isCommitted(shard.versionId, signal))) return false;
    const view = await layout.page(Math.floor(shard.stripe / STRIPES_PER_PAGE), signal);
    const inPage = shard.stripe % STRIPES_PER_PAGE;
    // A layout that the index has lost says nothing: only one that names another node makes a shard superfluous.
    return view === undefined || inPage >= view.stripes || view.nodes(inPage)[shard.index] === number;
  }

  /** Sorts shards of one version, which is claimed. */
  private async sort(
    number: number,
    { versionId, ids }: { readonly versionId: VersionId; readonly ids: readonly ShardId[] },
    { superfluous, busy }: { readonly superfluous: ShardId[]; readonly busy: ShardId[] },
    signal: AbortSignal,
  ): Promise<void> {
    const { holds, metadata } = this.parts;
    const layout = new LayoutReader(metadata, versionId);
    for (const id of ids) {
      if (holds.isHeld(versionId)) busy.push(id);
      else if (!(await this.isNeeded(number, id, layout, signal))) superfluous.push(id);
    }
  }
}
