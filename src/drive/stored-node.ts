import { type ByteReader, ByteWriter } from '../common/byte-codec.js';
import type { FileId } from '../common/ids.js';
import { readKept } from '../documents/read-kept.js';

const VERSION = 1;
const HASH_BYTES = 32;
/** Larger ones lie with their revision alone: each node of a list is read whole. */
export const KEPT_MANIFEST_BYTES_MAX = 4 * 1024;

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

export function encodeNode({ record, content }: StoredNode): Uint8Array {
  const writer = new ByteWriter().number(VERSION).bytes(record);
  if (content === undefined) return writer.number(NO_CONTENT).finish();
  const { revision, revisionId, manifest, manifestHash, isInlined } = content;
  writer.number(CONTENT).number(revision).text(revisionId).bytes(keptOf(manifest)).fixed(manifestHash);
  return writer.number(isInlined ? 1 : 0).finish();
}

/** No manifest is empty. */
function keptOf(manifest: Uint8Array | undefined): Uint8Array {
  return manifest === undefined || manifest.length > KEPT_MANIFEST_BYTES_MAX ? new Uint8Array(0) : manifest;
}

/** @throws DomainError `data-damaged` */
export function decodeNode(bytes: Uint8Array): StoredNode {
  return readKept(bytes, { version: VERSION, what: 'a node of a drive' }, (reader) => ({
    record: reader.bytes(),
    content: reader.number() === CONTENT ? readContent(reader) : undefined,
  }));
}

function readContent(reader: ByteReader): CurrentContent {
  const revision = reader.number();
  const revisionId = reader.text() as FileId;
  const manifest = reader.bytes();
  const manifestHash = reader.fixed(HASH_BYTES);
  const isInlined = reader.number() === 1;
  return { revision, revisionId, manifest: manifest.length === 0 ? undefined : manifest, manifestHash, isInlined };
}
