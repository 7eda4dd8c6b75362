import type { FileId } from '../../common/ids.js';
import type { Damage, MetadataStore } from '../../metadata/metadata-store.js';
import type { NodeRegistry } from '../../nodes/node-registry.js';
import { NodeError, type ShardId } from '../../nodes/storage-node.js';
import { LayoutReader } from '../layout-reader.js';
import { STRIPES_PER_PAGE } from '../layout.js';
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

/** Shards that a node is asked about with one call. */
const CHECK_BATCH = 256;
const NOTHING: RepairReport = { shards: 0, bytes: 0, unplaced: 1, unread: 0, isDone: false };

/** Restores one version: what lay on lost nodes goes to others, and what is damaged is written anew where it lies. */
export class VersionRepair {
  constructor(private readonly parts: VersionRepairParts) {}

  /** @param emptied nodes that are up and have lost what was on them */
  async repair(
    { versionId, damage, copies, moves }: RepairItem,
    emptied: ReadonlySet<number>,
    signal: AbortSignal,
  ): Promise<RepairReport> {
    const { registry, metadata, mover } = this.parts;
    // Without nodes for the records a move could not be committed, so nothing is copied for it.
    if (moves && registry.reachable().length < copies) return NOTHING;
    const bad = new Set(damage.map(keyOf));
    const stored = await metadata.findByVersion(versionId, signal);
    const missing = stored === undefined ? [] : await this.missing(stored.manifest, emptied, signal);
    for (const one of missing) bad.add(keyOf(one));
    let waiting = 0;
    const report = await mover.move(
      versionId,
      this.policy(bad, () => (waiting += 1)),
      signal,
    );
    const isDone = report.unplaced + report.unread + waiting === 0;
    if (!isDone) return { ...report, isDone };
    // A small body is in one entry with the record: what has taken the one may have taken the other.
    const isDoubtful = damage.length > 0 || stored?.manifest.recordNodes.some((node) => emptied.has(node)) === true;
    if (stored !== undefined && isDoubtful) await this.parts.reconcile(stored.file.id);
    if (damage.length > 0) await metadata.clearDamage(damage, signal);
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

  /** What nodes that were emptied lack of a version; what was restored before a crash is there. */
  private async missing(
    { versionId, usage }: { readonly versionId: ShardId['versionId']; readonly usage: readonly { readonly node: number }[] },
    emptied: ReadonlySet<number>,
    signal: AbortSignal,
  ): Promise<readonly Damage[]> {
    const missing: Damage[] = [];
    for (const { node } of usage)
      if (emptied.has(node)) missing.push(...(await missingOn(this.parts, { node, versionId }, signal)));
    return missing;
  }
}

/** Which shards of a version are not on a node as the layout says. @throws NodeError if the node as a whole cannot answer */
export async function missingOn(
  { registry, metadata }: Pick<VersionRepairParts, 'registry' | 'metadata'>,
  { node: number, versionId }: { readonly node: number; readonly versionId: ShardId['versionId'] },
  signal: AbortSignal,
  beforeCheck: (shards: number) => Promise<void> = () => Promise.resolve(),
): Promise<readonly Damage[]> {
  const bad: Damage[] = [];
  let batch: ShardId[] = [];
  const flush = async (): Promise<void> => {
    const ids = batch;
    batch = [];
    if (ids.length === 0) return;
    await beforeCheck(ids.length);
    const answers = await registry.call(number, (node) => node.check(ids, signal));
    for (const [at, shard] of ids.entries()) if (isBad(answers[at])) bad.push({ node: number, shard });
  };
  const layout = new LayoutReader(metadata, versionId);
  for (let page = 0; ; page += 1) {
    const view = await layout.page(page, signal);
    if (view === undefined) break;
    for (let inPage = 0; inPage < view.stripes; inPage += 1) {
      const index = view.nodes(inPage).indexOf(number);
      if (index >= 0) batch.push({ versionId, stripe: page * STRIPES_PER_PAGE + inPage, index });
      if (batch.length >= CHECK_BATCH) await flush();
    }
  }
  await flush();
  return bad;
}

function isBad(answer: NodeError | undefined): boolean {
  return answer?.kind === 'corrupt' || answer?.kind === 'not-found';
}

function keyOf({ node, shard }: { readonly node: number; readonly shard?: Pick<ShardPlace, 'stripe' | 'index'> }): string {
  return `${node}/${shard?.stripe}/${shard?.index}`;
}
