import type { Manifest } from '../metadata/metadata-store.js';

/** Bytes of a shard of a version: what is not data is as long as the first slice of its stripe. */
export function shardBytes(
  { k, sealedSize, sliceBytes }: Pick<Manifest, 'k' | 'sealedSize' | 'sliceBytes'>,
  { stripe, index }: { readonly stripe: number; readonly index: number },
): number {
  const slice = stripe * k + (index < k ? index : 0);
  return Math.max(0, Math.min(sliceBytes, sealedSize - slice * sliceBytes));
}
