import { ByteReader, ByteWriter } from '../../common/byte-codec.js';
import { idFromBytes, idToBytes, type AnyId } from '../../common/ids.js';
import {
  NodeError,
  RECORD_BYTES_MAX,
  type NodeBatch,
  type NodeProbe,
  type NodeRecord,
  type RecordHead,
  type RecordKey,
  type RecordKind,
  type Shard,
  type ShardAsk,
  type ShardCopy,
  type ShardId,
} from '../storage-node.js';
import { SHARD_PAYLOAD_BYTES_MAX } from '../folder/shard-format.js';

/** A part of a shard, or all of it: what a `get` may ask for. */
export interface ShardPart extends ShardAsk {
  readonly offset?: number;
}

/** Shards that a node is to copy from another one. */
export interface Pull {
  /** The number of the node that has them. */
  readonly source: number;
  readonly copies: readonly ShardCopy[];
}

const KINDS: readonly RecordKind[] = ['manifest', 'layout', 'tombstone'];
const ID_BYTES = 16;
const CHECKSUM_BYTES = 4;
/** The parts of the body of a `put`: everything but the bytes of shards and records, and then those, none of them copied. */
export function encodeBatch({ shards, records }: NodeBatch): readonly Uint8Array[] {
  const head = new ByteWriter().number(shards.length);
  for (const shard of shards) {
    writeShardId(head, shard);
    const checksum = Buffer.alloc(CHECKSUM_BYTES);
    checksum.writeUInt32BE(shard.checksum);
    head.number(shard.k).number(shard.m).fixed(checksum).number(shard.bytes.byteLength);
  }
  head.number(records.length);
  for (const record of records) writeRecordHead(head, record).fixed(idToBytes(record.fileId)).number(record.bytes.byteLength);
  const bytes = [...shards, ...records].map((item) => item.bytes).filter(({ byteLength }) => byteLength > 0);
  return [head.finish(), ...bytes];
}

/** The batch that a body holds. Its bytes are views into the body. */
export function decodeBatch(body: Uint8Array): NodeBatch {
  return decode(body, (reader) => {
    const shards = many(reader, () => readShard(reader));
    const records = many(reader, () => readRecord(reader));
    return {
      shards: shards.map(({ length, ...shard }) => ({ ...shard, bytes: reader.view(length) })),
      records: records.map(({ length, ...record }) => ({ ...record, bytes: reader.view(length) })),
    };
  });
}

export function encodePull({ source, copies }: Pull): Uint8Array {
  const writer = new ByteWriter().number(source).number(copies.length);
  for (const copy of copies) writeShardId(writer, copy).number(copy.fromIndex).number(copy.k).number(copy.m).number(copy.length);
  return writer.finish();
}

export function decodePull(body: Uint8Array): Pull {
  return decode(body, (reader) => ({ source: reader.number(), copies: many(reader, () => readCopy(reader)) }));
}

export function encodeShardParts(parts: readonly ShardPart[]): Uint8Array {
  return encodeMany(parts, writeShardPart);
}

export function decodeShardParts(body: Uint8Array): readonly ShardPart[] {
  return decodeMany(body, readShardPart);
}

export function encodeShardIds(ids: readonly ShardId[]): Uint8Array {
  return encodeMany(ids, writeShardId);
}

export function decodeShardIds(body: Uint8Array): readonly ShardId[] {
  return decodeMany(body, readShardId);
}

export function encodeRecordKeys(keys: readonly RecordKey[]): Uint8Array {
  return encodeMany(keys, writeRecordKey);
}

export function decodeRecordKeys(body: Uint8Array): readonly RecordKey[] {
  return decodeMany(body, readRecordKey);
}

export function encodeRecordHeads(heads: readonly RecordHead[]): Uint8Array {
  return encodeMany(heads, writeRecordHead);
}

export function decodeRecordHeads(body: Uint8Array): readonly RecordHead[] {
  return decodeMany(body, readRecordHead);
}

/** A record in one piece, as the answer to a reading has it. */
export function encodeRecord(record: NodeRecord): readonly Uint8Array[] {
  return [writeRecordHead(new ByteWriter(), record).fixed(idToBytes(record.fileId)).finish(), record.bytes];
}

export function decodeRecord(bytes: Uint8Array): NodeRecord {
  return decode(bytes, (reader) => {
    const head = readRecordHead(reader);
    const fileId = idFromBytes<NodeRecord['fileId']>(reader.fixed(ID_BYTES));
    if (reader.remaining > RECORD_BYTES_MAX) throw new Error('a record is too long');
    return { ...head, fileId, bytes: reader.fixed(reader.remaining) };
  });
}

export function encodeProbe({ bytesFree, bytesTotal, full, newestRevision }: NodeProbe): Uint8Array {
  const whole = (value: number): number => Math.min(Math.max(0, Math.floor(value)), Number.MAX_SAFE_INTEGER);
  return new ByteWriter()
    .number(whole(bytesFree))
    .number(whole(bytesTotal))
    .number(full ? 1 : 0)
    .number(newestRevision)
    .finish();
}

export function decodeProbe(bytes: Uint8Array): NodeProbe {
  return decode(bytes, (reader) => {
    const [bytesFree, bytesTotal, full, newestRevision] = [reader.number(), reader.number(), reader.number(), reader.number()];
    return { bytesFree, bytesTotal, full: full !== 0, newestRevision };
  });
}

/** Whatever is wrong with bytes that proved themselves: the other side speaks otherwise. */
export function decode<Result>(bytes: Uint8Array, read: (reader: ByteReader) => Result): Result {
  try {
    const reader = new ByteReader(bytes);
    const result = read(reader);
    reader.end();
    return result;
  } catch (cause) {
    throw new NodeError('rejected', 'what was sent is not as the protocol has it', { cause });
  }
}

function encodeMany<Item>(items: readonly Item[], write: (writer: ByteWriter, item: Item) => ByteWriter): Uint8Array {
  const writer = new ByteWriter().number(items.length);
  for (const item of items) write(writer, item);
  return writer.finish();
}

function decodeMany<Item>(body: Uint8Array, read: (reader: ByteReader) => Item): readonly Item[] {
  return decode(body, (reader) => many(reader, () => read(reader)));
}

/** A count is not believed: there is room for as many as were read, and each takes bytes that are there. */
export function many<Item>(reader: ByteReader, read: () => Item): Item[] {
  const count = reader.number();
  const items: Item[] = [];
  while (items.length < count) items.push(read());
  return items;
}

export function writeShardId(writer: ByteWriter, { versionId, stripe, index }: ShardId): ByteWriter {
  return writer.fixed(idToBytes(versionId)).number(stripe).number(index);
}

export function readShardId(reader: ByteReader): ShardId {
  const versionId = readId<ShardId['versionId']>(reader);
  const [stripe, index] = [reader.number(), reader.number()];
  if (index > 255) throw new Error('no index');
  return { versionId, stripe, index };
}

/** A length is one more than it is, so that 0 is free for "to the end". */
function writeShardPart(writer: ByteWriter, { offset = 0, length, ...id }: ShardPart): ByteWriter {
  return writeShardId(writer, id)
    .number(offset)
    .number(length === undefined ? 0 : length + 1);
}

function readShardPart(reader: ByteReader): ShardPart {
  const id = readShardId(reader);
  const [offset, length] = [reader.number(), reader.number()];
  return { ...id, offset, ...(length === 0 ? {} : { length: length - 1 }) };
}

function readShard(reader: ByteReader): Omit<Shard, 'bytes'> & { readonly length: number } {
  const id = readShardId(reader);
  const [k, m] = [reader.number(), reader.number()];
  const checksum = Buffer.from(reader.view(CHECKSUM_BYTES)).readUInt32BE();
  return requireShard({ ...id, k, m, checksum, length: reader.number() });
}

function readCopy(reader: ByteReader): ShardCopy {
  const id = readShardId(reader);
  const [fromIndex, k, m, length] = [reader.number(), reader.number(), reader.number(), reader.number()];
  if (fromIndex > 255) throw new Error('no index');
  return requireShard({ ...id, fromIndex, k, m, length });
}

function requireShard<Given extends Pick<ShardCopy, 'k' | 'm' | 'length'>>(shard: Given): Given {
  if (shard.k > 255 || shard.m > 255 || shard.length > SHARD_PAYLOAD_BYTES_MAX) throw new Error('no shard');
  return shard;
}

function writeRecordKey(writer: ByteWriter, { kind, id, page }: RecordKey): ByteWriter {
  return writer.fixed(idToBytes(id)).number(KINDS.indexOf(kind)).number(page);
}

function readRecordKey(reader: ByteReader): RecordKey {
  const id = readId<RecordKey['id']>(reader);
  const kind = KINDS[reader.number()];
  if (kind === undefined) throw new Error('no kind');
  return { kind, id, page: reader.number() };
}

function writeRecordHead(writer: ByteWriter, head: RecordHead): ByteWriter {
  return writeRecordKey(writer, head).number(head.revision);
}

function readRecordHead(reader: ByteReader): RecordHead {
  return { ...readRecordKey(reader), revision: reader.number() };
}

function readRecord(reader: ByteReader): Omit<NodeRecord, 'bytes'> & { readonly length: number } {
  const head = readRecordHead(reader);
  const fileId = readId<NodeRecord['fileId']>(reader);
  const length = reader.number();
  if (length > RECORD_BYTES_MAX) throw new Error('a record is too long');
  return { ...head, fileId, length };
}

export function readId<Id extends AnyId>(reader: ByteReader): Id {
  return idFromBytes<Id>(reader.view(ID_BYTES));
}
