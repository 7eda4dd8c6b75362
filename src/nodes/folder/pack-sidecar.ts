import { readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { ENTRY, ENTRY_HEADER_BYTES, EntryHeader, type EntryBytes } from './pack-format.js';

const MAGIC = 0x44_43_50_49; // "DCPI"
const FORMAT = 1;
const HEADER_BYTES = 32;
const OFFSET = { magic: 0, format: 4, seq: 8, packBytes: 12, rows: 16, rowBytes: 20 } as const;
const ROW_PREFIX_BYTES = 4;
const FIRST_BYTES = 4096;

/** Which pack a sidecar is of, as it lies there now. */
export interface SidecarOf {
  readonly seq: number;
  readonly seed: number;
  readonly packBytes: number;
}

/**
 * The rows of a pack's sidecar: each the offset of an entry, its header, and the keys of a removal. That is the pack without what makes
 * it large, so an opening takes it in as it would the pack.
 */
export class SidecarRows {
  private rows = 0;
  private filled = HEADER_BYTES;
  private bytes = new Uint8Array(FIRST_BYTES);
  private view = new DataView(this.bytes.buffer);

  get count(): number {
    return this.rows;
  }

  /** Adds an entry that was proved. */
  add(header: EntryHeader, bytes: Uint8Array, at: number, offset: number): void {
    const end = at + ENTRY_HEADER_BYTES + keyBytes(header);
    this.reserve(ROW_PREFIX_BYTES + end - at);
    this.view.setUint32(this.filled, offset);
    this.bytes.set(bytes.subarray(at, end), this.filled + ROW_PREFIX_BYTES);
    this.filled += ROW_PREFIX_BYTES + end - at;
    this.rows += 1;
  }

  /** The file, whole. */
  encode({ seq, seed, packBytes }: SidecarOf): Uint8Array {
    this.reserve(4);
    const { view } = this;
    view.setUint32(OFFSET.magic, MAGIC);
    view.setUint8(OFFSET.format, FORMAT);
    view.setUint32(OFFSET.seq, seq);
    view.setUint32(OFFSET.packBytes, packBytes);
    view.setUint32(OFFSET.rows, this.rows);
    view.setUint32(OFFSET.rowBytes, this.filled - HEADER_BYTES);
    view.setUint32(this.filled, crc32(this.bytes.subarray(0, this.filled), seed));
    return this.bytes.subarray(0, this.filled + 4);
  }

  private reserve(count: number): void {
    if (this.filled + count <= this.bytes.byteLength) return;
    const larger = new Uint8Array(this.bytes.byteLength * 2 + count);
    larger.set(this.bytes.subarray(0, this.filled));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

/** The entries of a sidecar; undefined if it is missing, damaged, of another format or not of the pack as it is now. */
export async function readSidecar(path: string, of: SidecarOf): Promise<EntryBytes | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch {
    return undefined; // whatever the reason: the pack itself says all that it says
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength - 4;
  if (end < HEADER_BYTES || view.getUint32(end) !== crc32(bytes.subarray(0, end), of.seed)) return undefined;
  const isOfPack =
    view.getUint32(OFFSET.magic) === MAGIC &&
    view.getUint8(OFFSET.format) === FORMAT &&
    view.getUint32(OFFSET.seq) === of.seq &&
    view.getUint32(OFFSET.packBytes) === of.packBytes &&
    view.getUint32(OFFSET.rowBytes) === end - HEADER_BYTES;
  if (!isOfPack) return undefined;
  const rows = bytes.subarray(HEADER_BYTES, end);
  return { bytes: rows, view: new DataView(rows.buffer, rows.byteOffset, rows.byteLength) };
}

/** Goes through the rows from a position on, at most `count` of them; returns the position after the last. */
export function eachRow(
  { view }: EntryBytes,
  range: { readonly from: number; readonly count: number },
  take: (header: EntryHeader, at: number, offset: number) => void,
): number {
  const header = new EntryHeader();
  let at = range.from;
  for (let row = 0; row < range.count && at + ROW_PREFIX_BYTES + ENTRY_HEADER_BYTES <= view.byteLength; row += 1) {
    const entry = at + ROW_PREFIX_BYTES;
    header.readProven(view, entry);
    take(header, entry, view.getUint32(at));
    at = entry + ENTRY_HEADER_BYTES + keyBytes(header);
  }
  return at;
}

/** Bytes of the record part that a row repeats: the keys of a removal. */
function keyBytes(header: EntryHeader): number {
  return header.kind === ENTRY.removedShards || header.kind === ENTRY.removedRecords ? header.recordBytes : 0;
}
