import { crc32 } from 'node:zlib';
import { idFromBytes, idToBytes, type AnyId, type ClusterId, type VersionId } from '../../common/ids.js';
import type { ShardId } from '../storage-node.js';

/** What the file of a shard begins with; `docs/format.md` has it byte by byte. */
export interface ShardHeader extends ShardId {
  readonly clusterId: ClusterId;
  readonly k: number;
  readonly m: number;
  readonly payloadBytes: number;
  readonly payloadChecksum: number;
}

/** `foreign`: no file of ours. `future`: intact, but written by a newer program. `damaged`: ours once, and changed since. */
export type DecodedHeader =
  | { readonly kind: 'intact'; readonly header: ShardHeader }
  | { readonly kind: 'future'; readonly version: number }
  | { readonly kind: 'foreign' | 'damaged' };

export const SHARD_HEADER_BYTES = 64;
/** Four times the largest slice: a bound on what one damaged or hostile length can make us allocate. */
export const SHARD_PAYLOAD_BYTES_MAX = 256 * 1024 * 1024;

const FORMAT_VERSION = 1;
const MAGIC = 0x44_43_53_48; // "DCSH"
const OFFSET = {
  magic: 0,
  version: 4,
  k: 5,
  m: 6,
  index: 7,
  cluster: 8,
  versionId: 24,
  stripe: 40,
  payloadBytes: 48,
  payloadChecksum: 52,
  reserved: 56,
  checksum: 60,
} as const;

/** The first rule of the format that the fields break, in words. */
export function brokenShard(shard: Omit<ShardHeader, 'clusterId' | 'versionId'>): string | undefined {
  if (!isWithin(shard.stripe, 0, Number.MAX_SAFE_INTEGER)) return `stripe ${shard.stripe} is no safe whole number`;
  if (!isWithin(shard.index, 0, 255)) return `index ${shard.index} is not within 0 to 255`;
  if (!isWithin(shard.k, 1, 255) || !isWithin(shard.m, 0, 255))
    return `k ${shard.k} and m ${shard.m} are not within 1 to 255 and 0 to 255`;
  if (!isWithin(shard.payloadBytes, 0, SHARD_PAYLOAD_BYTES_MAX))
    return `${shard.payloadBytes} bytes are more than ${SHARD_PAYLOAD_BYTES_MAX}`;
  if (!isWithin(shard.payloadChecksum, 0, 0xff_ff_ff_ff)) return `checksum ${shard.payloadChecksum} is no unsigned 32 bit number`;
  return undefined;
}

/** The 64 bytes of a header whose fields keep the rules of {@link brokenShard}. */
export function encodeShardHeader(header: ShardHeader): Uint8Array {
  const bytes = new Uint8Array(SHARD_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(OFFSET.magic, MAGIC);
  view.setUint8(OFFSET.version, FORMAT_VERSION);
  view.setUint8(OFFSET.k, header.k);
  view.setUint8(OFFSET.m, header.m);
  view.setUint8(OFFSET.index, header.index);
  bytes.set(idToBytes(header.clusterId), OFFSET.cluster);
  bytes.set(idToBytes(header.versionId), OFFSET.versionId);
  view.setBigUint64(OFFSET.stripe, BigInt(header.stripe));
  view.setUint32(OFFSET.payloadBytes, header.payloadBytes);
  view.setUint32(OFFSET.payloadChecksum, header.payloadChecksum);
  view.setUint32(OFFSET.checksum, crc32(bytes.subarray(0, OFFSET.checksum)));
  return bytes;
}

/**
 * Reads the header that a file begins with. The checksum is proved before the version is believed (its place is the same in every
 * version), so a flipped bit in the version is damage, to be repaired, and not a newer program's shard, to be left alone.
 */
export function decodeShardHeader(file: Uint8Array): DecodedHeader {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.byteLength < 4 || view.getUint32(OFFSET.magic) !== MAGIC) return { kind: 'foreign' };
  if (file.byteLength < SHARD_HEADER_BYTES) return { kind: 'damaged' };
  if (view.getUint32(OFFSET.checksum) !== crc32(file.subarray(0, OFFSET.checksum))) return { kind: 'damaged' };
  const version = view.getUint8(OFFSET.version);
  if (version > FORMAT_VERSION) return { kind: 'future', version };
  if (version !== FORMAT_VERSION || view.getUint32(OFFSET.reserved) !== 0) return { kind: 'damaged' };
  const fields = {
    k: view.getUint8(OFFSET.k),
    m: view.getUint8(OFFSET.m),
    index: view.getUint8(OFFSET.index),
    stripe: Number(view.getBigUint64(OFFSET.stripe)),
    payloadBytes: view.getUint32(OFFSET.payloadBytes),
    payloadChecksum: view.getUint32(OFFSET.payloadChecksum),
  };
  const clusterId = idAt(file, OFFSET.cluster) as ClusterId | undefined;
  const versionId = idAt(file, OFFSET.versionId) as VersionId | undefined;
  if (clusterId === undefined || versionId === undefined || brokenShard(fields) !== undefined) return { kind: 'damaged' };
  return { kind: 'intact', header: { ...fields, clusterId, versionId } };
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

function idAt(bytes: Uint8Array, offset: number): AnyId | undefined {
  try {
    return idFromBytes(bytes, offset);
  } catch {
    return undefined;
  }
}
