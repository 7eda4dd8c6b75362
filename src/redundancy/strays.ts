import type { VersionId } from '../common/ids.js';
import type { ShardId } from '../nodes/storage-node.js';
import { type Stray, STRAYS_MAX } from './write-ledger.js';

/** More than the index of any shard, which is a byte. */
const INDICES = 256;

/** What may lie on one node: by version, stripes and indices as one number each. */
interface NodeStrays {
  readonly versions: Map<VersionId, Set<number>>;
  count: number;
}

/** Shards that may lie on nodes without belonging there, each remembered once. */
export class Strays {
  private readonly byNode = new Map<number, NodeStrays>();

  /** Nodes of which strays are remembered. */
  get nodes(): readonly number[] {
    return [...this.byNode.keys()];
  }

  add(strays: Iterable<Stray>): void {
    for (const { node, shard } of strays) {
      const kept = this.byNode.get(node) ?? { versions: new Map<VersionId, Set<number>>(), count: 0 };
      if (kept.count >= STRAYS_MAX) continue;
      this.byNode.set(node, kept);
      const shards = kept.versions.get(shard.versionId) ?? new Set<number>();
      kept.versions.set(shard.versionId, shards);
      const before = shards.size;
      shards.add(shard.stripe * INDICES + shard.index);
      kept.count += shards.size - before;
    }
  }

  /** All strays of a node, version by version, which are forgotten with that. */
  take(node: number): readonly ShardId[] {
    const versions = this.byNode.get(node)?.versions ?? new Map<VersionId, Set<number>>();
    this.byNode.delete(node);
    return [...versions].flatMap(([versionId, shards]) =>
      Array.from(shards, (one) => ({ versionId, stripe: Math.floor(one / INDICES), index: one % INDICES })),
    );
  }
}
