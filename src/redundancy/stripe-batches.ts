import { crc32 } from 'node:zlib';
import type { VersionId } from '../common/ids.js';
import type { Shard } from '../nodes/storage-node.js';
import type { StripeCodec, StripeShape } from './stripe-codec.js';

/** A stripe on its way to the nodes. */
export interface Stripe {
  readonly number: number;
  /** All k + m shards, by index. */
  readonly shards: readonly Shard[];
}

export interface StripeSource {
  readonly versionId: VersionId;
  readonly shape: StripeShape;
  readonly codec: StripeCodec;
  /** About how many bytes of data one batch holds; at least one stripe. */
  readonly batchBytes: number;
}

/** Groups a stream of slices into stripes of k, encodes them, and groups the stripes into batches that travel together. */
export async function* stripeBatches(
  slices: AsyncIterable<Uint8Array>,
  source: StripeSource,
): AsyncGenerator<readonly Stripe[], void, undefined> {
  let number = 0;
  let data: Uint8Array[] = [];
  let batch: Stripe[] = [];
  let bytes = 0;
  const closeStripe = (): void => {
    while (data.length < source.shape.k) data.push(new Uint8Array(0)); // the last stripe may lack slices, but never shards
    batch.push({ number, shards: encodeStripe(data, number, source) });
    number += 1;
    data = [];
  };
  for await (const slice of slices) {
    data.push(slice);
    bytes += slice.length;
    if (data.length < source.shape.k) continue;
    closeStripe();
    if (bytes < source.batchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (data.length > 0) closeStripe();
  if (batch.length > 0) yield batch;
}

/** The shards of a stripe, by index. */
export function encodeStripe(
  data: readonly Uint8Array[],
  stripe: number,
  { versionId, shape, codec }: StripeSource,
): readonly Shard[] {
  const { k, m } = shape;
  const checksums = new Map<Uint8Array, number>();
  return [...data, ...codec.encode(data, shape)].map((bytes, index) => {
    const checksum = checksums.get(bytes) ?? crc32(bytes);
    checksums.set(bytes, checksum); // copies are the same bytes: they are summed once
    return { versionId, stripe, index, k, m, bytes, checksum };
  });
}
