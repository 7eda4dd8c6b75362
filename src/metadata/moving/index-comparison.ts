import { createHash } from 'node:crypto';
import type { IndexRows, RowKind, RowTable, RowTypes } from './index-transfer.js';
import { ROW_CODECS } from './row-codecs.js';

/** In the order in which they are gone through. */
export const ROW_KINDS = Object.keys(ROW_CODECS) as readonly RowKind[];

/** What an index has of one kind. */
export interface KindDigest {
  readonly kind: RowKind;
  readonly count: number;
  /** SHA-256 of all rows in their order, in hexadecimal. */
  readonly digest: string;
}

/** Rows that are removed from the target with one change. */
const REMOVED_MAX = 256;

/** Told of each part that was gone through. */
export type RowsListener = (kind: RowKind, rows: number) => void;

export interface Reading {
  readonly signal: AbortSignal;
  readonly onRows: RowsListener;
}

/** Walks over all rows of a kind. */
export async function digestOf(rows: IndexRows, kind: RowKind, reading: Reading): Promise<KindDigest> {
  return digest(rows[kind], kind, reading);
}

async function digest<Kind extends RowKind>(table: RowTable<RowTypes[Kind]>, kind: Kind, reading: Reading): Promise<KindDigest> {
  const { bytes } = ROW_CODECS[kind];
  const hash = createHash('sha256');
  let count = 0;
  for await (const page of pagesOf(table, reading.signal)) {
    for (const row of page) {
      const encoded = bytes(row);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(encoded.length);
      hash.update(length).update(encoded);
    }
    count += page.length;
    reading.onRows(kind, page.length);
  }
  return { kind, count, digest: hash.digest('hex') };
}

/** Makes the rows of a kind in one index those of another. Reads both, and writes only where they differ; returns how many rows did. */
export function align<Kind extends RowKind>(kind: Kind, from: IndexRows, to: IndexRows, reading: Reading): Promise<number> {
  return alignTable(kind, from[kind], to[kind], reading);
}

async function alignTable<Kind extends RowKind>(
  kind: Kind,
  source: RowTable<RowTypes[Kind]>,
  target: RowTable<RowTypes[Kind]>,
  { signal, onRows }: Reading,
): Promise<number> {
  const { key, bytes } = ROW_CODECS[kind];
  const there = new RowCursor(target, signal);
  let changed = 0;
  let remove: RowTypes[Kind][] = [];
  const write = async (put: readonly RowTypes[Kind][]): Promise<void> => {
    if (put.length + remove.length > 0) await target.write({ put, remove }, signal);
    changed += put.length + remove.length;
    remove = [];
  };
  /** Takes out what lies before a key, and returns the row that has it. */
  const seek = async (wanted: Uint8Array | undefined): Promise<RowTypes[Kind] | undefined> => {
    for (let row = await there.peek(); row !== undefined; row = await there.peek()) {
      const order = wanted === undefined ? -1 : Buffer.compare(key(row), wanted);
      if (order > 0) return undefined;
      there.skip();
      if (order === 0) return row;
      remove.push(row);
      if (remove.length >= REMOVED_MAX) await write([]);
    }
    return undefined;
  };
  for await (const page of pagesOf(source, signal)) {
    const put: RowTypes[Kind][] = [];
    for (const row of page) {
      const other = await seek(key(row));
      if (other === undefined || Buffer.compare(bytes(row), bytes(other)) !== 0) put.push(row);
    }
    await write(put);
    onRows(kind, page.length);
  }
  await seek(undefined);
  await write([]);
  return changed;
}

async function* pagesOf<Row>(table: RowTable<Row>, signal: AbortSignal): AsyncGenerator<readonly Row[], void, undefined> {
  for (let after: Row | undefined; ;) {
    const page = await table.read(after, signal);
    after = page.at(-1);
    if (after === undefined) return;
    yield page;
  }
}

/** Goes through the rows of a table one by one. What is written behind its place meanwhile, it does not see. */
class RowCursor<Row> {
  private page: readonly Row[] = [];
  private at = 0;
  private isAtEnd = false;

  constructor(
    private readonly table: RowTable<Row>,
    private readonly signal: AbortSignal,
  ) {}

  async peek(): Promise<Row | undefined> {
    if (this.at < this.page.length || this.isAtEnd) return this.page[this.at];
    this.page = await this.table.read(this.page.at(-1), this.signal);
    this.at = 0;
    this.isAtEnd = this.page.length === 0;
    return this.page[0];
  }

  skip(): void {
    this.at += 1;
  }
}
