import { crc32 } from 'node:zlib';
import type { ClusterId } from '../../common/ids.js';
import { free } from '../../common/release.js';
import { noteRead } from '../read-bytes.js';
import { NodeError, type Shard, type ShardId } from '../storage-node.js';
import { readFrom, type ReadInto } from './durable-files.js';
import { SHARD_HEADER_BYTES, brokenShard, decodeShardHeader, encodeShardHeader, type ShardHeader } from './shard-format.js';

/** What a file holds as far as its header says, and one byte more if there is one: then it is longer than it should be. */
export interface ShardFile {
  readonly header: ShardHeader;
  readonly bytes: Uint8Array;
}

/** The parts of a shard's file, ready to be written in one go. Throws `rejected` for a shard that the format cannot hold. */
export function shardFileParts(clusterId: ClusterId, shard: Shard): readonly Uint8Array[] {
  const { versionId, stripe, index, k, m } = shard;
  const header = {
    clusterId,
    versionId,
    stripe,
    index,
    k,
    m,
    payloadBytes: shard.bytes.byteLength,
    payloadChecksum: shard.checksum,
  };
  const broken = brokenShard(header);
  if (broken !== undefined) throw new NodeError('rejected', broken);
  return [encodeShardHeader(header), shard.bytes];
}

/**
 * Reads a shard's file with as few system calls as can be: open, one read of `bytesExpected` and a byte, close. One byte more than
 * expected is asked for, so that a read that ends at the expected length also proves that the file does. Only a file longer than
 * expected takes a second read, as long as its own, checked header says; so no length on the disk can make this allocate at will.
 */
export function readShardFile(path: string, bytesExpected: number): Promise<ShardFile> {
  return readFrom(path, async (readInto) => {
    const guess = new Uint8Array(Buffer.allocUnsafeSlow(Math.max(bytesExpected, SHARD_HEADER_BYTES) + 1).buffer);
    let filled = await readInto(guess);
    if (filled < SHARD_HEADER_BYTES) filled += await fill(readInto, guess.subarray(filled, SHARD_HEADER_BYTES));
    const header = intactHeader(guess.subarray(0, filled));
    const fileBytes = SHARD_HEADER_BYTES + header.payloadBytes;
    if (filled === fileBytes && filled < guess.byteLength) return { header, bytes: fitted(guess, filled) };
    const whole = fileBytes < guess.byteLength ? guess : grown(guess.subarray(0, filled), fileBytes + 1);
    filled += await fill(readInto, whole.subarray(filled, fileBytes + 1));
    return { header, bytes: fitted(whole, filled) };
  });
}

/** The payload of a shard's file, without a copy. Throws `corrupt` if it is not the shard that was asked for, whole and as it was put. */
export function provenPayload(file: ShardFile, clusterId: ClusterId, id: ShardId): Uint8Array {
  const { header, bytes } = file;
  const isTheOne =
    header.clusterId === clusterId &&
    header.versionId === id.versionId &&
    header.stripe === id.stripe &&
    header.index === id.index;
  if (!isTheOne) throw new NodeError('corrupt', 'the file is that of another shard');
  const payload = bytes.subarray(SHARD_HEADER_BYTES);
  if (payload.byteLength !== header.payloadBytes)
    throw new NodeError(
      'corrupt',
      `the file is ${bytes.byteLength > SHARD_HEADER_BYTES + header.payloadBytes ? 'longer' : 'shorter'} than it was`,
    );
  if (crc32(payload) !== header.payloadChecksum) throw new NodeError('corrupt', 'the payload is not what was put');
  noteRead(payload, header.payloadChecksum);
  return payload;
}

function intactHeader(file: Uint8Array): ShardHeader {
  const decoded = decodeShardHeader(file);
  if (decoded.kind === 'intact') return decoded.header;
  if (decoded.kind === 'future')
    throw new NodeError('rejected', `the file is of format ${decoded.version}: written by a newer program`);
  throw new NodeError('corrupt', decoded.kind === 'foreign' ? 'the file is no shard' : 'the header is damaged');
}

/** Reads until the bytes are full or the file ends; returns how many it read. */
async function fill(readInto: ReadInto, bytes: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < bytes.byteLength) {
    const got = await readInto(bytes.subarray(filled));
    if (got === 0) break;
    filled += got;
  }
  return filled;
}

/** The same bytes at the beginning of a larger buffer; their own is given back. */
function grown(bytes: Uint8Array, size: number): Uint8Array {
  const larger = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
  larger.set(bytes);
  free(bytes.buffer);
  return larger;
}

/**
 * The first bytes of a buffer: a view, or a copy if a view would keep more than twice the memory that its owner counts with. The buffer is given
 * back then: where small files are read between large ones, each of them would leave a large one to the collector of garbage.
 */
function fitted(buffer: Uint8Array, size: number): Uint8Array {
  if (buffer.byteLength <= 2 * (size + SHARD_HEADER_BYTES)) return buffer.subarray(0, size);
  const copy = buffer.slice(0, size);
  free(buffer.buffer);
  return copy;
}
