import { crc32 } from 'node:zlib';
import { idToBytes } from '../../common/ids.js';
import {
  NodeError,
  RECORD_BYTES_MAX,
  type NodeBatch,
  type NodeRecord,
  type RecordHead,
  type Shard,
  type ShardId,
} from '../storage-node.js';
import { ENTRY, ENTRY_HEADER_BYTES, EntryHeader, RECORD_PREFIX_BYTES, type EntryBytes } from './pack-format.js';
import { REMOVED_RECORD_BYTES, writeRevision } from './pack-index.js';
import { KEY_BYTES, KeyEncoder, writeKey } from './pack-key.js';
import { brokenShard } from './shard-format.js';

/** Where a writing is composed to: into which bytes, and what these will be in the pack. */
export interface Target extends EntryBytes {
  readonly seed: number;
  /** The offset in the pack of the first of the bytes. */
  readonly start: number;
}

/** Entries to be appended. Composed at the last moment, when it is known where they will lie and what was written before them. */
export interface Writing {
  /** No more than this many bytes. */
  readonly bytesMax: number;
  /** Writes the entries; returns where they end. */
  compose(target: Target, at: number): number;
}

/** A shard up to this many bytes may ride in the manifest of its version: a slice of 16 KiB and what sealing adds. */
const RIDER_BYTES_MAX = 17 * 1024;
/** A writing is cut into ones of about this size, so that a large batch lets others in between. */
const WRITING_BYTES = 512 * 1024;
const REMOVED_KEYS_MAX = 4096;

type Item = { readonly shard: Shard; readonly record?: NodeRecord } | { readonly shard?: undefined; readonly record: NodeRecord };

/** The writings that put a batch. Throws `rejected` for what the format cannot hold. */
export function putWritings(batch: NodeBatch): Writing[] {
  const items = itemsOf(batch);
  const writings: Writing[] = [];
  let part: Item[] = [];
  let bytesMax = 0;
  for (const item of items) {
    part.push(item);
    bytesMax += ENTRY_HEADER_BYTES + (item.shard?.bytes.byteLength ?? 0);
    if (item.record !== undefined) bytesMax += RECORD_PREFIX_BYTES + item.record.bytes.byteLength;
    if (bytesMax < WRITING_BYTES) continue;
    writings.push(new PutWriting(part, bytesMax));
    part = [];
    bytesMax = 0;
  }
  if (part.length > 0) writings.push(new PutWriting(part, bytesMax));
  return writings;
}

/** The writings that remove shards. */
export function removeShardsWritings(ids: readonly ShardId[]): Writing[] {
  const encoder = new KeyEncoder();
  return inParts(ids).map((part) => ({
    bytesMax: ENTRY_HEADER_BYTES + part.length * KEY_BYTES,
    compose: (target, at) =>
      composeRemoval(target, at, {
        kind: ENTRY.removedShards,
        keyBytes: KEY_BYTES,
        count: part.length,
        write: (position, index) => writeKey(target.view, position, encoder.shard(part[index] as ShardId)),
      }),
  }));
}

/** The writings that remove records. */
export function removeRecordsWritings(heads: readonly RecordHead[]): Writing[] {
  const encoder = new KeyEncoder();
  return inParts(heads).map((part) => ({
    bytesMax: ENTRY_HEADER_BYTES + part.length * REMOVED_RECORD_BYTES,
    compose: (target, at) =>
      composeRemoval(target, at, {
        kind: ENTRY.removedRecords,
        keyBytes: REMOVED_RECORD_BYTES,
        count: part.length,
        write: (position, index) => {
          const head = part[index] as RecordHead;
          writeKey(target.view, position, encoder.record(head));
          writeRevision(target.view, position + KEY_BYTES, head.revision);
        },
      }),
  }));
}

export interface Removal {
  readonly kind: typeof ENTRY.removedShards | typeof ENTRY.removedRecords;
  readonly keyBytes: number;
  readonly count: number;
  /** Writes the key (and revision) of this index at a position. */
  readonly write: (position: number, index: number) => void;
}

export function composeRemoval(target: Target, at: number, removal: Removal): number {
  const record = at + ENTRY_HEADER_BYTES;
  const end = record + removal.count * removal.keyBytes;
  for (let index = 0; index < removal.count; index += 1) removal.write(record + index * removal.keyBytes, index);
  const header = new EntryHeader();
  header.kind = removal.kind;
  header.key[5] = removal.count;
  header.recordBytes = end - record;
  header.recordChecksum = crc32(target.bytes.subarray(record, end));
  header.write(target, { at, seed: target.seed, offset: target.start + at });
  return end;
}

export function requireRevision(revision: number): void {
  if (!Number.isSafeInteger(revision) || revision < 0)
    throw new NodeError('rejected', `revision ${revision} is no safe whole number`);
}

class PutWriting implements Writing {
  private readonly header = new EntryHeader();
  private readonly keys = new KeyEncoder();

  constructor(
    private readonly items: readonly Item[],
    readonly bytesMax: number,
  ) {}

  compose(target: Target, from: number): number {
    let at = from;
    for (const { shard, record } of this.items) {
      const payload = this.setRecord(target, at + ENTRY_HEADER_BYTES, record);
      if (shard === undefined) this.setNoShard(record);
      else this.setShard(target, payload, { shard, rides: record !== undefined });
      this.header.write(target, { at, seed: target.seed, offset: target.start + at });
      at = payload + this.header.payloadBytes;
    }
    return at;
  }

  /** Returns where the record part ends. */
  private setRecord(target: Target, from: number, record: NodeRecord | undefined): number {
    const { header } = this;
    header.revision = header.recordBytes = header.recordChecksum = 0;
    if (record === undefined) return from;
    target.bytes.set(idToBytes(record.fileId), from);
    target.bytes.set(record.bytes, from + RECORD_PREFIX_BYTES);
    header.revision = record.revision;
    header.recordBytes = RECORD_PREFIX_BYTES + record.bytes.byteLength;
    header.recordChecksum = crc32(target.bytes.subarray(from, from + header.recordBytes));
    return from + header.recordBytes;
  }

  private setShard(target: Target, from: number, { shard, rides }: { readonly shard: Shard; readonly rides: boolean }): void {
    const { header } = this;
    header.kind = rides ? ENTRY.recordWithShard : ENTRY.shard;
    header.key.set(this.keys.shard(shard));
    header.k = shard.k;
    header.m = shard.m;
    header.payloadBytes = shard.bytes.byteLength;
    header.payloadChecksum = shard.checksum;
    target.bytes.set(shard.bytes, from);
  }

  private setNoShard(record: NodeRecord): void {
    const { header } = this;
    header.kind = ENTRY.record;
    header.key.set(this.keys.record(record));
    header.k = header.m = header.payloadBytes = header.payloadChecksum = 0;
  }
}

/** What is written as one entry each: shards, records, and manifests with the shard that rides in them. */
function itemsOf({ shards, records }: NodeBatch): Item[] {
  const keys = new KeyEncoder();
  const riders = new Set<Shard>();
  const mayRide = new Map(shards.filter(isSmallFirst).map((shard) => [shard.versionId as string, shard]));
  const items: Item[] = records.map((record) => {
    requireRecord(record, keys);
    const rider = record.kind === 'manifest' ? mayRide.get(record.id) : undefined;
    if (rider === undefined) return { record };
    riders.add(rider);
    requireShard(rider, keys);
    return { record, shard: rider };
  });
  for (const shard of shards) {
    if (riders.has(shard)) continue;
    requireShard(shard, keys);
    items.push({ shard });
  }
  return items;
}

/** Refuses what no format can hold, before any of a batch is written. */
export function requireBatch({ shards, records }: NodeBatch): void {
  const keys = new KeyEncoder();
  for (const record of records) requireRecord(record, keys);
  for (const shard of shards) requireShard(shard, keys);
}

/** Whether it rides in the manifest of its version, if that comes with it. */
function isSmallFirst({ stripe, bytes }: Shard): boolean {
  return stripe === 0 && bytes.byteLength <= RIDER_BYTES_MAX;
}

function requireShard(shard: Shard, keys: KeyEncoder): void {
  keys.shard(shard);
  const { stripe, index, k, m, bytes, checksum } = shard;
  const broken = brokenShard({ stripe, index, k, m, payloadBytes: bytes.byteLength, payloadChecksum: checksum });
  if (broken !== undefined) throw new NodeError('rejected', broken);
}

function requireRecord(record: NodeRecord, keys: KeyEncoder): void {
  keys.record(record);
  keys.record({ kind: 'tombstone', id: record.fileId, page: 0 }); // for what is no id
  requireRevision(record.revision);
  if (record.bytes.byteLength > RECORD_BYTES_MAX)
    throw new NodeError('rejected', `a record of ${record.bytes.byteLength} bytes is more than ${RECORD_BYTES_MAX}`);
}

function inParts<Item>(items: readonly Item[]): Item[][] {
  const parts: Item[][] = [];
  for (let from = 0; from < items.length; from += REMOVED_KEYS_MAX) parts.push(items.slice(from, from + REMOVED_KEYS_MAX));
  return parts;
}
