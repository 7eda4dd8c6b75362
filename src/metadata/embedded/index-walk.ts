import type { FileId } from '../../common/ids.js';
import type { Damage, GarbageVersion, Tombstone } from '../metadata-store.js';
import { decodeDamage } from './index-damage.js';
import { fileOfKey, type Key, versionOfKey } from './index-keys.js';
import { decodeGarbage, decodeTombstone } from './index-rows.js';
import type { IndexTables, Table } from './index-tables.js';
import { rangeOptions } from './index-tables.js';
import type { ReadTurns } from './read-turns.js';

/**
 * Rows that a long walk reads before it lets others have the event loop. A request waits for as many in each of its turns: with 256 of them,
 * which their readers look up one by one, a page of files took 1.8 times as long while a million files were walked over.
 */
const WALK_CHUNK = 32;

/** What to walk over, and how to read a row. */
export interface TableWalk<Row> {
  readonly table: (tables: IndexTables) => Table;
  readonly decode: (key: Key, row: Uint8Array) => Row;
}

export const TOMBSTONES: TableWalk<Tombstone> = {
  table: ({ tombstones }) => tombstones,
  decode: (key, row) => decodeTombstone(fileOfKey(key), row),
};
export const GARBAGE: TableWalk<GarbageVersion> = {
  table: ({ garbage }) => garbage,
  decode: (key, row) => decodeGarbage(versionOfKey(key), row),
};
export const DAMAGE: TableWalk<Damage> = { table: ({ damage }) => damage, decode: decodeDamage };

/** Reads from the index as it is at that moment. */
export type Look = <Result>(read: (tables: IndexTables) => Result) => Promise<Result>;

/**
 * All rows of a table, a few at a time and without a snapshot in between.
 */
export async function* walkTable<Row>(
  look: Look,
  { table, decode }: TableWalk<Row>,
  turns: ReadTurns,
): AsyncGenerator<Row, void, undefined> {
  for (let after: Key | undefined; ;) {
    const from = after;
    const rows = await look((tables) => {
      const options = rangeOptions({}, { limit: WALK_CHUNK, after: from });
      return [...table(tables).getRange(options)].map(({ key, value }) => ({ key, row: decode(key, value) }));
    });
    for (const { row } of rows) yield row;
    after = rows.at(-1)?.key;
    if (after === undefined) return;
    await turns.afterPages();
  }
}

/** The ids of all files of all owners, in their order: two tables, of which each is in it. */
export async function* walkFiles(look: Look, turns: ReadTurns): AsyncGenerator<FileId, void, undefined> {
  const stores = walkTable(look, { table: ({ files }) => files, decode: fileOfKey }, turns);
  const others = walkTable(look, { table: ({ owned }) => owned, decode: fileOfKey }, turns);
  let [left, right] = [await stores.next(), await others.next()];
  while (left.done !== true || right.done !== true) {
    if (right.done === true || (left.done !== true && left.value < right.value)) {
      yield left.value as FileId;
      left = await stores.next();
    } else {
      yield right.value;
      right = await others.next();
    }
  }
}
