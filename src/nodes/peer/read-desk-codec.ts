import { ByteWriter, type ByteReader } from '../../common/byte-codec.js';
import { idToBytes, type AnyId, type LeaseId, type VersionId } from '../../common/ids.js';
import type { NodeError } from '../storage-node.js';
import { decode, many, readId, readShardId, writeShardId } from './peer-codec.js';
import type { FoundDamage, Leases } from './read-desk.js';

/** A page of the layout of a version. */
export interface PageKey {
  readonly versionId: VersionId;
  readonly page: number;
}

/** What can be the matter with a shard, by its byte. */
const KINDS: readonly NodeError['kind'][] = ['not-found', 'corrupt'];

export function encodePageKey({ versionId, page }: PageKey): Uint8Array {
  return new ByteWriter().fixed(idToBytes(versionId)).number(page).finish();
}

export function decodePageKey(body: Uint8Array): PageKey {
  return decode(body, (reader) => ({ versionId: readId<VersionId>(reader), page: reader.number() }));
}

export function encodeLeases({ held, ended }: Leases): Uint8Array {
  return writeIds(writeIds(new ByteWriter(), held), ended).finish();
}

export function decodeLeases(body: Uint8Array): Leases {
  return decode(body, (reader) => ({ held: readIds(reader), ended: readIds(reader) }));
}

export function encodeFoundDamage(found: readonly FoundDamage[]): Uint8Array {
  const writer = new ByteWriter().number(found.length);
  for (const { node, shard, kind } of found) writeShardId(writer.number(node).number(KINDS.indexOf(kind)), shard);
  return writer.finish();
}

export function decodeFoundDamage(body: Uint8Array): readonly FoundDamage[] {
  return decode(body, (reader) =>
    many(reader, () => {
      const [node, kind] = [reader.number(), KINDS[reader.number()]];
      if (kind === undefined) throw new Error('no kind');
      return { node, kind, shard: readShardId(reader) };
    }),
  );
}

function writeIds(writer: ByteWriter, ids: readonly AnyId[]): ByteWriter {
  writer.number(ids.length);
  for (const id of ids) writer.fixed(idToBytes(id));
  return writer;
}

function readIds(reader: ByteReader): LeaseId[] {
  return many(reader, () => readId<LeaseId>(reader));
}
