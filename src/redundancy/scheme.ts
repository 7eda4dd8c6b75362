import type { AppConfig } from '../config/app-config.js';
import { requestBytesInFlight } from '../config/limits.js';
import { SHARDS_MAX } from './erasure/code-matrix.js';
import type { StripeShape } from './stripe-codec.js';

/** What the choice of a code depends on. */
export type SchemeConfig = Pick<AppConfig, 'node_count' | 'redundancy_count' | 'redundancy_scheme' | 'size_per_slice' | 'limits'>;

/** How bodies are coded now. */
export interface CodingPlan {
  readonly shape: StripeShape;
  /** A sealed body of at most so many bytes is replicated instead. */
  readonly replicatedBytesMax: number;
}

/** Stripes that one request holds in memory: one fills while another is on its way. */
const STRIPES_IN_FLIGHT = 2;
/** What one request holds is at most this part of what all hold together. */
const REQUEST_SHARE = 1 / 4;
/** A stripe of one data slice and its parity would be copies by other means. */
const CODED_SLICES_LEAST = 2;

/**
 * The widest code for so many nodes: it takes the least space, since only `redundancy_count` of the shards of a stripe are not data. Undefined
 * if bodies are to be replicated: as configured, or because no code fits the nodes or the memory.
 */
export function codingPlan(config: SchemeConfig, nodes: number): CodingPlan | undefined {
  const { redundancy_count: m, redundancy_scheme: scheme, size_per_slice: sliceBytes, limits } = config;
  if (scheme === 'replicate' || m === 0) return undefined;
  const inMemory = Math.floor((limits.process_bytes_in_flight * REQUEST_SHARE) / STRIPES_IN_FLIGHT / sliceBytes);
  const k = Math.min(limits.stripe_data_slices_max, Math.min(nodes, inMemory, SHARDS_MAX) - m);
  if (k < CODED_SLICES_LEAST) return undefined;
  return { shape: { k, m }, replicatedBytesMax: scheme === 'auto' ? limits.auto_replicated_bytes_max : 0 };
}

/** Bytes that one request may hold in memory between socket and disk. */
export function requestBytes(config: SchemeConfig): number {
  const { limits, size_per_slice: sliceBytes, node_count: nodes } = config;
  const plan = codingPlan(config, nodes);
  const stripe = plan === undefined ? 0 : (plan.shape.k + plan.shape.m) * sliceBytes;
  return Math.max(requestBytesInFlight(limits, sliceBytes), STRIPES_IN_FLIGHT * stripe);
}

/**
 * Batches of stripes that one request may have under way: what its share of memory allows.
 * @param shardsHeld shards of each stripe that are held at once, of which copies count once
 */
export function batchesInFlight(
  config: SchemeConfig,
  { k }: StripeShape,
  { sliceBytes, shardsHeld }: { readonly sliceBytes: number; readonly shardsHeld: number },
): number {
  const batch = Math.max(k * sliceBytes, config.limits.batch_bytes);
  const held = (batch * shardsHeld) / k;
  return Math.max(1, Math.floor(requestBytes(config) / held));
}

/** The same for an upload, of which copies are held once and coded stripes with all their shards. */
export function uploadBatches(config: SchemeConfig, shape: StripeShape, sliceBytes: number): number {
  return batchesInFlight(config, shape, { sliceBytes, shardsHeld: shape.k === 1 ? 1 : shape.k + shape.m });
}
