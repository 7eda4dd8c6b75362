import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VersionId } from '../common/ids.js';
import type { GarbageVersion } from '../metadata/metadata-store.js';
import { NodeError, type RecordHead, type ShardId, type StorageNode } from '../nodes/storage-node.js';
import type { CollectorParts } from './collector-parts.js';
import { isYoung } from './is-young.js';
import { LayoutReader } from './layout-reader.js';
import { shardsOn } from './layout.js';
import { RecordSweep } from './record-sweep.js';
import { Strays } from './strays.js';
import { SuperfluousShards } from './superfluous-shards.js';
import type { Stray } from './write-ledger.js';

/** Shards deleted by one call to a node. */
const DELETE_BATCH = 1000;

/**
 * Deletes shards and records that no file needs: those of versions that the index calls garbage, on each node as soon as it can be reached; and those
 * that lie, or may lie, where the index knows nothing of them. It never touches a version that is being written or read.
 */
export class Collector {
  private readonly strays = new Strays();
  private readonly recordSweep: RecordSweep;
  private readonly superfluous: SuperfluousShards;

  constructor(private readonly parts: CollectorParts) {
    this.recordSweep = new RecordSweep(parts);
    this.superfluous = new SuperfluousShards(parts);
  }

  addStrays(strays: readonly Stray[]): void {
    this.strays.add(strays);
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
   * Walks over every node that can be reached and deletes what belongs to nothing: neither to a version under way, nor to one so young
   * that it may be, nor, at this place, to a committed one. Returns how many shards and records those were.
   */
  async sweep(signal: AbortSignal): Promise<number> {
    const { registry, metadata, holds } = this.parts;
    let swept = await metadata.sweepStaged((versionId) => holds.isHeld(versionId), signal);
    const unsettled = new Set<VersionId>();
    const clean = new Set<number>();
    for (const number of registry.reachable()) {
      const records = await this.onNode(() => this.sweepRecords(number, unsettled, signal));
      if (records === undefined) continue;
      clean.add(number);
      swept += records;
    }
    await this.recordSweep.dropTombstones(signal);
    // While any node may still have the record of a version, and nothing newer, a rebuilt index would want its shards.
    const mayDrop = registry.isComplete && registry.nodes.every(({ number }) => clean.has(number));
    const isOrphan = (versionId: VersionId): boolean =>
      mayDrop && !unsettled.has(versionId) && !isYoung(versionId, this.parts.graceMs);
    for (const number of clean) swept += (await this.onNode(() => this.sweepShards(number, isOrphan, signal))) ?? 0;
    return swept;
  }

  /**
   * Deletes from a node that is to be emptied what no file needs, however young: uploads do not go there any more, and what is left of them is
   * taken back. Returns how many shards and records are still on it. @throws NodeError
   */
  async clear(number: number, signal: AbortSignal): Promise<number> {
    const node = this.parts.registry.node(number);
    if (await this.isAhead(number, signal)) return Infinity;
    await this.recordSweep.sweepNode(number, new Set(), signal, { graceMs: 0, isLeaving: true });
    await this.sweepShards(number, () => true, signal);
    return (await count(node.list(signal))) + (await count(node.listRecords(signal)));
  }

  /**
   * Looks, at a start, at what nodes keep that is newer than the last revision at which all was settled: a change that a crash cut short must
   * be taken back before anybody sees that it did not happen. Returns how many those were.
   */
  async settle(signal: AbortSignal): Promise<number> {
    const after = await this.parts.metadata.settledThrough(signal);
    let settled = 0;
    for (const number of this.parts.registry.reachable())
      settled += (await this.onNode(() => this.recordSweep.settleNode(number, after, signal))) ?? 0;
    return settled;
  }

  /** What is done on one node; undefined if the node fails: then it is done the next time. */
  private async onNode<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof NodeError) return undefined;
      throw error;
    }
  }

  private async sweepRecords(number: number, unsettled: Set<VersionId>, signal: AbortSignal): Promise<number | undefined> {
    return (await this.isAhead(number, signal)) ? undefined : this.recordSweep.sweepNode(number, unsettled, signal);
  }

  /** An index that is older than the node would take files for orphans: then nothing is touched, as if the node were not there. */
  private async isAhead(number: number, signal: AbortSignal): Promise<boolean> {
    const { newestRevision } = await this.parts.registry.call(number, (node) => node.probe(signal));
    if (newestRevision <= (await this.parts.metadata.revisionCeiling(signal))) return false;
    this.parts.onAhead(number, newestRevision);
    return true;
  }

  private async sweepShards(number: number, isOrphan: (versionId: VersionId) => boolean, signal: AbortSignal): Promise<number> {
    const node = this.parts.registry.node(number);
    let swept = 0;
    let batch: ShardId[] = [];
    const flush = async (): Promise<void> => {
      const ids = batch;
      batch = [];
      swept += (await this.superfluous.delete(number, ids, signal)).deleted;
    };
    let version: { readonly id: VersionId; readonly mayGo: boolean; readonly layout: LayoutReader } | undefined;
    for await (const shard of node.list(signal)) {
      const { versionId: id } = shard;
      if (version?.id !== id) {
        const mayGo = isOrphan(id) || (await this.parts.metadata.isCommitted(id, signal));
        version = { id, mayGo, layout: new LayoutReader(this.parts.metadata, id) };
      }
      if (!version.mayGo || (await this.superfluous.isNeeded(number, shard, version.layout, signal))) continue;
      batch.push(shard);
      if (batch.length >= DELETE_BATCH) await flush();
    }
    await flush();
    return swept;
  }

  /** Deletes what failed nodes may hold without need, as far as they can be reached. */
  async deleteStrays(signal: AbortSignal): Promise<void> {
    const { registry } = this.parts;
    for (const number of this.strays.nodes) {
      if (!registry.has(number)) this.strays.take(number);
      else if (registry.reachable().includes(number)) await this.onNode(() => this.deleteStraysOn(number, signal));
    }
  }

  /** From the first call that fails on they are tried again the next time. @throws NodeError */
  private async deleteStraysOn(number: number, signal: AbortSignal): Promise<void> {
    const ids = this.strays.take(number);
    const keep = (some: readonly ShardId[]): void => this.strays.add(some.map((shard) => ({ node: number, shard })));
    let at = 0;
    try {
      for (; at < ids.length; at += DELETE_BATCH) {
        keep((await this.superfluous.delete(number, ids.slice(at, at + DELETE_BATCH), signal)).busy);
        await nextTurn(); // an index that answers at once gives nobody a turn
      }
    } finally {
      keep(ids.slice(at));
    }
  }

  private async collectFrom(number: number, garbage: GarbageVersion, signal: AbortSignal): Promise<boolean> {
    const isKnown = this.parts.registry.has(number);
    if (isKnown && !this.parts.registry.reachable().includes(number)) return false;
    if (isKnown && !(await this.forgetOn(number, recordsOf(garbage), signal))) return false;
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
    return this.inBatches(number, ids, (node, batch) => node.delete(batch, signal));
  }

  private async forgetOn(number: number, heads: readonly RecordHead[], signal: AbortSignal): Promise<boolean> {
    return this.inBatches(number, heads, (node, batch) => node.forget(batch, signal));
  }

  private async inBatches<Item>(
    number: number,
    items: readonly Item[],
    call: (node: StorageNode, batch: readonly Item[]) => Promise<void>,
  ): Promise<boolean> {
    if (items.length === 0) return true;
    if (!this.parts.registry.reachable().includes(number)) return false;
    try {
      for (let at = 0; at < items.length; at += DELETE_BATCH)
        await this.parts.registry.call(number, (node) => call(node, items.slice(at, at + DELETE_BATCH)));
      return true;
    } catch (error) {
      if (error instanceof NodeError) return false;
      throw error;
    }
  }
}

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let found = 0;
  for await (const item of items) found += Number(item !== undefined);
  return found;
}

/** All records of a garbage version, whatever their revision. */
function recordsOf({ versionId: id, pages }: GarbageVersion): readonly RecordHead[] {
  const revision = Number.MAX_SAFE_INTEGER;
  const layout = Array.from({ length: pages - 1 }, (_, at) => ({ kind: 'layout' as const, id, page: at + 1, revision }));
  return [{ kind: 'manifest', id, page: 0, revision }, ...layout];
}
