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

/** Slices of a body in their order, as many at a time as come together. */
export type SliceGroups = AsyncIterable<readonly Uint8Array[]>;

/** Makes stripes of k slices each, encodes them, and groups the stripes into batches that travel together. */
export async function* stripeBatches(
  groups: SliceGroups,
  source: StripeSource,
): AsyncGenerator<readonly Stripe[], void, undefined> {
  let number = 0;
  let data: Uint8Array[] = [];
  let batch: Stripe[] = [];
  let bytes = 0;
  const close = (parity: readonly Uint8Array[]): void => {
    batch.push({ number, shards: shardsOf(data, parity, { ...source, number }) });
    number += 1;
    data = [];
  };
  for await (const slices of groups) {
    for (const slice of slices) {
      data.push(slice);
      bytes += slice.length;
      if (data.length < source.shape.k) continue;
      const parity = parityOf(data, source);
      close(parity instanceof Promise ? await parity : parity); // of a file in small slices there are a million: no step for nothing
      if (bytes < source.batchBytes) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
  }
  if (data.length > 0) {
    while (data.length < source.shape.k) data.push(new Uint8Array(0)); // the last stripe may lack slices, but never shards
    close(await parityOf(data, source));
  }
  if (batch.length > 0) yield batch;
}

/** The shards of a stripe, by index. */
export function encodeStripe(data: readonly Uint8Array[], number: number, source: StripeSource): readonly Shard[] {
  return shardsOf(data, source.codec.encode(data, source.shape), { ...source, number });
}

/** The parity of a stripe; later, where it is so large that others would wait for it. */
function parityOf(data: readonly Uint8Array[], source: StripeSource): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
  const { shape, codec } = source;
  const perTurn = Math.max(1, Math.floor(TURN_BYTES / shape.k));
  return shape.k === 1 || (data[0]?.length ?? 0) <= perTurn ? codec.encode(data, shape) : parityInTurns(data, source, perTurn);
}

/** A few milliseconds at a time. */
async function parityInTurns(
  data: readonly Uint8Array[],
  { shape, codec }: StripeSource,
  perTurn: number,
): Promise<readonly Uint8Array[]> {
  const length = data[0]?.length ?? 0;
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
  let summed: Uint8Array | undefined;
  let checksum = 0;
  return [...data, ...parity].map((bytes, index) => {
    if (bytes !== summed) checksum = checksumOf(bytes); // copies are the same bytes: they are summed once
    summed = bytes;
    return { versionId, stripe, index, k, m, bytes, checksum };
  });
}
