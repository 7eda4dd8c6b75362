import { mapOrdered } from '../common/map-ordered.js';
import { release, SENT_BYTES_LEAST } from '../common/release.js';
import { type SliceGroups, stripeBatches, type StripeSource } from './stripe-batches.js';
import type { StripeStore } from './stripe-store.js';
import type { WriteLedger } from './write-ledger.js';

/** Where stripes go, and who is told of it. */
export interface StripePuts {
  readonly stripes: StripeStore;
  readonly ledger: WriteLedger;
  readonly source: StripeSource;
  /** Batches under way at once. */
  readonly width: number;
}

/**
 * Stores all slices, and releases them. Yields how many stripes more have every shard durable on a node of its own, in their order.
 * @throws DomainError `not-enough-nodes`
 */
export async function* putStripes(
  slices: SliceGroups,
  { stripes, ledger, source, width }: StripePuts,
  signal: AbortSignal,
): AsyncGenerator<number, void, undefined> {
  yield* mapOrdered(stripeBatches(slices, source), width, async (batch) => {
    const { length: strays } = ledger.strays;
    await stripes.put(batch, ledger, signal);
    // A put that was given up goes on, and still needs its bytes.
    if (ledger.strays.length === strays)
      for (const { shards } of batch) for (const { bytes } of shards) release(bytes, SENT_BYTES_LEAST);
    return batch.length;
  });
}
