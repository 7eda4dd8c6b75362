import type { FileId } from '../../common/ids.js';
import type { MetadataStore } from '../../metadata/metadata-store.js';
import type { NodeRegistry } from '../../nodes/node-registry.js';
import type { AwayNodes } from './away-nodes.js';
import type { MovePolicy, ShardPlace } from './move-plan.js';
import type { RepairItem } from './repair-queue.js';
import type { MoveReport, VersionMover } from './version-mover.js';

export interface VersionRepairParts {
  readonly registry: NodeRegistry;
  readonly metadata: MetadataStore;
  readonly mover: VersionMover;
  readonly away: AwayNodes;
  /** Puts the record of a file on its nodes anew. */
  readonly reconcile: (fileId: FileId) => Promise<void>;
}

/** What came of it; `isDone`: nothing is left to do. */
export interface RepairReport extends Pick<MoveReport, 'shards' | 'bytes' | 'unplaced' | 'unread'> {
  readonly isDone: boolean;
}

const NOTHING: RepairReport = { shards: 0, bytes: 0, unplaced: 1, unread: 0, isDone: false };

/** Restores one version: what lay on lost nodes goes to others, and what is damaged is written anew where it lies. */
export class VersionRepair {
  constructor(private readonly parts: VersionRepairParts) {}

  async repair({ versionId, damage, copies, moves }: RepairItem, signal: AbortSignal): Promise<RepairReport> {
    const { registry, metadata, mover } = this.parts;
    // Without nodes for the records a move could not be committed, so nothing is copied for it.
    if (moves && registry.reachable().length < copies) return NOTHING;
    const bad = new Set(damage.map(keyOf));
    let waiting = 0;
    const report = await mover.move(
      versionId,
      this.policy(bad, () => (waiting += 1)),
      signal,
    );
    const isDone = report.unplaced + report.unread + waiting === 0;
    if (!isDone || damage.length === 0) return { ...report, isDone };
    // A small body is in one entry with the record: what has taken the one may have taken the other.
    if (report.fileId !== undefined) await this.parts.reconcile(report.fileId);
    await metadata.clearDamage(damage, signal);
    return { ...report, isDone };
  }

  /** @param onWaiting told of each bad shard that has to stay for now: its node cannot be written to, and does not count as lost yet */
  private policy(bad: ReadonlySet<string>, onWaiting: () => void): MovePolicy {
    const { registry, away } = this.parts;
    return {
      decide: (place, row) => {
        if (away.isAway(place.node)) return 'move';
        if (!bad.has(keyOf({ node: place.node, shard: place }))) return 'keep';
        const writable = registry.writable();
        if (writable.includes(place.node)) return 'mend';
        if (registry.reachable().includes(place.node))
          // A node that is full may refuse it, and one that is to be emptied has no use for it.
          return writable.some((node) => !row.includes(node)) ? 'move' : 'mend';
        onWaiting();
        return 'keep';
      },
      mayKeepRecord: (node) => !away.isAway(node),
    };
  }
}

function keyOf({ node, shard }: { readonly node: number; readonly shard: Pick<ShardPlace, 'stripe' | 'index'> }): string {
  return `${node}/${shard.stripe}/${shard.index}`;
}
