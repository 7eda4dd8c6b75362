import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VersionId } from '../common/ids.js';
import { checksumOf } from '../nodes/read-bytes.js';
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

/** Bytes of data that are coded without giving others a turn. */
const TURN_BYTES = 4 * 1024 * 1024;

/** Groups a stream of slices into stripes of k, encodes them, and groups the stripes into batches that travel together. */
export async function* stripeBatches(
  slices: AsyncIterable<Uint8Array>,
  source: StripeSource,
): AsyncGenerator<readonly Stripe[], void, undefined> {
  let number = 0;
  let data: Uint8Array[] = [];
  let batch: Stripe[] = [];
  let bytes = 0;
  const closeStripe = async (): Promise<void> => {
    while (data.length < source.shape.k) data.push(new Uint8Array(0)); // the last stripe may lack slices, but never shards
    batch.push({ number, shards: shardsOf(data, await parityInTurns(data, source), { ...source, number }) });
    number += 1;
    data = [];
  };
  for await (const slice of slices) {
    data.push(slice);
    bytes += slice.length;
    if (data.length < source.shape.k) continue;
    await closeStripe();
    if (bytes < source.batchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (data.length > 0) await closeStripe();
  if (batch.length > 0) yield batch;
}

/** The shards of a stripe, by index. */
export function encodeStripe(data: readonly Uint8Array[], number: number, source: StripeSource): readonly Shard[] {
  return shardsOf(data, source.codec.encode(data, source.shape), { ...source, number });
}

/** The parity of a stripe that may be large: a few milliseconds at a time, so that nobody waits for all of it. */
async function parityInTurns(data: readonly Uint8Array[], { shape, codec }: StripeSource): Promise<readonly Uint8Array[]> {
  const length = data[0]?.length ?? 0;
  const perTurn = Math.max(1, Math.floor(TURN_BYTES / shape.k));
  if (shape.k === 1 || length <= perTurn) return codec.encode(data, shape);
  const parity = Array.from({ length: shape.m }, () => Buffer.allocUnsafeSlow(length));
  for (let from = 0; from < length; from += perTurn) {
    const part = codec.encode(
      data.map((slice) => slice.subarray(from, from + perTurn)),
      shape,
    );
    part.forEach((bytes, row) => parity[row]?.set(bytes, from));
    await nextTurn();
  }
  return parity;
}

function shardsOf(
  data: readonly Uint8Array[],
  parity: readonly Uint8Array[],
  { versionId, shape: { k, m }, number: stripe }: StripeSource & { readonly number: number },
): readonly Shard[] {
  const checksums = new Map<Uint8Array, number>();
  return [...data, ...parity].map((bytes, index) => {
    const checksum = checksums.get(bytes) ?? checksumOf(bytes);
    checksums.set(bytes, checksum); // copies are the same bytes: they are summed once
    return { versionId, stripe, index, k, m, bytes, checksum };
  });
}
