import { DomainError } from '../common/errors.js';
import type { FileId, VersionId } from '../common/ids.js';
import type { MetadataStore, StoredFile } from '../metadata/metadata-store.js';
import { NodeError, type RecordKey, type ShardId, type StorageNode } from '../nodes/storage-node.js';
import { RecordSealer } from '../records/record-sealer.js';
import { LayoutReader } from '../redundancy/layout-reader.js';
import { STRIPES_PER_PAGE, layoutPages } from '../redundancy/layout.js';

export interface VerifyParts {
  readonly index: MetadataStore;
  /** The nodes that can be read; all others count as lost. */
  readonly nodes: ReadonlyMap<number, StorageNode>;
  readonly sealer: RecordSealer;
  readonly onProblem: (problem: Problem) => void;
  readonly progress: (files: number) => void;
}

/** One thing that is not as it should be. */
export interface Problem {
  /** `lost`: a part of the file can be read from no node. The others still have a good copy elsewhere. */
  readonly kind: 'lost' | 'shard' | 'record' | 'layout' | 'tombstone';
  readonly fileId: FileId;
  readonly node?: number;
  readonly stripe?: number;
  readonly reason: string;
}

/** What a walk over everything found. */
export interface VerifyReport {
  readonly files: number;
  readonly shards: number;
  readonly records: number;
  readonly problems: number;
  readonly lostFiles: number;
  /** What lies on nodes and belongs to no file; the server deletes it by itself. */
  readonly orphans: number;
}

/** Bytes of shards that are asked for at once. */
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_STRIPES_MAX = 1024;

/** Reads every shard and every record that the index knows of, from every node, and changes nothing. */
export class StoreVerifier {
  private readonly report = { files: 0, shards: 0, records: 0, problems: 0, lostFiles: 0, orphans: 0 };

  constructor(private readonly parts: VerifyParts) {}

  async run(signal: AbortSignal): Promise<VerifyReport> {
    for await (const stored of this.parts.index.files(signal)) {
      const lost = await this.verifyFile(stored, signal);
      this.report.files += 1;
      if (lost > 0) this.report.lostFiles += 1;
      this.parts.progress(this.report.files);
    }
    await this.verifyTombstones(signal);
    for (const node of this.parts.nodes.values()) await this.countOrphans(node, signal);
    return this.report;
  }

  /** Returns how many of its stripes cannot be read. */
  private async verifyFile(stored: StoredFile, signal: AbortSignal): Promise<number> {
    const { file, manifest } = stored;
    await this.verifyRecords(stored, signal);
    const layout = new LayoutReader(this.parts.index, manifest.versionId);
    const stripes = Math.ceil(manifest.sealedSize / manifest.sliceBytes / manifest.k);
    const perBatch = Math.max(1, Math.min(BATCH_STRIPES_MAX, Math.floor(BATCH_BYTES / (manifest.sliceBytes * manifest.k))));
    let lost = 0;
    for (let first = 0; first < stripes; first += perBatch) {
      const rows = new Map<number, readonly number[]>();
      try {
        for (let stripe = first; stripe < Math.min(stripes, first + perBatch); stripe += 1)
          rows.set(stripe, await layout.nodes(stripe, signal));
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        this.problem({ kind: 'lost', fileId: file.id, stripe: first, reason: 'the index has lost its layout' });
        return lost + 1;
      }
      lost += await this.verifyStripes(stored, rows, signal);
    }
    return lost;
  }

  private async verifyStripes(
    { file, manifest }: StoredFile,
    rows: ReadonlyMap<number, readonly number[]>,
    signal: AbortSignal,
  ): Promise<number> {
    const { versionId, k, sealedSize, sliceBytes } = manifest;
    const good = new Map<number, number>();
    const asks = [...rows].flatMap(([stripe, nodes]) => nodes.map((node, index) => ({ node, id: { versionId, stripe, index } })));
    for (const [number, group] of Map.groupBy(asks, ({ node }) => node)) {
      const ids = group.map(({ id }) => id);
      const answers = await this.ask(number, (node) => node.get(ids, signal));
      for (const [at, id] of ids.entries()) {
        const answer = answers[at] ?? answers[0];
        const slice = id.stripe * k + (id.index < k ? id.index : 0);
        const expected = Math.max(0, Math.min(sliceBytes, sealedSize - slice * sliceBytes));
        this.report.shards += 1;
        if (answer instanceof Uint8Array && answer.length === expected) good.set(id.stripe, (good.get(id.stripe) ?? 0) + 1);
        else {
          const reason = answer instanceof NodeError ? answer.message : 'it has another length than it was written with';
          this.problem({ kind: 'shard', fileId: file.id, node: number, stripe: id.stripe, reason });
        }
      }
    }
    const lost = [...rows.keys()].filter((stripe) => (good.get(stripe) ?? 0) < k);
    for (const stripe of lost) this.problem({ kind: 'lost', fileId: file.id, stripe, reason: 'too few intact shards are left' });
    return lost.length;
  }

  private async verifyRecords(stored: StoredFile, signal: AbortSignal): Promise<void> {
    const { file, manifest } = stored;
    for (let page = 0; page < layoutPages(manifest); page += 1) {
      // The last page stands in the manifest, which is page 0 on the nodes; the others follow from 1.
      const kind = page === 0 ? 'manifest' : 'layout';
      const key = { kind, id: manifest.versionId, page } as const;
      for (const node of manifest.recordNodes) {
        const reason = await this.recordProblem(node, key, kind === 'manifest' ? file.revision : undefined, signal);
        if (reason !== undefined) this.problem({ kind: page === 0 ? 'record' : 'layout', fileId: file.id, node, reason });
      }
    }
  }

  private async verifyTombstones(signal: AbortSignal): Promise<void> {
    for await (const { fileId, revision, nodes } of this.parts.index.tombstones(signal)) {
      for (const node of nodes) {
        const reason = await this.recordProblem(node, { kind: 'tombstone', id: fileId, page: 0 }, revision, signal);
        if (reason !== undefined) this.problem({ kind: 'tombstone', fileId, node, reason });
      }
    }
  }

  /** What is wrong with a record, in words. */
  private async recordProblem(
    number: number,
    key: RecordKey,
    revision: number | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    this.report.records += 1;
    const [record] = await this.ask(number, (node) => node.getRecords([key], signal));
    if (record === undefined || record instanceof NodeError) return record?.message ?? 'the node gave no answer';
    if (revision !== undefined && record.revision !== revision)
      return `it has revision ${record.revision}, not ${revision}: the node slept through a change`;
    try {
      this.parts.sealer.open(record);
      return undefined;
    } catch (error) {
      if (error instanceof DomainError) return error.message;
      throw error;
    }
  }

  /** The answers of a node, or the one error of all of them. */
  private async ask<Answer>(
    number: number,
    call: (node: StorageNode) => Promise<readonly (Answer | NodeError)[]>,
  ): Promise<readonly (Answer | NodeError)[]> {
    const node = this.parts.nodes.get(number);
    if (node === undefined) return [new NodeError('unavailable', 'the node cannot be read')];
    try {
      return await call(node);
    } catch (error) {
      if (error instanceof NodeError) return [error];
      throw error;
    }
  }

  private async countOrphans(node: StorageNode, signal: AbortSignal): Promise<void> {
    for await (const shard of node.list(signal)) if (!(await this.isPlaced(node.number, shard, signal))) this.report.orphans += 1;
    for await (const { kind, id } of node.listRecords(signal)) {
      const isKnown =
        kind === 'tombstone'
          ? (await this.parts.index.findTombstone(id as FileId, signal)) !== undefined
          : await this.parts.index.isCommitted(id as VersionId, signal);
      if (!isKnown) this.report.orphans += 1;
    }
  }

  private layout: { readonly of: VersionId; readonly reader: LayoutReader } | undefined;

  private async isPlaced(number: number, { versionId, stripe, index }: ShardId, signal: AbortSignal): Promise<boolean> {
    if (!(await this.parts.index.isCommitted(versionId, signal))) return false;
    if (this.layout?.of !== versionId) this.layout = { of: versionId, reader: new LayoutReader(this.parts.index, versionId) };
    const view = await this.layout.reader.page(Math.floor(stripe / STRIPES_PER_PAGE), signal);
    const inPage = stripe % STRIPES_PER_PAGE;
    return view !== undefined && inPage < view.stripes && view.nodes(inPage)[index] === number;
  }

  private problem(problem: Problem): void {
    this.report.problems += 1;
    this.parts.onProblem(problem);
  }
}
