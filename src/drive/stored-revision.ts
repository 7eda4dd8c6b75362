import { type ByteReader, ByteWriter } from '../common/byte-codec.js';
import { idFromBytes, idToBytes, type FileId } from '../common/ids.js';
import { readKept } from '../documents/read-kept.js';

const VERSION = 1;
const ID_BYTES = 16;
const HASH_BYTES = 32;
const INLINE = 0;
const PARTS = 1;

/** A sealed part, as the revision that it belongs to names it. */
export interface StoredPart {
  /** Of the file that it is. */
  readonly id: FileId;
  readonly bytes: number;
  /** SHA-256. */
  readonly digest: Uint8Array;
}

/** Where the sealed content of a revision lies. */
export type RevisionContent = { readonly inline: Uint8Array } | { readonly parts: readonly StoredPart[] };

/** What is kept of a revision: a document under `r/<node>/<revision>/<revision id>`, which never changes. */
export interface StoredRevision {
  readonly revision: number;
  readonly revisionId: FileId;
  /** As its writer signed it. */
  readonly manifest: Uint8Array;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly content: RevisionContent;
}

export function encodeRevision({ revision, revisionId, manifest, createdAt, content }: StoredRevision): Uint8Array {
  const writer = new ByteWriter().number(VERSION).number(revision).fixed(idToBytes(revisionId)).number(createdAt);
  writer.bytes(manifest);
  if ('inline' in content) return writer.number(INLINE).bytes(content.inline).finish();
  writer.number(PARTS).number(content.parts.length);
  for (const { id, bytes, digest } of content.parts) writer.fixed(idToBytes(id)).number(bytes).fixed(digest);
  return writer.finish();
}

/** @throws DomainError `data-damaged` */
export function decodeRevision(bytes: Uint8Array): StoredRevision {
  return readKept(bytes, { version: VERSION, what: 'a revision of a drive' }, (reader) => ({
    revision: reader.number(),
    revisionId: readId(reader),
    createdAt: reader.number(),
    manifest: reader.bytes(),
    content: readContent(reader),
  }));
}

function readContent(reader: ByteReader): RevisionContent {
  const kind = reader.number();
  if (kind === INLINE) return { inline: reader.bytes() };
  if (kind !== PARTS) throw new Error(`its content is of kind ${kind}`);
  const parts: StoredPart[] = [];
  const count = reader.number();
  // Nothing is allocated for a count that the bytes do not bear out: reading throws at their end.
  for (let part = 0; part < count; part += 1)
    parts.push({ id: readId(reader), bytes: reader.number(), digest: reader.fixed(HASH_BYTES) });
  return { parts };
}

function readId(reader: ByteReader): FileId {
  return idFromBytes<FileId>(reader.view(ID_BYTES));
}

/** Bytes of the whole sealed content. */
export function contentBytes(content: RevisionContent): number {
  return 'inline' in content ? content.inline.length : content.parts.reduce((sum, { bytes }) => sum + bytes, 0);
}
