import { isDeepStrictEqual } from 'node:util';
import type { BackupHead } from '../backup/backup-entry.js';
import { readClusterMap, type ClusterMap } from '../config/cluster-map.js';
import type { Damage, ImportedRecord, MetadataStore, SnapshotEntry } from '../metadata/metadata-store.js';
import { LayoutReader } from '../redundancy/layout-reader.js';
import { STRIPES_PER_PAGE } from '../redundancy/layout.js';
import type { IndexRebuild } from './index-rebuild.js';

export interface FillParts {
  readonly rebuild: IndexRebuild;
  readonly index: MetadataStore;
  /** As it is now. */
  readonly map: ClusterMap;
  readonly damageMax: number;
}

/** What a backup had that the nodes did not give. */
export interface FillCounts {
  /** Records that nodes hold and that could be read on none of those that were read. */
  records: number;
  /** Shards that are known to be damaged. */
  damage: number;
  /** Nodes of which it is known when they were last proven. */
  proven: number;
}

/**
 * Fills the gaps of an index that was made of the nodes from a backup: records that nodes list and cannot give, and what the index alone knew.
 * A file of which no node lists the record of the backup is left out: it was deleted or changed since, and the nodes know better.
 */
export class GapFiller {
  private readonly counts: FillCounts = { records: 0, damage: 0, proven: 0 };
  private before: ClusterMap | undefined;
  private layout: LayoutReader | undefined;
  private layoutOf: string | undefined;

  constructor(private readonly parts: FillParts) {}

  async fill(entries: AsyncIterable<BackupHead | SnapshotEntry>, signal: AbortSignal): Promise<FillCounts> {
    for await (const entry of entries) await this.take(entry, signal);
    return this.counts;
  }

  private async take(entry: BackupHead | SnapshotEntry, signal: AbortSignal): Promise<void> {
    const { index } = this.parts;
    switch (entry.kind) {
      case 'head':
        this.before = readClusterMap(JSON.parse(entry.cluster));
        return;
      case 'damage':
        return this.takeDamage(entry.damage, signal);
      case 'proven':
        if (!this.isSameNode(entry.node)) return;
        await index.noteProven(entry.node, entry.at, signal);
        this.counts.proven += 1;
        return;
      case 'scrub':
        if (this.areSameNodes()) await index.noteScrub(entry.note, signal);
        return;
      default:
        if (!this.isGap(entry)) return;
        await this.takeRecord(entry, signal);
    }
  }

  /** One that another node gave changes nothing. */
  private async takeRecord(entry: ImportedRecord, signal: AbortSignal): Promise<void> {
    const before = await this.known(entry, signal);
    await this.parts.index.importRecords([entry], signal);
    if (!isDeepStrictEqual(await this.known(entry, signal), before)) this.counts.records += 1;
  }

  /** What the index has of the same thing. */
  private async known(entry: ImportedRecord, signal: AbortSignal): Promise<unknown> {
    const { index } = this.parts;
    if (entry.kind === 'layout') return index.readLayout(entry.versionId, entry.page.page, signal);
    const id = entry.kind === 'file' ? entry.file.id : entry.tombstone.fileId;
    return (await index.find(id, signal)) ?? index.findTombstone(id, signal);
  }

  private isGap(entry: ImportedRecord): boolean {
    const { rebuild } = this.parts;
    switch (entry.kind) {
      case 'file':
        return rebuild.isUnreadable({ kind: 'manifest', id: entry.manifest.versionId, page: 0 }, entry.file.revision);
      case 'layout':
        return rebuild.isUnreadable({ kind: 'layout', id: entry.versionId, page: entry.page.page + 1 }, entry.revision);
      case 'tombstone':
        return rebuild.isUnreadable({ kind: 'tombstone', id: entry.tombstone.fileId, page: 0 }, entry.tombstone.revision);
    }
  }

  /** Damage of a shard that lies elsewhere by now, or of no file any more, is none. */
  private async takeDamage(damage: Damage, signal: AbortSignal): Promise<void> {
    const { node, shard } = damage;
    if (!(await this.parts.index.isCommitted(shard.versionId, signal))) return;
    if (this.layoutOf !== shard.versionId) {
      this.layout = new LayoutReader(this.parts.index, shard.versionId);
      this.layoutOf = shard.versionId;
    }
    const view = await this.layout?.page(Math.floor(shard.stripe / STRIPES_PER_PAGE), signal);
    const inPage = shard.stripe % STRIPES_PER_PAGE;
    if (view === undefined || inPage >= view.stripes || view.nodes(inPage)[shard.index] !== node) return;
    await this.parts.index.noteDamage([damage], this.parts.damageMax, signal);
    this.counts.damage += 1;
  }

  /** A scrub goes on behind what it has proven on the nodes of then: another disk would count as proven in part and was never read. */
  private areSameNodes(): boolean {
    const { nodes } = this.parts.map;
    return (
      nodes.length === this.before?.nodes.length && nodes.every(({ state }, at) => state === 'removed' || this.isSameNode(at + 1))
    );
  }

  /** Whether the node has the disk that it had then. */
  private isSameNode(number: number): boolean {
    const [then, now] = [this.before?.nodes[number - 1], this.parts.map.nodes[number - 1]];
    return now !== undefined && then?.nodeId === now.nodeId && now.state !== 'removed';
  }
}
