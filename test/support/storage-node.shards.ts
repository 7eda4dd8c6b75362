import { crc32 } from 'node:zlib';
import { newId, type FileId, type VersionId } from '../../src/common/ids.js';
import type { NodeBatch, NodeRecord, RecordHead, RecordKey, Shard, ShardId, StorageNode } from '../../src/nodes/storage-node.js';

/** Looked up once: under Jest each look at a global takes longer than all the rest of a random number. */
const { imul, floor } = Math;

/** A shard with reproducible bytes that depend on its whole id, so that mixing up two shards shows. */
export function someShard(part: Partial<Shard> & { readonly size?: number } = {}): Shard {
  const { versionId = newId<VersionId>(), stripe = 0, index = 0, k = 1, m = 2, size = 100 } = part;
  const bytes = part.bytes ?? someBytes(`${versionId}/${stripe}/${index}`, size);
  return { versionId, stripe, index, k, m, bytes, checksum: part.checksum ?? crc32(bytes) };
}

export function someShards(count: number, size = 10): Shard[] {
  return Array.from({ length: count }, (_, position) => someShard({ stripe: position, index: position % 3, size }));
}

export function batchOf(shards: readonly Shard[], records: readonly NodeRecord[] = []): NodeBatch {
  return { shards, records };
}

/** A record with reproducible bytes that depend on its key and revision. */
export function someRecord(part: Partial<NodeRecord> & { readonly size?: number } = {}): NodeRecord {
  const { kind = 'manifest', id = newId<VersionId>(), page = 0, revision = 1, fileId = newId<FileId>(), size = 200 } = part;
  return { kind, id, page, revision, fileId, bytes: part.bytes ?? someBytes(`${kind}/${id}/${page}/${revision}`, size) };
}

/** A short text for a record's key and revision. */
export function headOf({ kind, id, page, revision }: RecordHead): string {
  return `${recordKeyOf({ kind, id, page })}@${revision}`;
}

export function recordKeyOf({ kind, id, page }: RecordKey): string {
  return `${kind}/${id}/${page}`;
}

/** The records that a node lists, sorted, and with duplicates. */
export async function listedHeads(node: StorageNode): Promise<string[]> {
  const heads: string[] = [];
  for await (const head of node.listRecords(never())) heads.push(headOf(head));
  return heads.toSorted();
}

/** A short text for an id, to compare sets of them. */
export function keyOf({ versionId, stripe, index }: ShardId): string {
  return `${versionId}/${stripe}/${index}`;
}

/** What a node lists, sorted, and with duplicates. */
export async function listedKeys(node: StorageNode): Promise<string[]> {
  const keys: string[] = [];
  for await (const id of node.list(never())) keys.push(keyOf(id));
  return keys.toSorted();
}

/** A signal that nobody aborts. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** A generator of numbers in [0, 1) that a seed determines (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function someBytes(name: string, size: number): Uint8Array {
  const random = randomOf(crc32(name));
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 1) bytes[at] = floor(random() * 256);
  return bytes;
}
