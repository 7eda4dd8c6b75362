import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Limits, LIMITS } from '../../src/config/limits.js';
import { newId, STORE_OWNER, type ClusterId, type FileId, type VersionId } from '../../src/common/ids.js';
import { LmdbMetadataStore } from '../../src/metadata/embedded/lmdb.metadata-store.js';
import { KeyRing } from '../../src/crypto/key-ring.js';
import { RecordCrypto } from '../../src/crypto/record-crypto.js';
import type { LayoutPage, Manifest, StoredFile, Tombstone } from '../../src/metadata/metadata-store.js';
import type { FileStatement } from '../../src/metadata/record-codec.js';
import { FileChanges } from '../../src/files/file-changes.js';
import { RecordSealer } from '../../src/records/record-sealer.js';
import { NodeRegistry } from '../../src/nodes/node-registry.js';
import { Placement } from '../../src/placement/placement.js';
import { Collector } from '../../src/redundancy/collector.js';
import { layoutRecords } from '../../src/redundancy/layout-reader.js';
import { layoutPages } from '../../src/redundancy/layout.js';
import { Hedging } from '../../src/redundancy/hedging.js';
import { NodeWriter } from '../../src/redundancy/node-writer.js';
import { type PlacedRecord, type PutRecord, RecordStore } from '../../src/redundancy/record-store.js';
import { AnyShapeCodec } from '../../src/redundancy/any-shape.stripe-codec.js';
import { ErasureCodec } from '../../src/redundancy/erasure/erasure.stripe-codec.js';
import { TableErasureKernel } from '../../src/redundancy/erasure/table.erasure-kernel.js';
import { type ChangeFile, MoveCommitter } from '../../src/redundancy/repair/move-committer.js';
import { ShardCopier } from '../../src/redundancy/repair/shard-copier.js';
import { VersionMover } from '../../src/redundancy/repair/version-mover.js';
import { StripeReader } from '../../src/redundancy/stripe-reader.js';
import { StripeStore } from '../../src/redundancy/stripe-store.js';
import { VersionHolds } from '../../src/redundancy/version-holds.js';
import { VersionWriter, type WrittenVersion } from '../../src/redundancy/version-writer.js';
import type { Stray } from '../../src/redundancy/write-ledger.js';
import { FaultyStorageNode } from './faulty.storage-node.js';
import { MemoryStorageNode } from './memory.storage-node.js';
import { MEMORY_DISK } from './memory-disk.js';

export const NEVER = new AbortController().signal;

export interface ClusterShape {
  readonly nodes: number;
  readonly redundancy: number;
  /** Data slices of a stripe; 1, copies, if absent. */
  readonly data?: number;
  readonly sliceBytes: number;
  /** Whether nodes copy shards from each other by themselves, as peers do. */
  readonly pulls?: boolean;
  /** Age at which what no file needs is an orphan; 0 if absent. */
  readonly graceMs?: number;
  /** See `CollectorParts`; long ago if absent. */
  readonly runBegan?: number;
  /** Those of production if absent. */
  readonly limits?: Limits;
}

export interface MoverOptions {
  readonly changeFile?: ChangeFile;
  readonly onStrays?: (strays: readonly Stray[]) => void;
  readonly stepBytes?: number;
}

/** The parts of the redundancy module put together over nodes in memory that can be made to fail, and a real index. */
export class Cluster {
  readonly memory: readonly MemoryStorageNode[];
  readonly faulty: readonly FaultyStorageNode[];
  readonly registry: NodeRegistry;
  readonly placement = new Placement();
  readonly holds = new VersionHolds();
  readonly damaged: number[] = [];
  readonly reader: StripeReader;
  readonly collector: Collector;
  readonly strays: Stray[] = [];
  readonly records: RecordStore;
  /** As in production: a walk takes back several records of one file at the same time. */
  private readonly changes: FileChanges;
  /** Nodes that knew more than the index. */
  readonly ahead: number[] = [];
  readonly sealer: RecordSealer;
  readonly mover: VersionMover;
  private readonly stripes: StripeStore;
  readonly codec = new AnyShapeCodec(new ErasureCodec(new TableErasureKernel()));

  private constructor(
    readonly shape: ClusterShape,
    readonly metadata: LmdbMetadataStore,
    readonly clusterId: ClusterId,
    private readonly directory: string,
  ) {
    const keyRing = KeyRing.create(clusterId, 1);
    this.sealer = new RecordSealer(new RecordCrypto(clusterId, () => keyRing));
    this.memory = Array.from({ length: shape.nodes }, (_, at) => new MemoryStorageNode(at + 1));
    this.faulty = this.memory.map((node) => new FaultyStorageNode(node, { seed: node.number }));
    if (shape.pulls === true)
      for (const node of this.faulty) node.sourceOf = (number) => this.faulty[number - 1] as FaultyStorageNode;
    this.registry = new NodeRegistry(this.faulty);
    for (const { number } of this.memory) this.registry.setState(number, 'up', {});
    const writer = new NodeWriter(this.registry, (shape.limits ?? LIMITS).write_slow_ms_min);
    this.stripes = new StripeStore(this.registry, this.placement, writer);
    this.records = new RecordStore({ registry: this.registry, placement: this.placement, metadata, writer });
    this.changes = new FileChanges(this.records);
    this.collector = new Collector({
      registry: this.registry,
      metadata,
      holds: this.holds,
      records: this.records,
      graceMs: shape.graceMs ?? 0,
      runBegan: shape.runBegan ?? 0,
      reconcile: (fileId) => this.reconcile(fileId),
      onAhead: (node) => this.ahead.push(node),
    });
    this.mover = this.makeMover();
    this.reader = new StripeReader({
      registry: this.registry,
      layouts: metadata,
      codec: this.codec,
      batchBytes: 4 * shape.sliceBytes,
      hedging: new Hedging(shape.limits ?? LIMITS),
      onDamage: (node) => this.damaged.push(node),
    });
  }

  /** @param options another way to put records and tell the index, and to take back copies: to crash in the middle */
  makeMover({ changeFile, onStrays, stepBytes }: MoverOptions = {}): VersionMover {
    const { registry, placement, records, holds, codec } = this;
    return new VersionMover({
      records,
      holds,
      copier: new ShardCopier({ registry, placement, codec, onDamage: (node) => this.damaged.push(node) }),
      committer: new MoveCommitter(records, changeFile ?? ((id, work) => this.changeFile(id, work))),
      onStrays: onStrays ?? ((strays) => this.collector.addStrays(strays)),
      enter: () => Promise.resolve(() => undefined),
      batchBytes: 2 * this.shape.sliceBytes,
      stepBytes: stepBytes ?? 8 * this.shape.sliceBytes,
    });
  }

  /** As the files do it: what fails is taken back. */
  private async changeFile<Result>(id: FileId, work: (put: PutRecord, sealer: RecordSealer) => Promise<Result>): Promise<Result> {
    try {
      return await this.changes.change(id, (put) => work(put, this.sealer));
    } catch (error) {
      await this.reconcile(id).catch(() => undefined);
      throw error;
    }
  }

  static async make(shape: ClusterShape): Promise<Cluster> {
    const directory = await mkdtemp(join(MEMORY_DISK, 'dcloud-cluster-'));
    const clusterId = newId<ClusterId>();
    const metadata = await LmdbMetadataStore.open({ directory: join(directory, 'index'), clusterId, mayCreate: true });
    return new Cluster(shape, metadata, clusterId, directory);
  }

  async remove(): Promise<void> {
    await this.metadata.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  writer(versionId = newId<VersionId>(), data = this.shape.data ?? 1): VersionWriter {
    const parts = {
      stripes: this.stripes,
      placement: this.placement,
      metadata: this.metadata,
      onStrays: (strays: readonly Stray[]) => this.collector.addStrays(strays),
      onGarbage: () => undefined,
    };
    const source = {
      versionId,
      shape: { k: data, m: this.shape.redundancy },
      codec: this.codec,
      batchBytes: 4 * this.shape.sliceBytes,
    };
    return new VersionWriter(parts, source, this.holds.hold(versionId));
  }

  /** Writes slices and commits them as a file. */
  async store(slices: readonly Uint8Array[], writer = this.writer()): Promise<Manifest> {
    await writer.write(stream([slices.map((bytes) => bytes.slice())]), 3, NEVER); // they are the writer's
    return this.commit(writer, slices);
  }

  /** Makes what a writer has written a file: first on the nodes, then in the index. */
  async commit(writer: VersionWriter, slices: readonly Uint8Array[]): Promise<Manifest> {
    return this.records.change(async (put) => {
      const statement = await this.record(writer, slices, put);
      await this.metadata.commit({ kind: 'create', ...statement }, NEVER);
      writer.committed();
      return statement.manifest;
    });
  }

  /** Puts the record of what a writer has written on the nodes. */
  async record(writer: VersionWriter, slices: readonly Uint8Array[], put: PutRecord): Promise<FileStatement> {
    const body = bodyOf(writer, slices, this.shape.sliceBytes);
    const state = (written: WrittenVersion): FileStatement => stateOf(body, written);
    const { fileId, versionId } = body;
    const owner = { fileId, versionId, kekId: 'k1' };
    const sealer = {
      manifest: (written: WrittenVersion) => this.sealer.manifest(state(written)),
      page: (page: LayoutPage, revision: number) => this.sealer.page({ ...owner, revision }, page),
    };
    return state(await writer.record(put, sealer, NEVER));
  }

  /** Deletes a file: first a tombstone on the nodes, then in the index. */
  async delete(fileId: FileId): Promise<void> {
    await this.changes.change(fileId, async (put) => {
      const { file, manifest } = (await this.metadata.find(fileId, NEVER))!;
      const tombstone = await this.bury(fileId, this.records.choose(manifest.m + 1, manifest.recordNodes), put);
      await this.metadata.remove({ tombstone, basis: file.revision }, undefined, NEVER);
    });
  }

  /** Gives a file another name; `crashes`: the nodes hear of it and the index does not. */
  async rename(fileId: FileId, name: string, crashes = false): Promise<void> {
    await this.changes.change(fileId, async (put) => {
      const stored = (await this.metadata.find(fileId, NEVER))!;
      await this.amend(stored, name, put, { crashes });
    });
  }

  /** A deletion of which the nodes hear and the index does not. */
  async deleteHalf(fileId: FileId): Promise<void> {
    await this.changes.change(fileId, async (put) => {
      const { manifest } = (await this.metadata.find(fileId, NEVER))!;
      await this.bury(fileId, this.records.choose(manifest.m + 1, manifest.recordNodes), put);
    });
  }

  /** Makes the state of the index the newest one on the nodes. */
  async reconcile(fileId: FileId): Promise<void> {
    await this.changes.change(fileId, async (put) => {
      const stored = await this.metadata.find(fileId, NEVER);
      if (stored !== undefined) {
        await this.amend(stored, stored.file.name, put, { rewritesLayout: true });
        return;
      }
      const nodes = this.records.choose(this.shape.redundancy + 1, []);
      await this.metadata.addTombstone(await this.bury(fileId, nodes, put), NEVER);
    });
  }

  private async amend(
    { file, manifest }: StoredFile,
    name: string,
    put: PutRecord,
    { crashes = false, rewritesLayout = false }: { readonly crashes?: boolean; readonly rewritesLayout?: boolean },
  ): Promise<void> {
    const { versionId, fileId } = manifest;
    const page = layoutPages(manifest) - 1;
    const bytes = (await this.metadata.readLayout(versionId, page, NEVER))!;
    const nodes = this.records.choose(manifest.m + 1, manifest.recordNodes);
    const seal = (placed: PlacedRecord) =>
      this.sealer.manifest({
        file: { ...file, name, revision: placed.revision },
        manifest: { ...manifest, recordNodes: placed.nodes },
        lastPage: { page, bytes },
      });
    const sealPage = (one: LayoutPage, revision: number) => this.sealer.page({ fileId, versionId, kekId: 'k1', revision }, one);
    const layout = { versionId, pages: page, seal: sealPage };
    const pages = (node: number, { revision }: PlacedRecord) => {
      if (rewritesLayout) return layoutRecords(this.metadata, { ...layout, revisionOf: () => revision }, NEVER);
      return manifest.recordNodes.includes(node) ? undefined : layoutRecords(this.metadata, layout, NEVER);
    };
    const placed = await put({ nodes, seal, pages }, NEVER);
    if (crashes) return;
    const { revision, nodes: recordNodes } = placed;
    const layoutRevision = rewritesLayout ? { layoutRevision: revision } : {};
    await this.metadata.amend(
      file.id,
      { name, basis: file.revision, revision, recordNodes, ...layoutRevision },
      undefined,
      NEVER,
    );
  }

  private async bury(fileId: FileId, nodes: number[], put: PutRecord): Promise<Tombstone> {
    const placed = await put({ nodes, seal: (where) => this.sealer.tombstone({ fileId, kekId: 'k1', ...where }) }, NEVER);
    return { fileId, kekId: 'k1', ...placed };
  }

  async read(manifest: Manifest): Promise<Buffer> {
    const span = { first: 0, end: Math.ceil(manifest.sealedSize / manifest.sliceBytes) };
    return wholeOf(this.reader.read(manifest, span, { width: 3, avoid: new Set() }, NEVER));
  }

  /** Shards on each node. */
  async counts(): Promise<readonly number[]> {
    return Promise.all(this.memory.map(async (node) => (await Array.fromAsync(node.list(NEVER))).length));
  }
}

type Body = Omit<Manifest, 'usage' | 'recordNodes'>;

function bodyOf(writer: VersionWriter, slices: readonly Uint8Array[], sliceBytes: number): Body {
  const seal = { kekId: 'k1', wrappedKey: new Uint8Array(61), header: new Uint8Array(74), sealedDigest: new Uint8Array(0) };
  const sealedSize = slices.reduce((sum, { length }) => sum + length, 0);
  const { versionId, shape } = writer;
  return { versionId, fileId: newId<FileId>(), size: 1, sealedSize, sliceBytes, ...shape, seal, createdAt: 1 };
}

function stateOf(body: Body, { usage, nodes, revision, lastPage }: WrittenVersion): FileStatement {
  const { fileId: id, versionId, size } = body;
  const file = { id, owner: STORE_OWNER, name: 'f', contentType: 'a/b', size, versionId, createdAt: 1, updatedAt: 1, revision };
  return { file, manifest: { ...body, usage, recordNodes: nodes }, lastPage };
}

export async function* stream<Item>(items: Iterable<Item>): AsyncGenerator<Item, void, undefined> {
  yield* items;
}

/** All bytes of slices, of which each is valid until the next one is asked for. */
export async function wholeOf(slices: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(slices, (slice) => Buffer.from(slice)));
}
