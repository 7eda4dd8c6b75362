import { idFromBytes, idToBytes, type FileId, type VersionId } from '../../common/ids.js';
import { readNumbers, writeNumbers } from '../manifest-codec.js';
import type { Damage, ScrubNote } from '../metadata-store.js';
import { type Key, prefixRange } from './index-keys.js';
import { readRow, writeRow } from './index-rows.js';
import { type IndexTables, rangeOptions } from './index-tables.js';

const NOTHING = new Uint8Array(0);

/** `version 16 | stripe 8 | index 1 | node 4`, big endian. */
const KEY = { stripeAt: 16, indexAt: 24, nodeAt: 25, bytes: 29 } as const;

export function noteDamage(tables: IndexTables, damage: readonly Damage[], max: number): void {
  let room = max - (tables.damage.getStats() as { entryCount: number }).entryCount;
  for (const one of damage) {
    const key = damageKey(one);
    if (room <= 0 || tables.damage.doesExist(key)) continue;
    tables.damage.putSync(key, NOTHING);
    room -= 1;
  }
}

export function clearDamage(tables: IndexTables, damage: readonly Damage[]): void {
  for (const one of damage) tables.damage.removeSync(damageKey(one));
}

export function damageOf(tables: IndexTables, versionId: VersionId): readonly Damage[] {
  return [...tables.damage.getKeys(rangeOptions(prefixRange(idToBytes(versionId)), {}))].map(decodeDamage);
}

export function damageKey({ node, shard }: Damage): Key {
  const key = Buffer.alloc(KEY.bytes);
  key.set(idToBytes(shard.versionId));
  key.writeBigUInt64BE(BigInt(shard.stripe), KEY.stripeAt);
  key.writeUInt8(shard.index, KEY.indexAt);
  key.writeUInt32BE(node, KEY.nodeAt);
  return key;
}

export function decodeDamage(bytes: Key): Damage {
  const key = Buffer.from(bytes);
  const node = key.readUInt32BE(KEY.nodeAt);
  const stripe = Number(key.readBigUInt64BE(KEY.stripeAt));
  return { node, shard: { versionId: idFromBytes<VersionId>(key), stripe, index: key.readUInt8(KEY.indexAt) } };
}

export const SCRUB = Buffer.from('scrub');
const ID_BYTES = 16;

export function writeScrubNote({ meta }: IndexTables, note: ScrubNote | undefined): void {
  if (note === undefined) {
    meta.removeSync(SCRUB);
    return;
  }
  const row = writeRow().number(note.startedAt).fixed(idToBytes(note.after));
  meta.putSync(SCRUB, writeNumbers(row, note.unproven).finish());
}

export function readScrubNote({ meta }: IndexTables): ScrubNote | undefined {
  const row = meta.getBinary(SCRUB);
  return row === undefined ? undefined : decodeScrubNote(row);
}

export function decodeScrubNote(row: Uint8Array): ScrubNote {
  return readRow(row, (reader) => ({
    startedAt: reader.number(),
    after: idFromBytes<FileId>(reader.fixed(ID_BYTES)),
    unproven: readNumbers(reader),
  }));
}
