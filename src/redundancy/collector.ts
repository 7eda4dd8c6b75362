import type { VersionId } from '../common/ids.js';
import type { GarbageVersion, MetadataStore } from '../metadata/metadata-store.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import { NodeError, type ShardId } from '../nodes/storage-node.js';
import { LayoutReader } from './layout-reader.js';
import { type LayoutView, STRIPES_PER_PAGE } from './layout.js';
import type { VersionHolds } from './version-holds.js';
import type { Stray } from './write-ledger.js';

export interface CollectorParts {
  readonly registry: NodeRegistry;
  readonly metadata: MetadataStore;
  readonly holds: VersionHolds;
}

/** Shards deleted by one call to a node. */
const DELETE_BATCH = 1000;

/**
 * Deletes shards that no file needs: those of versions that the index calls garbage, on each node as soon as it can be reached; and those
 * that lie, or may lie, where the index knows nothing of them. It never touches a version that is being written or read.
 */
export class Collector {
  private strays: Stray[] = [];

  constructor(private readonly parts: CollectorParts) {}

  addStrays(strays: readonly Stray[]): void {
    for (const stray of strays) this.strays.push(stray);
  }

  /** Deletes all garbage that can be reached now. Returns the number of versions of which something is left. */
  async collect(signal: AbortSignal): Promise<number> {
    let left = 0;
    for await (const garbage of this.parts.metadata.garbage(signal)) if (!(await this.collectVersion(garbage, signal))) left += 1;
    return left;
  }

  /** Deletes the shards of one garbage version; false if something of it is left, on a node that is down or because it is being read. */
  async collectVersion(garbage: GarbageVersion, signal: AbortSignal): Promise<boolean> {
    if (this.parts.holds.isHeld(garbage.versionId)) return false;
    const done = await Promise.all(garbage.nodes.map(async (number) => this.collectFrom(number, garbage, signal)));
    return done.every(Boolean);
  }

  /**
   * Walks over the shards of every node that can be reached and deletes those that belong to nothing: neither to a version under way nor,
   * at this place, to a committed one. Returns how many those were.
   */
  async sweep(signal: AbortSignal): Promise<number> {
    let swept = await this.parts.metadata.sweepStaged((versionId) => this.parts.holds.isHeld(versionId), signal);
    for (const number of this.parts.registry.reachable()) {
      try {
        swept += await this.sweepNode(number, signal);
      } catch (error) {
        if (!(error instanceof NodeError)) throw error; // a node that fails now is swept the next time
      }
    }
    return swept;
  }

  private async sweepNode(number: number, signal: AbortSignal): Promise<number> {
    const node = this.parts.registry.node(number);
    let swept = 0;
    let batch: ShardId[] = [];
    const flush = async (): Promise<void> => {
      if (batch.length === 0) return;
      await this.parts.registry.call(number, () => node.delete(batch, signal));
      swept += batch.length;
      batch = [];
    };
    let layout: { readonly of: string; readonly reader: LayoutReader } | undefined;
    for await (const shard of node.list(signal)) {
      if (layout?.of !== shard.versionId)
        layout = { of: shard.versionId, reader: new LayoutReader(this.parts.metadata, shard.versionId) };
      if (await this.isNeeded(number, shard, layout.reader, signal)) continue;
      batch.push(shard);
      if (batch.length >= DELETE_BATCH) await flush();
    }
    await flush();
    return swept;
  }

  /**
   * Whether a shard may be needed. The order of the questions matters: an upload lets go of its version only after the commit, so a version
   * that is not held and *then* not committed never will be.
   */
  private async isNeeded(number: number, shard: ShardId, layout: LayoutReader, signal: AbortSignal): Promise<boolean> {
    if (this.parts.holds.isHeld(shard.versionId)) return true;
    if (!(await this.parts.metadata.isCommitted(shard.versionId, signal))) return false;
    const view = await layout.page(Math.floor(shard.stripe / STRIPES_PER_PAGE), signal);
    const inPage = shard.stripe % STRIPES_PER_PAGE;
    // A layout that the index has lost says nothing: only one that names another node makes a shard superfluous.
    return view === undefined || inPage >= view.stripes || view.nodes(inPage)[shard.index] === number;
  }

  /** Deletes what failed nodes may hold without need, as far as they can be reached. */
  async deleteStrays(signal: AbortSignal): Promise<void> {
    const strays = this.strays;
    this.strays = [];
    for (const stray of strays) {
      const { node, shard } = stray;
      const isHeld = this.parts.holds.isHeld(shard.versionId);
      if (!isHeld && (await this.isNeeded(node, shard, new LayoutReader(this.parts.metadata, shard.versionId), signal))) continue;
      if (isHeld || !(await this.deleteFrom(node, [shard], signal))) this.addStrays([stray]);
    }
  }

  private async collectFrom(number: number, garbage: GarbageVersion, signal: AbortSignal): Promise<boolean> {
    const isKnown = this.parts.registry.has(number);
    if (isKnown && !this.parts.registry.reachable().includes(number)) return false;
    const layout = new LayoutReader(this.parts.metadata, garbage.versionId);
    for (let page = 0; isKnown && page < garbage.pages; page += 1) {
      const view = await layout.page(page, signal);
      const ids = view === undefined ? [] : shardsOn(number, view, { versionId: garbage.versionId, page });
      if (!(await this.deleteFrom(number, ids, signal))) return false;
    }
    await this.parts.metadata.clearGarbage(garbage.versionId, number, signal);
    return true;
  }

  /** False if the node could not be reached: then it is tried again later. */
  private async deleteFrom(number: number, ids: readonly ShardId[], signal: AbortSignal): Promise<boolean> {
    if (ids.length === 0) return true;
    if (!this.parts.registry.reachable().includes(number)) return false;
    try {
      for (let at = 0; at < ids.length; at += DELETE_BATCH) {
        await this.parts.registry.call(number, (node) => node.delete(ids.slice(at, at + DELETE_BATCH), signal));
      }
      return true;
    } catch (error) {
      if (error instanceof NodeError) return false;
      throw error;
    }
  }
}

/** The shards of one page of a layout that lie on a node: one of each stripe at the most. */
function shardsOn(
  number: number,
  view: LayoutView,
  { versionId, page }: { readonly versionId: VersionId; readonly page: number },
): ShardId[] {
  const ids: ShardId[] = [];
  for (let stripe = 0; stripe < view.stripes; stripe += 1) {
    const index = view.nodes(stripe).indexOf(number);
    if (index >= 0) ids.push({ versionId, stripe: page * STRIPES_PER_PAGE + stripe, index });
  }
  return ids;
}
