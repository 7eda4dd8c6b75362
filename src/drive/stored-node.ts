import { type ByteReader, ByteWriter } from '../common/byte-codec.js';
import type { FileId } from '../common/ids.js';
import { readKept } from '../documents/read-kept.js';

/** The first one has no contents in it; it is written still for what needs no more. */
const [WITHOUT_CONTENTS, VERSION] = [1, 2];
const HASH_BYTES = 32;
/** Larger ones lie with their revision alone: each node of a list is read whole. */
export const KEPT_MANIFEST_BYTES_MAX = 4 * 1024;
/** Sealed. So that a document with one rides in its record, and a page of 500 nodes has at most 4 MiB of contents in it. */
export const KEPT_CONTENT_BYTES_MAX = 8 * 1024;

/** The newest content of a file, as its node names it. */
export interface CurrentContent {
  readonly revision: number;
  readonly revisionId: FileId;
  /** Undefined if it has more than {@link KEPT_MANIFEST_BYTES_MAX}. */
  readonly manifest: Uint8Array | undefined;
  /** SHA-256 of the manifest, which the next one names. */
  readonly manifestHash: Uint8Array;
  /** Whether the content lies in its revision. */
  readonly isInlined: boolean;
  /** The first content of a file, if it is small: then it lies here, with its whole manifest, until there is another one. */
  readonly kept?: KeptContent;
}

/** A content that has no document of its own. */
export interface KeptContent {
  /** The only part, sealed. */
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** What is kept of a node: a document under `n/<parent>/<name tag>`. */
export interface StoredNode {
  /** As its writer signed it. */
  readonly record: Uint8Array;
  /** Undefined for a folder, and for a file that has no content yet. */
  readonly content: CurrentContent | undefined;
}

/** What follows the record. */
const NO_CONTENT = 0;
const CONTENT = 1;
const KEPT_CONTENT = 2;

export function encodeNode({ record, content }: StoredNode): Uint8Array {
  const kept = content?.kept;
  const writer = new ByteWriter().number(kept === undefined ? WITHOUT_CONTENTS : VERSION).bytes(record);
  if (content === undefined) return writer.number(NO_CONTENT).finish();
  const { revision, revisionId, manifest, manifestHash, isInlined } = content;
  writer.number(kept === undefined ? CONTENT : KEPT_CONTENT);
  writer
    .number(revision)
    .text(revisionId)
    .bytes(keptOf(manifest))
    .fixed(manifestHash)
    .number(isInlined ? 1 : 0);
  return kept === undefined ? writer.finish() : writer.number(kept.createdAt).bytes(kept.bytes).finish();
}

/** No manifest is empty. */
function keptOf(manifest: Uint8Array | undefined): Uint8Array {
  return manifest === undefined || manifest.length > KEPT_MANIFEST_BYTES_MAX ? new Uint8Array(0) : manifest;
}

/** @throws DomainError `data-damaged` */
export function decodeNode(bytes: Uint8Array): StoredNode {
  return readKept(bytes, { version: VERSION, oldest: WITHOUT_CONTENTS, what: 'a node of a drive' }, (reader) => ({
    record: reader.bytes(),
    content: readAnyContent(reader),
  }));
}

function readAnyContent(reader: ByteReader): CurrentContent | undefined {
  const kind = reader.number();
  if (kind === NO_CONTENT) return undefined;
  const content = readContent(reader);
  return kind === CONTENT ? content : { ...content, kept: readKeptContent(reader) };
}

function readKeptContent(reader: ByteReader): KeptContent {
  const createdAt = reader.number();
  return { createdAt, bytes: reader.view(reader.number()) };
}

function readContent(reader: ByteReader): CurrentContent {
  const revision = reader.number();
  const revisionId = reader.text() as FileId;
  const manifest = reader.bytes();
  const manifestHash = reader.fixed(HASH_BYTES);
  const isInlined = reader.number() === 1;
  return { revision, revisionId, manifest: manifest.length === 0 ? undefined : manifest, manifestHash, isInlined };
}
