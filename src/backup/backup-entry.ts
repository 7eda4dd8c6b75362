import { ByteReader, ByteWriter } from '../common/byte-codec.js';
import { idFromBytes, idToBytes, type ClusterId, type FileId, type VersionId } from '../common/ids.js';
import { readNumbers, writeNumbers } from '../metadata/manifest-codec.js';
import type { SnapshotEntry } from '../metadata/metadata-store.js';
import { decodeStatement, encodeStatement } from '../metadata/record-codec.js';

/** What a backup says first. */
export interface BackupHead {
  readonly kind: 'head';
  readonly clusterId: ClusterId;
  /** When its snapshot was taken, milliseconds since 1970. */
  readonly createdAt: number;
  /** The configuration without what is secret, as JSON. */
  readonly config: string;
  /** `cluster.json`. */
  readonly cluster: string;
}

/** What a backup says last. */
export interface BackupEnd {
  readonly kind: 'end';
  /** Of all entries, the first one and this one among them. */
  readonly entries: number;
  /** SHA-256 of all before it. */
  readonly digest: Uint8Array;
}

export type BackupEntry = BackupHead | SnapshotEntry | BackupEnd;

const FORMAT = 1;
const ID_BYTES = 16;
const DIGEST_BYTES = 32;

const KIND = { end: 0, head: 1, file: 2, layout: 3, tombstone: 4, damage: 5, proven: 6, scrub: 7 } as const;

/** An entry as it stands in a backup, without its length (docs/format.md). */
export function encodeEntry(entry: BackupEntry): Uint8Array {
  const writer = new ByteWriter().number(KIND[entry.kind]);
  switch (entry.kind) {
    case 'head':
      writer.number(FORMAT).fixed(idToBytes(entry.clusterId)).number(entry.createdAt);
      return writer.text(entry.config).text(entry.cluster).finish();
    case 'file':
      return writer.fixed(encodeStatement(entry)).finish();
    case 'layout':
      writer.fixed(idToBytes(entry.versionId)).number(entry.page.page).number(entry.revision);
      return writer.fixed(entry.page.bytes).finish();
    case 'end':
      return writer.number(entry.entries).fixed(entry.digest).finish();
    default:
      return encodeNote(writer, entry);
  }
}

function encodeNote(
  writer: ByteWriter,
  entry: Extract<SnapshotEntry, { readonly kind: 'tombstone' | 'damage' | 'proven' | 'scrub' }>,
): Uint8Array {
  switch (entry.kind) {
    case 'tombstone': {
      const { fileId, revision, kekId, nodes } = entry.tombstone;
      return writeNumbers(writer.fixed(idToBytes(fileId)).number(revision).text(kekId), nodes).finish();
    }
    case 'damage': {
      const { node, shard } = entry.damage;
      return writer.fixed(idToBytes(shard.versionId)).number(shard.stripe).number(shard.index).number(node).finish();
    }
    case 'proven':
      return writer.number(entry.node).number(entry.at).finish();
    case 'scrub': {
      const { startedAt, after, unproven } = entry.note;
      return writeNumbers(writer.number(startedAt).fixed(idToBytes(after)), unproven).finish();
    }
  }
}

const DECODERS: Readonly<Record<number, (reader: ByteReader) => BackupEntry>> = {
  [KIND.end]: (reader) => ({ kind: 'end', entries: reader.number(), digest: reader.fixed(DIGEST_BYTES) }),
  [KIND.head]: readHead,
  [KIND.file]: (reader) => ({ kind: 'file', ...decodeStatement(reader.fixed(reader.remaining)) }),
  [KIND.layout]: (reader) => {
    const versionId = versionIdOf(reader);
    const [page, revision] = [reader.number(), reader.number()];
    return { kind: 'layout', versionId, page: { page, bytes: reader.fixed(reader.remaining) }, revision };
  },
  [KIND.tombstone]: (reader) => {
    const fileId = fileIdOf(reader);
    const [revision, kekId] = [reader.number(), reader.text()];
    return { kind: 'tombstone', tombstone: { fileId, revision, kekId, nodes: readNumbers(reader) } };
  },
  [KIND.damage]: (reader) => {
    const shard = { versionId: versionIdOf(reader), stripe: reader.number(), index: reader.number() };
    return { kind: 'damage', damage: { node: reader.number(), shard } };
  },
  [KIND.proven]: (reader) => ({ kind: 'proven', node: reader.number(), at: reader.number() }),
  [KIND.scrub]: (reader) => {
    const [startedAt, after] = [reader.number(), fileIdOf(reader)];
    return { kind: 'scrub', note: { startedAt, after, unproven: readNumbers(reader) } };
  },
};

/** @throws Error if the bytes are no entry of a known kind */
export function decodeEntry(bytes: Uint8Array): BackupEntry {
  const reader = new ByteReader(bytes);
  const kind = reader.number();
  const decode = DECODERS[kind];
  if (decode === undefined) throw new Error(`it has an entry of kind ${kind}, which is not known`);
  const entry = decode(reader);
  reader.end();
  return entry;
}

function readHead(reader: ByteReader): BackupHead {
  const format = reader.number();
  if (format !== FORMAT) throw new Error(`what is sealed in it has format ${format}, and this program knows ${FORMAT}`);
  const clusterId = idFromBytes<ClusterId>(reader.fixed(ID_BYTES));
  const createdAt = reader.number();
  const [config, cluster] = [reader.text(), reader.text()];
  return { kind: 'head', clusterId, createdAt, config, cluster };
}

function fileIdOf(reader: ByteReader): FileId {
  return idFromBytes<FileId>(reader.fixed(ID_BYTES));
}

function versionIdOf(reader: ByteReader): VersionId {
  return idFromBytes<VersionId>(reader.fixed(ID_BYTES));
}
