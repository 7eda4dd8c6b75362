import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, type ClusterId, type FileId, type VersionId } from '../../src/common/ids.js';
import { LmdbMetadataStore } from '../../src/metadata/embedded/lmdb.metadata-store.js';
import type { Manifest } from '../../src/metadata/metadata-store.js';
import { NodeRegistry } from '../../src/nodes/node-registry.js';
import { Placement } from '../../src/placement/placement.js';
import { Collector } from '../../src/redundancy/collector.js';
import { ReplicateCodec } from '../../src/redundancy/stripe-codec.js';
import { StripeReader } from '../../src/redundancy/stripe-reader.js';
import { StripeStore } from '../../src/redundancy/stripe-store.js';
import { VersionHolds } from '../../src/redundancy/version-holds.js';
import { VersionWriter } from '../../src/redundancy/version-writer.js';
import type { Stray } from '../../src/redundancy/write-ledger.js';
import { FaultyStorageNode } from './faulty.storage-node.js';
import { MemoryStorageNode } from './memory.storage-node.js';

export const NEVER = new AbortController().signal;

export interface ClusterShape {
  readonly nodes: number;
  readonly redundancy: number;
  readonly sliceBytes: number;
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
  private readonly stripes: StripeStore;
  private readonly codec = new ReplicateCodec();

  private constructor(
    readonly shape: ClusterShape,
    readonly metadata: LmdbMetadataStore,
    private readonly directory: string,
  ) {
    this.memory = Array.from({ length: shape.nodes }, (_, at) => new MemoryStorageNode(at + 1));
    this.faulty = this.memory.map((node) => new FaultyStorageNode(node, { seed: node.number }));
    this.registry = new NodeRegistry(this.faulty);
    for (const { number } of this.memory) this.registry.setState(number, 'up', {});
    this.stripes = new StripeStore(this.registry, this.placement);
    this.collector = new Collector({ registry: this.registry, metadata, holds: this.holds });
    this.reader = new StripeReader({
      registry: this.registry,
      metadata,
      codec: this.codec,
      batchBytes: 4 * shape.sliceBytes,
      onDamage: (node) => this.damaged.push(node),
    });
  }

  static async make(shape: ClusterShape): Promise<Cluster> {
    const directory = await mkdtemp(join(tmpdir(), 'dcloud-cluster-'));
    const metadata = await LmdbMetadataStore.open({
      directory: join(directory, 'index'),
      clusterId: newId<ClusterId>(),
      mayCreate: true,
    });
    return new Cluster(shape, metadata, directory);
  }

  async remove(): Promise<void> {
    await this.metadata.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  writer(versionId = newId<VersionId>()): VersionWriter {
    const parts = {
      stripes: this.stripes,
      placement: this.placement,
      metadata: this.metadata,
      onStrays: (strays: readonly Stray[]) => this.collector.addStrays(strays),
      onGarbage: () => undefined,
    };
    const source = {
      versionId,
      shape: { k: 1, m: this.shape.redundancy },
      codec: this.codec,
      batchBytes: 4 * this.shape.sliceBytes,
    };
    return new VersionWriter(parts, source, this.holds.hold(versionId));
  }

  /** Writes slices and commits them as a file. */
  async store(slices: readonly Uint8Array[], writer = this.writer()): Promise<Manifest> {
    await writer.write(stream(slices), 3, NEVER);
    return this.commit(writer, slices);
  }

  /** Makes what a writer has written a file. */
  async commit(writer: VersionWriter, slices: readonly Uint8Array[]): Promise<Manifest> {
    const manifest = this.manifestOf(writer, slices);
    const file = {
      id: manifest.fileId,
      name: 'f',
      contentType: 'a/b',
      size: 1,
      versionId: manifest.versionId,
      createdAt: 1,
      updatedAt: 1,
    };
    await this.metadata.commit({ kind: 'create', file, manifest, lastPage: writer.lastPage() }, NEVER);
    writer.committed();
    return manifest;
  }

  async read(manifest: Manifest): Promise<Buffer> {
    const span = { first: 0, end: Math.ceil(manifest.sealedSize / manifest.sliceBytes) };
    return Buffer.concat(await Array.fromAsync(this.reader.read(manifest, span, { width: 3, avoid: new Set() }, NEVER)));
  }

  /** Shards on each node. */
  async counts(): Promise<readonly number[]> {
    return Promise.all(this.memory.map(async (node) => (await Array.fromAsync(node.list(NEVER))).length));
  }

  private manifestOf(writer: VersionWriter, slices: readonly Uint8Array[]): Manifest {
    const bytes = new Uint8Array(0);
    return {
      versionId: writer.versionId,
      fileId: newId<FileId>(),
      size: 1,
      sealedSize: slices.reduce((sum, { length }) => sum + length, 0),
      sliceBytes: this.shape.sliceBytes,
      ...writer.shape,
      seal: { kekId: 'k1', wrappedKey: new Uint8Array(61), header: new Uint8Array(74), sealedDigest: bytes },
      usage: writer.usage(),
      createdAt: 1,
    };
  }
}

export async function* stream<Item>(items: Iterable<Item>): AsyncGenerator<Item, void, undefined> {
  yield* items;
}
