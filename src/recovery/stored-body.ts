import { DomainError } from '../common/errors.js';
import { segmentCount } from '../crypto/floe-sizes.js';
import { openSegments } from '../crypto/open-stream.js';
import type { VersionCrypto } from '../crypto/version-keys.js';
import type { Manifest, MetadataStore } from '../metadata/metadata-store.js';
import { NodeError, type StorageNode } from '../nodes/storage-node.js';
import { LayoutReader } from '../redundancy/layout-reader.js';
import type { StripeCodec } from '../redundancy/stripe-codec.js';

/** What a body is read with while no server runs. */
export interface BodySource {
  readonly index: MetadataStore;
  readonly nodes: ReadonlyMap<number, StorageNode>;
  readonly codec: StripeCodec;
  readonly crypto: VersionCrypto;
}

/** The content of a file, read straight from the nodes, one stripe after the other. @throws DomainError `data-damaged`, `key-missing` */
export async function* storedBody(
  source: BodySource,
  manifest: Manifest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { sealedSize, seal } = manifest;
  const { opener } = source.crypto.open(manifest, seal);
  const lastSegment = segmentCount(sealedSize, opener.parameters) - 1;
  yield* openSegments(sealedSlices(source, manifest, signal), opener, { sealedSize, firstSegment: 0, lastSegment });
}

async function* sealedSlices(
  source: BodySource,
  manifest: Manifest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { versionId, k, sealedSize, sliceBytes } = manifest;
  const layout = new LayoutReader(source.index, versionId);
  const slices = Math.ceil(sealedSize / sliceBytes);
  for (let stripe = 0; stripe * k < slices; stripe += 1) {
    const shards = await anyShards(source, { manifest, stripe, row: await layout.nodes(stripe, signal) }, signal);
    const wanted = Array.from({ length: Math.min(k, slices - stripe * k) }, (_, at) => at);
    for (const [at, slice] of source.codec.decode(shards, manifest, wanted).entries())
      yield slice.subarray(0, Math.min(sliceBytes, sealedSize - (stripe * k + at) * sliceBytes));
  }
}

interface StripePlace {
  readonly manifest: Manifest;
  readonly stripe: number;
  readonly row: readonly number[];
}

/** The first shards of a stripe that can be had, as many as are needed. */
async function anyShards(
  { nodes }: BodySource,
  { manifest: { versionId, k }, stripe, row }: StripePlace,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, Uint8Array>> {
  const shards = new Map<number, Uint8Array>();
  for (const [index, number] of row.entries()) {
    const shard = await shardOf(nodes.get(number), { versionId, stripe, index }, signal);
    if (shard !== undefined) shards.set(index, shard);
    if (shards.size === k) return shards;
  }
  throw new DomainError('data-damaged', `too few intact shards of stripe ${stripe} are on the nodes that can be read`);
}

async function shardOf(
  node: StorageNode | undefined,
  id: Parameters<StorageNode['get']>[0][number],
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    const [answer] = (await node?.get([id], signal)) ?? [];
    return answer instanceof Uint8Array ? answer : undefined;
  } catch (error) {
    if (error instanceof NodeError) return undefined;
    throw error;
  }
}
