import { crc32 } from 'node:zlib';
import { free } from '../common/release.js';

/** Bytes that were read into a buffer of their own, with the checksum that they were proven by, if they were. */
const checksums = new WeakMap<Uint8Array, number | undefined>();

/** Notes that bytes have a buffer of their own, which is the reader's alone, and the checksum that they were just compared with. */
export function noteRead(bytes: Uint8Array, checksum: number): void {
  checksums.set(bytes, checksum);
}

/** The same of bytes of which no checksum is known. */
export function noteOwn(bytes: Uint8Array): void {
  checksums.set(bytes, undefined);
}

/** The checksum that bytes were proven by, if they were. */
export function provenChecksum(bytes: Uint8Array): number | undefined {
  return checksums.get(bytes);
}

/** The checksum of bytes: the one that they were proven by, if they were, so that what spoils them in memory is not taken for what was put. */
export function checksumOf(bytes: Uint8Array): number {
  return checksums.get(bytes) ?? crc32(bytes);
}

/**
 * Gives back the memory of bytes that were read, at once, if it is theirs alone; nobody may use them any more, no call that is under way
 * either. Else the collector of garbage has to run for every few dozen of large shards, and takes a third of the time of a copy.
 */
export function letGo(bytes: Uint8Array): void {
  if (checksums.delete(bytes)) free(bytes.buffer);
}
