import {
  ENTRY_HEADER_BYTES,
  ENTRY_MAGIC_BYTES,
  EntryHeader,
  PACK_HEADER_BYTES,
  entryBytes,
  type EntryBytes,
} from './pack-format.js';

/** What is to be scanned: `read` fills the bytes from a position of the pack on, and returns how many it got. */
export interface ScanSource {
  readonly size: number;
  readonly seed: number;
  readonly read: (bytes: Uint8Array, position: number) => Promise<number>;
}

/** A stretch of a pack and where the entries in it begin. It is overwritten by the next one. */
export interface Scanned extends EntryBytes {
  /** The offset in the pack of the first of the bytes. */
  readonly start: number;
  readonly entries: readonly number[];
  /** Bytes before and between the entries that belong to none. */
  readonly strayBytes: number;
}

const CHUNK_BYTES = 1024 * 1024;

/**
 * Walks over the entries of a pack whose header is intact. What is no entry is searched for the next one, so that a damaged header costs
 * one entry and a torn end costs nothing.
 */
export async function* scanPack(source: ScanSource): AsyncGenerator<Scanned, void, undefined> {
  let chunk = entryBytes(Math.min(CHUNK_BYTES, Math.max(source.size, ENTRY_HEADER_BYTES)));
  let start = PACK_HEADER_BYTES;
  while (start < source.size) {
    const filled = await source.read(chunk.bytes, start);
    const found = entriesIn(chunk, { start, filled, source });
    yield { ...chunk, start, entries: found.entries, strayBytes: found.strayBytes };
    if (found.needed > chunk.bytes.byteLength) chunk = entryBytes(found.needed);
    else if (found.end === 0) return; // the pack ended before its size
    start += found.end;
  }
}

interface Stretch {
  readonly start: number;
  readonly filled: number;
  readonly source: ScanSource;
}

function entriesIn(chunk: EntryBytes, { start, filled, source }: Stretch) {
  const header = new EntryHeader();
  const entries: number[] = [];
  let strayBytes = 0;
  let at = 0;
  while (at + ENTRY_HEADER_BYTES <= filled) {
    const isEntry = header.read(chunk, { at, seed: source.seed, offset: start + at });
    const end = at + header.bytes;
    if (isEntry && start + end <= source.size) {
      if (end > filled) return { entries, strayBytes, end: at, needed: header.bytes };
      entries.push(at);
      at = end;
      continue;
    }
    const next = nextMagic(chunk.bytes.subarray(0, filled), at + 1);
    strayBytes += next - at;
    at = next;
  }
  const isLast = start + filled >= source.size;
  return { entries, strayBytes, end: isLast ? filled : at, needed: 0 };
}

/** Where the next entry may begin: at its magic, or at bytes at the end that may be the first ones of it. */
function nextMagic(bytes: Uint8Array, from: number): number {
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(ENTRY_MAGIC_BYTES, from);
  return at >= 0 ? at : Math.max(from, bytes.byteLength - ENTRY_MAGIC_BYTES.byteLength + 1);
}
