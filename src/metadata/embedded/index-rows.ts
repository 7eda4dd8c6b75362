import { ByteReader, ByteWriter } from '../../common/byte-codec.js';
import {
  idFromBytes,
  idToBytes,
  STORE_OWNER,
  type ClusterId,
  type FileId,
  type OwnerId,
  type VersionId,
} from '../../common/ids.js';
import { readManifest, readNumbers, writeManifest, writeNumbers } from '../manifest-codec.js';
import type { FileRecord, GarbageVersion, Manifest, NodeUsage, OwnerUsage, Tombstone } from '../metadata-store.js';

/** A manifest as it is kept: with the number of its layout pages, which its garbage record will need. */
export interface VersionRow {
  readonly manifest: Manifest;
  readonly pages: number;
}

/** What the index says of itself. */
export interface IndexIdentity {
  readonly schema: number;
  readonly clusterId: ClusterId;
}

const ID_BYTES = 16;

/** Each row begins with the number of its format, so that a later format can be read beside this one. */
const ROW_FORMAT = 2;

export function writeRow(): ByteWriter {
  return new ByteWriter().number(ROW_FORMAT);
}

export function readRow<Row>(bytes: Uint8Array, read: (reader: ByteReader) => Row): Row {
  const reader = new ByteReader(bytes);
  const format = reader.number();
  if (format !== ROW_FORMAT) throw new Error(`a row of the index has format ${format}, which is not known`);
  const row = read(reader);
  reader.end();
  return row;
}

/** Of a file of the store's own owner, which the row does not name. */
export function encodeFile(file: FileRecord): Uint8Array {
  return writeFile(writeRow(), file);
}

export function encodeOwned(file: FileRecord): Uint8Array {
  return writeFile(writeRow().text(file.owner), file);
}

function writeFile(writer: ByteWriter, file: FileRecord): Uint8Array {
  return writer
    .fixed(idToBytes(file.versionId))
    .number(file.size)
    .number(file.createdAt)
    .number(file.updatedAt)
    .number(file.revision)
    .text(file.name)
    .text(file.contentType)
    .finish();
}

export function decodeFile(id: FileId, bytes: Uint8Array): FileRecord {
  return readRow(bytes, (reader) => readFile(reader, id, STORE_OWNER));
}

export function decodeOwned(id: FileId, bytes: Uint8Array): FileRecord {
  return readRow(bytes, (reader) => readFile(reader, id, reader.text() as OwnerId));
}

function readFile(reader: ByteReader, id: FileId, owner: OwnerId): FileRecord {
  const versionId = idFromBytes<VersionId>(reader.fixed(ID_BYTES));
  const [size, createdAt, updatedAt, revision] = [reader.number(), reader.number(), reader.number(), reader.number()];
  const [name, contentType] = [reader.text(), reader.text()];
  return { id, owner, name, contentType, size, versionId, createdAt, updatedAt, revision };
}

export function encodeOwnerUsage({ files, bytes }: OwnerUsage): Uint8Array {
  return writeRow().number(files).number(bytes).finish();
}

export function decodeOwnerUsage(bytes: Uint8Array): OwnerUsage {
  return readRow(bytes, (reader) => ({ files: reader.number(), bytes: reader.number() }));
}

export function encodeVersion({ manifest, pages }: VersionRow): Uint8Array {
  return writeManifest(writeRow().number(pages), manifest).finish();
}

export function decodeVersion(versionId: VersionId, bytes: Uint8Array): VersionRow {
  return readRow(bytes, (reader) => {
    const pages = reader.number();
    return { pages, manifest: readManifest(reader, versionId) };
  });
}

export function encodeTombstone({ revision, kekId, nodes }: Tombstone): Uint8Array {
  return writeNumbers(writeRow().number(revision).text(kekId), nodes).finish();
}

export function decodeTombstone(fileId: FileId, bytes: Uint8Array): Tombstone {
  return readRow(bytes, (reader) => ({ fileId, revision: reader.number(), kekId: reader.text(), nodes: readNumbers(reader) }));
}

export function encodeRevision(revision: number): Uint8Array {
  return writeRow().number(revision).finish();
}

export function decodeRevision(bytes: Uint8Array): number {
  return readRow(bytes, (reader) => reader.number());
}

export function encodeGarbage({ pages, nodes }: Omit<GarbageVersion, 'versionId'>): Uint8Array {
  return writeNumbers(writeRow().number(pages), nodes).finish();
}

export function decodeGarbage(versionId: VersionId, bytes: Uint8Array): GarbageVersion {
  return readRow(bytes, (reader) => {
    const pages = reader.number();
    return { versionId, pages, nodes: readNumbers(reader) };
  });
}

export function encodeUsage({ shards, bytes }: Omit<NodeUsage, 'node'>): Uint8Array {
  return writeRow().number(shards).number(bytes).finish();
}

export function decodeUsage(node: number, bytes: Uint8Array): NodeUsage {
  return readRow(bytes, (reader) => ({ node, shards: reader.number(), bytes: reader.number() }));
}

/** Of this row the first number is the schema of the whole index; what follows it is for that schema to say. */
export function encodeIdentity({ schema, clusterId }: IndexIdentity): Uint8Array {
  return new ByteWriter().number(schema).fixed(idToBytes(clusterId)).finish();
}

/** The schema alone, which every version of this program can read. */
export function decodeSchema(bytes: Uint8Array): number {
  return new ByteReader(bytes).number();
}

export function decodeIdentity(bytes: Uint8Array): IndexIdentity {
  const reader = new ByteReader(bytes);
  const schema = reader.number();
  const clusterId = idFromBytes<ClusterId>(reader.fixed(ID_BYTES));
  reader.end();
  return { schema, clusterId };
}
