import { crc32 } from 'node:zlib';
import { idToBytes } from '../../common/ids.js';
import { KEY_WORDS, readKey, writeKey, type Key } from './pack-key.js';
import type { NodeIdentity } from './node-identity.js';

/** `docs/format.md` has packs and their entries byte by byte. */
export const PACK_HEADER_BYTES = 64;
export const ENTRY_HEADER_BYTES = 60;
/** The record part of a record begins with the id of its file. */
export const RECORD_PREFIX_BYTES = 16;

export const ENTRY = { shard: 1, record: 2, recordWithShard: 3, removedShards: 4, removedRecords: 5 } as const;
export type EntryKind = (typeof ENTRY)[keyof typeof ENTRY];

const PACK_MAGIC = 0x44_43_50_4b; // "DCPK"
const PACK_FORMAT = 1;
const ENTRY_MAGIC = 0x44_43_45_4e; // "DCEN"
const ENTRY_FORMAT = 1;
export const ENTRY_MAGIC_BYTES = Buffer.from('DCEN');
const PACK = {
  magic: 0,
  format: 4,
  reserved: 5,
  cluster: 8,
  node: 24,
  seq: 40,
  below: 44,
  revision: 48,
  end: 56,
  checksum: 60,
} as const;
const AT = {
  magic: 0,
  format: 4,
  kind: 5,
  k: 6,
  m: 7,
  key: 8,
  revision: 32,
  recordBytes: 40,
  payloadBytes: 44,
  recordChecksum: 48,
  payloadChecksum: 52,
  checksum: 56,
} as const;

export interface PackHeader {
  readonly seq: number;
  /** The least `packBelow` with which a shard was ever put on the node: a shard of at least that many bytes may also lie in a file. */
  readonly belowLeast: number;
  /** The highest revision of a record on the node when the pack was begun; it outlives the packs before this one. */
  readonly newestRevision: number;
}

export type DecodedPackHeader =
  | { readonly kind: 'intact'; readonly header: PackHeader }
  | { readonly kind: 'future'; readonly format: number }
  | { readonly kind: 'foreign' | 'damaged' };

export function encodePackHeader(identity: NodeIdentity, header: PackHeader): Uint8Array {
  const bytes = new Uint8Array(PACK_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(PACK.magic, PACK_MAGIC);
  view.setUint8(PACK.format, PACK_FORMAT);
  bytes.set(idToBytes(identity.clusterId), PACK.cluster);
  bytes.set(idToBytes(identity.nodeId), PACK.node);
  view.setUint32(PACK.seq, header.seq);
  view.setUint32(PACK.below, header.belowLeast);
  view.setBigUint64(PACK.revision, BigInt(header.newestRevision));
  view.setUint32(PACK.checksum, crc32(bytes.subarray(0, PACK.checksum)));
  return bytes;
}

/** Reads what a pack begins with. `foreign`: intact, but of another node or another place; the checksum is proved before anything is believed. */
export function decodePackHeader(bytes: Uint8Array, identity: NodeIdentity, seq: number): DecodedPackHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < PACK_HEADER_BYTES || view.getUint32(PACK.magic) !== PACK_MAGIC) return { kind: 'damaged' };
  if (view.getUint32(PACK.checksum) !== crc32(bytes.subarray(0, PACK.checksum))) return { kind: 'damaged' };
  const format = view.getUint8(PACK.format);
  if (format > PACK_FORMAT) return { kind: 'future', format };
  const newestRevision = Number(view.getBigUint64(PACK.revision));
  if (format !== PACK_FORMAT || !Number.isSafeInteger(newestRevision)) return { kind: 'damaged' };
  const ids = Buffer.concat([idToBytes(identity.clusterId), idToBytes(identity.nodeId)]);
  const isOurs = ids.equals(bytes.subarray(PACK.cluster, PACK.seq)) && view.getUint32(PACK.seq) === seq;
  return isOurs
    ? { kind: 'intact', header: { seq, belowLeast: view.getUint32(PACK.below), newestRevision } }
    : { kind: 'foreign' };
}

/**
 * What the checksums of a pack's entries begin with. With it (and the offset) an entry is believed only in its own place: never one of
 * another node, a stale block that a disk gives back, or one that lies inside a payload somebody made up.
 */
export function packSeed({ clusterId, nodeId }: NodeIdentity, seq: number): number {
  return crc32(`${clusterId}/${nodeId}/${seq}`);
}

/** Bytes to which entries are written, or in which they were read. */
export interface EntryBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export function entryBytes(size: number): EntryBytes {
  const { buffer } = Buffer.allocUnsafeSlow(size);
  return { bytes: new Uint8Array(buffer), view: new DataView(buffer) };
}

/** Where an entry is: in the bytes at hand, and in which pack at which offset. */
export interface EntryPlace {
  readonly at: number;
  readonly seed: number;
  readonly offset: number;
}

/** The fixed part of an entry. One object is used for many: reading allocates nothing. */
export class EntryHeader {
  kind: EntryKind = ENTRY.shard;
  k = 0;
  m = 0;
  /** For a record with a shard: the key of the shard. For removals: nothing but the count of keys. */
  readonly key: Key = new Uint32Array(KEY_WORDS);
  revision = 0;
  recordBytes = 0;
  payloadBytes = 0;
  recordChecksum = 0;
  payloadChecksum = 0;

  get bytes(): number {
    return ENTRY_HEADER_BYTES + this.recordBytes + this.payloadBytes;
  }

  write({ bytes, view }: EntryBytes, { at, seed, offset }: EntryPlace): void {
    view.setUint32(at + AT.magic, ENTRY_MAGIC);
    view.setUint32(at + AT.format, (ENTRY_FORMAT << 24) | (this.kind << 16) | (this.k << 8) | this.m);
    writeKey(view, at + AT.key, this.key);
    const high = Math.floor(this.revision / 2 ** 32);
    view.setUint32(at + AT.revision, high);
    view.setUint32(at + AT.revision + 4, this.revision - high * 2 ** 32);
    view.setUint32(at + AT.recordBytes, this.recordBytes);
    view.setUint32(at + AT.payloadBytes, this.payloadBytes);
    view.setUint32(at + AT.recordChecksum, this.recordChecksum);
    view.setUint32(at + AT.payloadChecksum, this.payloadChecksum);
    view.setUint32(at + AT.checksum, crc32(bytes.subarray(at, at + AT.checksum), (seed ^ offset) >>> 0));
  }

  /** False if there is no intact header of an entry of this place. */
  read(source: EntryBytes, { at, seed, offset }: EntryPlace): boolean {
    const { bytes, view } = source;
    if (at + ENTRY_HEADER_BYTES > bytes.byteLength || view.getUint32(at) !== ENTRY_MAGIC) return false;
    const checksum = crc32(bytes.subarray(at, at + AT.checksum), (seed ^ offset) >>> 0);
    if (view.getUint32(at + AT.checksum) !== checksum || view.getUint8(at + AT.format) !== ENTRY_FORMAT) return false;
    this.readProven(view, at);
    return this.kind >= ENTRY.shard && this.kind <= ENTRY.removedRecords && Number.isSafeInteger(this.revision);
  }

  /** Reads a header that was proved before. */
  readProven(view: DataView, at: number): void {
    this.kind = view.getUint8(at + AT.kind) as EntryKind;
    this.k = view.getUint8(at + AT.k);
    this.m = view.getUint8(at + AT.m);
    readKey(view, at + AT.key, this.key);
    this.revision = view.getUint32(at + AT.revision) * 2 ** 32 + view.getUint32(at + AT.revision + 4);
    this.recordBytes = view.getUint32(at + AT.recordBytes);
    this.payloadBytes = view.getUint32(at + AT.payloadBytes);
    this.recordChecksum = view.getUint32(at + AT.recordChecksum);
    this.payloadChecksum = view.getUint32(at + AT.payloadChecksum);
  }

  /** True if what follows the header is what was written. */
  isWhole(bytes: Uint8Array, at: number): boolean {
    return this.isRecordWhole(bytes, at) && this.isPayloadWhole(bytes, at);
  }

  isRecordWhole(bytes: Uint8Array, at: number): boolean {
    const record = at + ENTRY_HEADER_BYTES;
    return this.recordBytes === 0 || crc32(bytes.subarray(record, record + this.recordBytes)) === this.recordChecksum;
  }

  /** True if the payload is what was put; a record that rides with it may be damaged. */
  isPayloadWhole(bytes: Uint8Array, at: number): boolean {
    const payload = at + ENTRY_HEADER_BYTES + this.recordBytes;
    return crc32(bytes.subarray(payload, payload + this.payloadBytes)) === this.payloadChecksum;
  }
}
