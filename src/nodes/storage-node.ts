import type { VersionId } from '../common/ids.js';

/** Which shard: its version, the stripe's number in the version (from 0) and the shard's place in the stripe (from 0; below k: data). */
export interface ShardId {
  readonly versionId: VersionId;
  readonly stripe: number;
  readonly index: number;
}

/** A shard on its way to a node. The bytes belong to the caller and do not change until `put` has settled. */
export interface Shard extends ShardId {
  /** Data and parity shards of its stripe: any k of the k + m give the data back. Replication is k = 1. */
  readonly k: number;
  readonly m: number;
  readonly bytes: Uint8Array;
  /** CRC-32 of `bytes` (as `zlib.crc32`), computed once for all copies; each node stores it and checks it when reading. */
  readonly checksum: number;
}

/**
 * Why a node could not do what it was asked, as the caller needs to know it:
 * - `not-found`: it has no such shard;
 * - `corrupt`: it has one whose bytes are not those that were put;
 * - `unavailable`: it cannot say (gone, frozen, an I/O error): the one kind that may pass by itself;
 * - `full`: no space for new shards; reading and deleting go on;
 * - `rejected`: it refuses the request itself (another cluster, a wrong identity, a read-only disk).
 */
export type NodeErrorKind = 'not-found' | 'corrupt' | 'unavailable' | 'full' | 'rejected';

export class NodeError extends Error {
  override readonly name = 'NodeError';

  constructor(
    readonly kind: NodeErrorKind,
    detail: string,
    options?: ErrorOptions,
  ) {
    super(`${kind}: ${detail}`, options);
  }
}

/** What a probe learned of a node that works. */
export interface NodeProbe {
  readonly bytesFree: number;
  readonly bytesTotal: number;
  /** True if it takes no new shards for want of space. */
  readonly full: boolean;
}

/**
 * Something that keeps shards: a folder, a peer. Drivers are dumb: no retry, no policy, no metrics; those are `StorageNode`s around a
 * `StorageNode`. Every failure is a {@link NodeError}, or the signal's reason if it was aborted.
 */
export abstract class StorageNode {
  /** Its number in the cluster, from 1. */
  abstract readonly number: number;

  /**
   * Stores a batch. Resolves when *all* shards are durable (they survive a power cut); rejects when any is not, and then any of them may
   * or may not be there. Putting the same shard again is harmless.
   */
  abstract put(batch: readonly Shard[], signal: AbortSignal): Promise<void>;

  /**
   * Reads a batch. The answer has one entry for each id, in order: the bytes as they were put (checked against the checksum; the caller
   * owns them), or the error of that shard alone. Rejects if the node as a whole could not answer.
   */
  abstract get(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (Uint8Array | NodeError)[]>;

  /** Deletes shards, durably. Those that are not there are no error. */
  abstract delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void>;

  /** Every shard that was durable before the call and was not deleted since, each once, in no order. Memory does not grow with their number. */
  abstract list(signal: AbortSignal): AsyncIterable<ShardId>;

  /** Proves that the node is the one it should be and can be read and written now; throws the NodeError that says why not. */
  abstract probe(signal: AbortSignal): Promise<NodeProbe>;

  /** Lets go of what it holds open; safe to call twice. Later calls reject with `unavailable`. */
  abstract close(): Promise<void>;
}
