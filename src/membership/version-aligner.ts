import { errorCode } from '../common/errors.js';
import type { Manifest, MetadataStore, StoredFile, Tombstone } from '../metadata/metadata-store.js';
import { NodeError, type RecordKey } from '../nodes/storage-node.js';
import { badShards } from '../redundancy/bad-shards.js';
import type { CollectorService } from '../redundancy/collector.service.js';
import { layoutPages, STRIPES_PER_PAGE } from '../redundancy/layout.js';
import type { MovePolicy, ShardPlace } from '../redundancy/repair/move-plan.js';
import type { VersionMover } from '../redundancy/repair/version-mover.js';
import { type Amiss, amissOf, isNarrow, isTombstoneAmiss, type Target } from './amiss.js';

/** By node, and by stripe: 1 where the node's shard of the stripe is lost. A stripe has one shard on a node at the most. */
type LostShards = ReadonlyMap<number, Uint8Array>;

/**
 * `well`: there was nothing to do. `misshapen`: all is done but the change of R, for which there are too few nodes. `stuck`: all is done that can
 * be, and the rest cannot, since the index has lost a page of the layout.
 */
export type Alignment = 'well' | 'done' | 'failed' | 'misshapen' | 'stuck';

interface Wanted {
  readonly lost: LostShards;
  /** Of the stripes afterwards; undefined: as before. */
  readonly m: number | undefined;
  /** Copies are dropped. */
  readonly isFewer: boolean;
}

interface Reach {
  readonly target: Target;
  readonly hasLostPage: boolean;
  /** Nothing of it can leave the nodes that it is on. */
  readonly isBound: boolean;
}

interface Brought {
  readonly canReshape: boolean;
  /** Shards, also those that lie where they lay. */
  readonly written: number;
}

/** Brings single files to where they are to lie. */
export class VersionAligner {
  constructor(
    private readonly mover: VersionMover,
    private readonly collector: CollectorService,
  ) {}

  /**
   * Does what can be done now: that there are too few nodes for another R keeps nothing from being restored, or from leaving.
   * @throws DomainError, NodeError where something of it failed
   */
  async align(stored: StoredFile, amiss: Amiss, target: Target, signal: AbortSignal): Promise<Alignment> {
    const { manifest } = stored;
    const hasLostPage = await this.hasLostPage(manifest, signal);
    // A page that is lost cannot be put on another node with the record, and what is moved could not be made known without that.
    const isBound = hasLostPage && manifest.recordNodes.some(target.isLeaving);
    const within = isBound ? { ...target, isLeaving: () => false } : target;
    try {
      const done = await this.bring(stored, amiss, { target: within, hasLostPage, isBound }, signal);
      if (done === undefined) return 'failed';
      const after = await this.metadata.findByVersion(manifest.versionId, signal);
      return outcomeOf({ before: stored, after }, amiss, { ...done, target, hasLostPage });
    } catch (error) {
      // More copies are more nodes for the record.
      if (hasLostPage && amiss.restores.length === 0 && errorCode(error) === 'data-damaged') return 'stuck';
      throw error;
    }
  }

  /** Undefined if there are shards that could not be brought now. */
  private async bring(
    stored: StoredFile,
    amiss: Amiss,
    { target, hasLostPage, isBound }: Reach,
    signal: AbortSignal,
  ): Promise<Brought | undefined> {
    const { manifest } = stored;
    const canReshape = !isBound && this.hasRoom(manifest, target);
    const isReshaped = amiss.isReshaped && canReshape;
    const isFewer = isReshaped && target.redundancy < manifest.m;
    const lost = await this.lost(manifest, { restores: amiss.restores, isFewer }, signal);
    const isLost = [...lost.values()].some((stripes) => stripes.includes(1));
    let written = 0;
    if (isReshaped || amiss.leaves || isLost) {
      const policy = this.policy(target, { lost, m: isReshaped ? target.redundancy : undefined, isFewer });
      const report = await this.mover.move(manifest.versionId, policy, signal);
      if (report.unplaced + report.unread > 0) return undefined;
      written = report.shards;
    }
    if (!hasLostPage) await this.restoreRecord(stored, amiss, signal);
    return { canReshape, written };
  }

  private async hasLostPage(manifest: Manifest, signal: AbortSignal): Promise<boolean> {
    for (let page = 0; page < layoutPages(manifest); page += 1)
      if ((await this.metadata.readLayout(manifest.versionId, page, signal)) === undefined) return true;
    return false;
  }

  private async restoreRecord(stored: StoredFile, { restores }: Amiss, signal: AbortSignal): Promise<void> {
    for (const node of restores)
      if (await this.hasLostRecord(node, stored, signal)) await this.collector.reconcileFile(stored.file.id);
  }

  /** Without as many nodes as it takes, copies would be made only to be taken back. */
  private hasRoom({ k }: Manifest, { redundancy }: Target): boolean {
    return this.collector.records.parts.registry.writable().length >= k + redundancy;
  }

  /** Puts a tombstone anew, if it is on nodes that leave or a copy of it was lost. */
  async alignTombstone(tombstone: Tombstone, target: Target, signal: AbortSignal): Promise<Alignment> {
    const { fileId, nodes } = tombstone;
    let isLost = isTombstoneAmiss(tombstone, target);
    for (const node of nodes.filter((one) => !target.isLeaving(one) && target.isRestoring(one)))
      isLost ||= await this.lacks(node, [{ kind: 'tombstone', id: fileId, page: 0 }], signal);
    if (!isLost) return 'well';
    await this.collector.reconcileFile(fileId);
    // Where the others cannot be reached it is put on nodes that leave all the same, and has to wait for them.
    const after = await this.metadata.findTombstone(fileId, signal);
    return after !== undefined && isTombstoneAmiss(after, target) ? 'failed' : 'done';
  }

  private policy({ isLeaving }: Target, { lost, m, isFewer }: Wanted): MovePolicy {
    const { registry } = this.collector.records.parts;
    // Which copies are dropped depends on their indices alone, so all that stay have to be ones that are there.
    const decide = ({ node, stripe }: ShardPlace): 'keep' | 'move' | 'mend' => {
      if (isLeaving(node) || (isFewer && !registry.reachable().includes(node))) return 'move';
      return lost.get(node)?.[stripe] === 1 ? 'mend' : 'keep';
    };
    return { ...(m !== undefined && { m }), decide, mayKeepRecord: (node) => !isLeaving(node) };
  }

  private get metadata(): MetadataStore {
    return this.collector.metadata;
  }

  private async lostOn(node: number, manifest: Manifest, signal: AbortSignal): Promise<Uint8Array> {
    const lost = new Uint8Array(layoutPages(manifest) * STRIPES_PER_PAGE);
    const { registry } = this.collector.records.parts;
    for await (const { stripe } of badShards({ registry, metadata: this.metadata }, { node, manifest }, signal)) lost[stripe] = 1;
    return lost;
  }

  /** What has to be written anew: before copies are dropped also those that are known to be bad. */
  private async lost(
    manifest: Manifest,
    { restores, isFewer }: { readonly restores: readonly number[]; readonly isFewer: boolean },
    signal: AbortSignal,
  ): Promise<LostShards> {
    const lost = new Map<number, Uint8Array>();
    for (const node of restores) lost.set(node, await this.lostOn(node, manifest, signal));
    if (!isFewer) return lost;
    for (const { node, shard } of await this.metadata.damageOf(manifest.versionId, signal)) {
      const stripes = lost.get(node) ?? new Uint8Array(layoutPages(manifest) * STRIPES_PER_PAGE);
      lost.set(node, stripes);
      stripes[shard.stripe] = 1;
    }
    return lost;
  }

  private async hasLostRecord(number: number, { file, manifest }: StoredFile, signal: AbortSignal): Promise<boolean> {
    if (!manifest.recordNodes.includes(number)) return false;
    const keys = Array.from({ length: layoutPages(manifest) }, (_, page) => ({
      kind: page === 0 ? ('manifest' as const) : ('layout' as const),
      id: file.versionId,
      page,
    }));
    return this.lacks(number, keys, signal);
  }

  private async lacks(number: number, keys: readonly RecordKey[], signal: AbortSignal): Promise<boolean> {
    const found = await this.collector.records.parts.registry.call(number, (node) => node.getRecords(keys, signal));
    return found.some((record) => record instanceof NodeError);
  }
}

function outcomeOf(
  { before, after }: { readonly before: StoredFile; readonly after: StoredFile | undefined },
  { isReshaped, leaves }: Amiss,
  { target, hasLostPage, canReshape, written }: Brought & Pick<Reach, 'target' | 'hasLostPage'>,
): Alignment {
  // The version is gone, and what came in its place is looked at by the next walk.
  if (after === undefined) return 'done';
  if (leaves && amissOf(after.manifest, target)?.leaves === true) return hasLostPage ? 'stuck' : 'failed';
  if (isReshaped && (!canReshape || isNarrow(after.manifest))) return hasLostPage ? 'stuck' : 'misshapen';
  // All that changes where something lies gives the file a new revision, but not a shard that is written anew where it was.
  return written > 0 || after.file.revision !== before.file.revision ? 'done' : 'well';
}
