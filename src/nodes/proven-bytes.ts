import { crc32 } from 'node:zlib';

const checksums = new WeakMap<Uint8Array, number>();

/** Notes the checksum that bytes were just compared with, so that whoever puts them elsewhere carries on that one. They must not be changed. */
export function noteProven(bytes: Uint8Array, checksum: number): void {
  checksums.set(bytes, checksum);
}

/** The checksum of bytes: the one that they were proven by, if they were, so that what spoils them in memory is not taken for what was put. */
export function checksumOf(bytes: Uint8Array): number {
  return checksums.get(bytes) ?? crc32(bytes);
}
