import { ByteReader, ByteWriter } from '../common/byte-codec.js';
import { ERRORS, type ErrorCode } from '../common/errors.js';
import { idFromBytes, idToBytes, type FileId, type VersionId } from '../common/ids.js';
import type { VersionSeal } from '../crypto/version-keys.js';
import type { AdoptedStripes } from '../redundancy/version-writer.js';

/** What a peer needs to store the body of a version itself. */
export interface StoreTicket {
  readonly fileId: FileId;
  readonly versionId: VersionId;
  /** Of its stripes. */
  readonly k: number;
  readonly m: number;
  readonly sliceBytes: number;
  /** Of the body, as it comes from the client. */
  readonly bytes: number;
  /** The key of the key ring that wraps the version's key. */
  readonly kekId: string;
  /** Files on each node, those in flight included: the node with the fewest is chosen first. */
  readonly files: ReadonlyMap<number, number>;
}

/** What became of it. All that may lie on a node is in it, whatever that was. */
export type StoreReport = AdoptedStripes &
  (
    | { readonly kind: 'stored'; readonly size: number; readonly sealedSize: number; readonly seal: VersionSeal }
    | { readonly kind: 'failed'; readonly code: ErrorCode; readonly detail: string }
  );

const FORMAT = 1;
const ID_BYTES = 16;
const KINDS = ['stored', 'failed'] as const;

export function encodeStoreTicket({ fileId, versionId, k, m, sliceBytes, bytes, kekId, files }: StoreTicket): Uint8Array {
  const writer = new ByteWriter().number(FORMAT).fixed(idToBytes(fileId)).fixed(idToBytes(versionId));
  writer.number(k).number(m).number(sliceBytes).number(bytes).text(kekId).number(files.size);
  for (const [node, count] of files) writer.number(node).number(Math.max(0, count));
  return writer.finish();
}

/** @throws Error for what is no ticket of this format */
export function decodeStoreTicket(source: Uint8Array): StoreTicket {
  const reader = begin(source);
  const fileId = idFromBytes<FileId>(reader.fixed(ID_BYTES));
  const versionId = idFromBytes<VersionId>(reader.fixed(ID_BYTES));
  const [k, m, sliceBytes, bytes] = [reader.number(), reader.number(), reader.number(), reader.number()];
  const kekId = reader.text();
  const files = new Map<number, number>();
  for (let left = reader.number(); left > 0; left -= 1) files.set(reader.number(), reader.number());
  reader.end();
  return { fileId, versionId, k, m, sliceBytes, bytes, kekId, files };
}

export function encodeStoreReport(report: StoreReport): Uint8Array {
  const writer = new ByteWriter().number(FORMAT).number(KINDS.indexOf(report.kind)).number(report.rows.length);
  for (const row of report.rows) {
    writer.number(row.length);
    for (const node of row) writer.number(node);
  }
  writer.number(report.strays.length);
  for (const { node, stripe, index } of report.strays) writer.number(node).number(stripe).number(index);
  if (report.kind === 'failed') return writer.text(report.code).text(report.detail).finish();
  const { size, sealedSize, seal } = report;
  writer.number(size).number(sealedSize).text(seal.kekId);
  return writer.bytes(seal.wrappedKey).bytes(seal.header).bytes(seal.sealedDigest).finish();
}

/** @throws Error for what is no report of this format */
export function decodeStoreReport(source: Uint8Array): StoreReport {
  const reader = begin(source);
  const kind = KINDS[reader.number()];
  const rows = list(reader, () => list(reader, () => reader.number()));
  const strays = list(reader, () => ({ node: reader.number(), stripe: reader.number(), index: reader.number() }));
  const rest = kind === 'stored' ? readStored(reader) : readFailed(reader);
  reader.end();
  return { rows, strays, ...rest };
}

function readStored(reader: ByteReader): Pick<StoreReport & { kind: 'stored' }, 'kind' | 'size' | 'sealedSize' | 'seal'> {
  const [size, sealedSize, kekId] = [reader.number(), reader.number(), reader.text()];
  const [wrappedKey, header, sealedDigest] = [reader.bytes(), reader.bytes(), reader.bytes()];
  return { kind: 'stored', size, sealedSize, seal: { kekId, wrappedKey, header, sealedDigest } };
}

function readFailed(reader: ByteReader): Pick<StoreReport & { kind: 'failed' }, 'kind' | 'code' | 'detail'> {
  const [code, detail] = [reader.text(), reader.text()];
  if (!Object.hasOwn(ERRORS, code)) throw new Error('the report has an unknown code');
  return { kind: 'failed', code: code as ErrorCode, detail };
}

function begin(source: Uint8Array): ByteReader {
  const reader = new ByteReader(source);
  if (reader.number() !== FORMAT) throw new Error('it has another format');
  return reader;
}

/** A count is not believed: each item takes bytes that are there. */
function list<Item>(reader: ByteReader, read: () => Item): Item[] {
  const items: Item[] = [];
  for (let left = reader.number(); left > 0; left -= 1) items.push(read());
  return items;
}
