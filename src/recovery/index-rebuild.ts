import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import type { ImportedRecord, MetadataStore } from '../metadata/metadata-store.js';
import { NodeError, type NodeRecord, type RecordHead, type RecordKey, type StorageNode } from '../nodes/storage-node.js';
import { RecordSealer } from '../records/record-sealer.js';
import { layoutPages } from '../redundancy/layout.js';
import { DoubtfulRecords, isYoung } from './doubtful-records.js';

/** What a rebuild works with. */
export interface RebuildParts {
  /** The index to fill; nobody else uses it. */
  readonly index: MetadataStore;
  readonly sealer: RecordSealer;
  readonly progress: (progress: NodeProgress) => void;
  /** Shards of which the index notes that they may be missing, at the most. */
  readonly damageMax: number;
}

export interface NodeProgress {
  readonly node: number;
  /** Records read of it so far. */
  readonly records: number;
}

/** What one node had to say. */
export interface NodeHarvest extends NodeProgress {
  /** Records whose bytes are not as they were put, or that do not open: another node has them. */
  readonly damaged: number;
  /** Records sealed by a key that the key ring does not hold any more: left over from before it was retired. */
  readonly retired: number;
}

/** What is wrong with the index that came out. */
export interface RebuildFindings {
  readonly files: number;
  readonly tombstones: number;
  /** Files of whose layout a page was on none of the nodes; they cannot be read whole. */
  readonly incomplete: readonly FileId[];
}

const BATCH = 256;

/**
 * Fills an empty index from what nodes keep. The order of nodes and records does not matter, and reading one twice does no harm, so a rebuild
 * that was interrupted goes on with the nodes that it had not finished.
 */
export class IndexRebuild {
  private readonly doubtful = new DoubtfulRecords();

  /** What nodes hold and cannot be read there, by {@link nameOf}, with its highest revision; nobody deleted it. */
  private readonly unreadable = new Map<string, number>();

  constructor(private readonly parts: RebuildParts) {}

  /** Whether some node lists a record with this revision that could not be read there. */
  isUnreadable(key: RecordKey, revision: number): boolean {
    return this.unreadable.get(nameOf(key)) === revision;
  }

  /** Takes in all records of one node. @throws NodeError if the node fails in the middle */
  async harvest(node: StorageNode, signal: AbortSignal): Promise<NodeHarvest> {
    const counts = { records: 0, damaged: 0, retired: 0 };
    const { newestRevision } = await node.probe(signal);
    await this.parts.index.raiseRevision(newestRevision, signal); // it may be that of a record which was forgotten since
    for await (const batch of batchesOf(node.listRecords(signal))) {
      await this.take(await node.getRecords(batch, signal), { counts, node: node.number, heads: batch }, signal);
      counts.records += batch.length;
      this.parts.progress({ node: node.number, records: counts.records });
    }
    return { node: node.number, ...counts };
  }

  /** Looks once more which of the youngest records a node has that was read before an interruption: that is not kept. */
  async revisit(node: StorageNode, newestRevision: number, signal: AbortSignal): Promise<void> {
    const counts = { damaged: 0, retired: 0 };
    for await (const batch of batchesOf(youngOf(node.listRecords(signal), newestRevision)))
      await this.take(await node.getRecords(batch, signal), { counts, node: node.number, heads: batch }, signal);
  }

  /** When all nodes were read: drops the pages of versions that were replaced, and looks whether those of the others are all there. */
  async finish(signal: AbortSignal): Promise<RebuildFindings> {
    const { index } = this.parts;
    await index.sweepStaged(() => false, signal);
    // The clock is ahead of all that nodes may hold which were not read. What came out has the highest revisions, so all is settled, but for
    // deletions that not all of their nodes have: the next start sees to them.
    await index.nextRevision(signal);
    const thin = await this.doubtful.lowestThinTombstone(index, signal);
    await index.noteSettled(thin === undefined ? await index.revisionCeiling(signal) : thin - 1, signal);
    await index.noteDamage(await this.doubtful.damage(index, signal), this.parts.damageMax, signal);
    const incomplete: FileId[] = [];
    let files = 0;
    for await (const { file, manifest } of index.files(signal)) {
      files += 1;
      for (let page = 0; page < layoutPages(manifest); page += 1) {
        if ((await index.readLayout(file.versionId, page, signal)) !== undefined) continue;
        incomplete.push(file.id);
        break;
      }
    }
    let tombstones = 0;
    const walk = index.tombstones(signal)[Symbol.asyncIterator]();
    while ((await walk.next()).done !== true) tombstones += 1;
    return { files, tombstones, incomplete };
  }

  private async take(
    records: readonly (NodeRecord | NodeError)[],
    { counts, node, heads }: Answered,
    signal: AbortSignal,
  ): Promise<void> {
    const imports: ImportedRecord[] = [];
    for (const [at, record] of records.entries()) {
      const opened = record instanceof NodeError ? damagedAt(record, counts) : this.open(record, counts);
      if (opened === 'damaged') this.noteUnreadable(heads[at]);
      if (opened === undefined || opened === 'damaged') continue;
      imports.push(opened);
      if (opened.kind === 'file') this.doubtful.saw(node, opened.file.id, opened.file.revision);
      else if (opened.kind === 'tombstone') this.doubtful.saw(node, opened.tombstone.fileId, opened.tombstone.revision);
    }
    await this.parts.index.importRecords(imports, signal);
  }

  private noteUnreadable(head: RecordHead | undefined): void {
    if (head === undefined || this.unreadable.size >= this.parts.damageMax) return;
    this.unreadable.set(nameOf(head), Math.max(head.revision, this.unreadable.get(nameOf(head)) ?? 0));
  }

  private open(record: NodeRecord, counts: Counts): ImportedRecord | 'damaged' | undefined {
    try {
      return this.parts.sealer.open(record);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.code === 'key-missing' && this.parts.sealer.isFromLater(record))
        throw new DomainError('key-missing', 'the key ring is older than what the nodes hold: put a newer copy in its place', {
          cause: error,
        });
      if (error.code !== 'key-missing') {
        counts.damaged += 1;
        return 'damaged';
      }
      counts.retired += 1;
      return undefined;
    }
  }
}

interface Counts {
  damaged: number;
  retired: number;
}

/** What a node was asked, and what it had to say so far. */
interface Answered {
  readonly counts: Counts;
  readonly node: number;
  readonly heads: readonly RecordHead[];
}

/** @throws NodeError if the node failed, and not the one record */
function damagedAt(error: NodeError, counts: Counts): 'damaged' | undefined {
  if (error.kind === 'not-found') return undefined;
  if (error.kind !== 'corrupt') throw error;
  counts.damaged += 1;
  return 'damaged';
}

function nameOf({ kind, id, page }: RecordKey): string {
  return `${kind} ${id} ${page}`;
}

async function* batchesOf(heads: AsyncIterable<RecordHead>): AsyncGenerator<readonly RecordHead[], void, undefined> {
  let batch: RecordHead[] = [];
  for await (const head of heads) {
    batch.push(head);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function* youngOf(heads: AsyncIterable<RecordHead>, newest: number): AsyncGenerator<RecordHead, void, undefined> {
  for await (const head of heads) if (isYoung(head.revision, newest)) yield head;
}
