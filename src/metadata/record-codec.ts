import { ByteReader, ByteWriter } from '../common/byte-codec.js';
import { idFromBytes, idToBytes, STORE_OWNER, type FileId, type OwnerId, type VersionId } from '../common/ids.js';
import { readManifest, writeManifest } from './manifest-codec.js';
import type { FileRecord, LayoutPage, Manifest } from './metadata-store.js';

/** What the record of a version says: all that the index knows of the file, but for layout pages before the last. */
export interface FileStatement {
  readonly file: FileRecord;
  readonly manifest: Manifest;
  readonly lastPage: LayoutPage;
}

/** Of a file of the store's own owner, which it does not name. */
const FORMAT = 1;
/** With the owner. */
const OWNED_FORMAT = 2;
const ID_BYTES = 16;

/** The plaintext of the record of a version on the nodes (docs/format.md). Size, version and ids are those of the manifest. */
export function encodeStatement({ file, manifest, lastPage }: FileStatement): Uint8Array {
  const writer = new ByteWriter();
  if (file.owner === STORE_OWNER) writer.number(FORMAT);
  else writer.number(OWNED_FORMAT).text(file.owner);
  writer
    .fixed(idToBytes(manifest.versionId))
    .number(file.createdAt)
    .number(file.updatedAt)
    .number(file.revision)
    .text(file.name)
    .text(file.contentType)
    .number(lastPage.page)
    .bytes(lastPage.bytes);
  return writeManifest(writer, manifest).finish();
}

/** @throws Error if the bytes are no statement of a known format */
export function decodeStatement(bytes: Uint8Array): FileStatement {
  const reader = new ByteReader(bytes);
  const format = reader.number();
  if (format !== FORMAT && format !== OWNED_FORMAT) throw new Error(`a record has format ${format}, which is not known`);
  const owner = format === FORMAT ? STORE_OWNER : (reader.text() as OwnerId);
  const versionId = idFromBytes<VersionId>(reader.fixed(ID_BYTES));
  const [createdAt, updatedAt, revision] = [reader.number(), reader.number(), reader.number()];
  const [name, contentType] = [reader.text(), reader.text()];
  const lastPage = { page: reader.number(), bytes: reader.bytes() };
  const manifest = readManifest(reader, versionId);
  reader.end();
  const id: FileId = manifest.fileId;
  const { size } = manifest;
  return { file: { id, owner, name, contentType, size, versionId, createdAt, updatedAt, revision }, manifest, lastPage };
}
