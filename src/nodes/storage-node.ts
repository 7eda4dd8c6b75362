import type { FileId, VersionId } from '../common/ids.js';

/** Which shard: its version, the stripe's number in the version (from 0) and the shard's place in the stripe (from 0; below k: data). */
export interface ShardId {
  readonly versionId: VersionId;
  readonly stripe: number;
  readonly index: number;
}

/** A shard to be read. */
export interface ShardAsk extends ShardId {
  /** So many of its first bytes are enough, and more are not taken in from another process; absent: all of it. */
  readonly length?: number;
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

/** A shard that is to be copied from another node, and as what it is to be kept. */
export interface ShardCopy extends Omit<Shard, 'bytes' | 'checksum'> {
  /** The shard's place in the stripe on the other node; where k is 1 all shards of a stripe are the same bytes. */
  readonly fromIndex: number;
  /** Bytes that it must have. */
  readonly length: number;
}

/**
 * What a record is of: the manifest of a version, a page (from 1) of a layout too long for the manifest, or the tombstone of a deleted file.
 * Records are sealed before they come here; a node sees ids, the revision and a length.
 */
export type RecordKind = 'manifest' | 'layout' | 'tombstone';

/** Names a record. `id` is the version's, or the file's for a tombstone; `page` is 0 but for a layout. */
export interface RecordKey {
  readonly kind: RecordKind;
  readonly id: VersionId | FileId;
  readonly page: number;
}

/** A record without its bytes. Of two records with one key the one with the higher revision counts; revisions grow over the whole store. */
export interface RecordHead extends RecordKey {
  /** A whole number from 0 to 2^53 - 1. */
  readonly revision: number;
}

/** A record as it is put and read. The bytes belong to the caller; at most {@link RECORD_BYTES_MAX}. */
export interface NodeRecord extends RecordHead {
  readonly fileId: FileId;
  readonly bytes: Uint8Array;
}

/** The longest is a page of a layout with the widest stripes. */
export const RECORD_BYTES_MAX = 16 * 1024 * 1024;

/** What becomes durable together on a node, with one call. */
export interface NodeBatch {
  readonly shards: readonly Shard[];
  readonly records: readonly NodeRecord[];
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
  /** The highest revision of a record that it ever held durably, also of one that was forgotten since; 0 before the first. */
  readonly newestRevision: number;
}

/**
 * Something that keeps shards: a folder, a peer. Drivers are dumb: no retry, no policy, no metrics; those are `StorageNode`s around a
 * `StorageNode`. Every failure is a {@link NodeError}, or the signal's reason if it was aborted.
 */
export abstract class StorageNode {
  /** Its number in the cluster, from 1. */
  abstract readonly number: number;

  /**
   * Stores a batch. Resolves when *all* of it is durable (it survives a power cut); rejects when any is not, and then any of it may or may
   * not be there. Putting the same again is harmless; a record of a lower revision than the one that is there changes nothing.
   * A record is not durable before the shards of its batch that have files of their own, or ride in it.
   * A shard of stripe 0 that comes with the manifest of its own version is written inside that record, if the two are small.
   */
  abstract put(batch: NodeBatch, signal: AbortSignal): Promise<void>;

  /**
   * Reads a batch. The answer has one entry for each id, in order: the bytes as they were put (checked against the checksum; the caller
   * owns them), or the error of that shard alone. Rejects if the node as a whole could not answer.
   */
  abstract get(ids: readonly ShardAsk[], signal: AbortSignal): Promise<readonly (Uint8Array | NodeError)[]>;

  /**
   * Copies shards from another node of the cluster, without their bytes passing through this process. Says of each, in order, whether it is
   * durable here: undefined, or the error of that shard, which then has to be got and put. Rejects as {@link put} does. A driver that
   * cannot do it answers `unavailable` for each.
   */
  pull(_source: number, copies: readonly ShardCopy[], _signal: AbortSignal): Promise<readonly (NodeError | undefined)[]> {
    const error = new NodeError('unavailable', 'it does not copy by itself');
    return Promise.resolve(copies.map(() => error));
  }

  /**
   * Reads shards where they lie and says of each, in order, whether {@link get} would give it back: undefined, or the error. No bytes travel
   * for it, so a peer checks at the speed of its disk. Rejects if the node as a whole could not answer.
   */
  abstract check(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (NodeError | undefined)[]>;

  /** Deletes shards, durably. Those that are not there are no error. */
  abstract delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void>;

  /** Reads records; answers as {@link get} does. */
  abstract getRecords(keys: readonly RecordKey[], signal: AbortSignal): Promise<readonly (NodeRecord | NodeError)[]>;

  /** Deletes records, durably, but not those that have a higher revision by now. Those that are not there are no error. */
  abstract forget(heads: readonly RecordHead[], signal: AbortSignal): Promise<void>;

  /** Every record that was durable before the call and was not forgotten since, each once, in no order, with its present revision. */
  abstract listRecords(signal: AbortSignal): AsyncIterable<RecordHead>;

  /** Every shard that was durable before the call and was not deleted since, each once. Mostly stripe by stripe, version by version. Memory does not grow with their number. */
  abstract list(signal: AbortSignal): AsyncIterable<ShardId>;

  /** Proves that the node is the one it should be and can be read and written now; throws the NodeError that says why not. */
  abstract probe(signal: AbortSignal): Promise<NodeProbe>;

  /** Lets go of what it holds open; safe to call twice. Later calls reject with `unavailable`. */
  abstract close(): Promise<void>;
}
