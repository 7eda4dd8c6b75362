import { setImmediate as nextTurn } from 'node:timers/promises';
import { STORE_OWNER, type OwnerId } from '../../common/ids.js';
import type { FilePage, FileRecord, ListQuery, Manifest, StoredFile } from '../metadata-store.js';
import { decodeCursor, encodeCursor } from '../list-cursor.js';
import { readStored, readVersion } from './index-changes.js';
import { findRecord } from './index-files.js';
import {
  creationsOf,
  exactRange,
  fileOfKey,
  type Key,
  kekRange,
  nameRange,
  namesOf,
  prefixRange,
  versionOfKey,
} from './index-keys.js';
import type { IndexTables, Table } from './index-tables.js';
import { rangeOptions } from './index-tables.js';
import type { Look } from './index-walk.js';

/** Files of a page that are looked up in one turn of the event loop: for all thousand that there may be others would wait some milliseconds. */
const FILES_OF_A_TURN = 128;

/** What a page begins with: its keys in their order, as they are at one moment. */
type PageKeys = Pick<FilePage, 'nextCursor'> & { readonly keys: readonly Key[] };

/** One page of files: of those that are there when it is begun, each as it is when its turn comes. */
export async function listFiles(look: Look, query: ListQuery): Promise<FilePage> {
  const { keys, nextCursor } = await look((tables) => pageKeys(tables, query));
  const files: FileRecord[] = [];
  for (let from = 0; from < keys.length; from += FILES_OF_A_TURN) {
    if (from > 0) await nextTurn();
    files.push(...(await look((tables) => recordsAt(tables, query, keys.slice(from, from + FILES_OF_A_TURN)))));
  }
  return nextCursor === undefined ? { files } : { files, nextCursor };
}

/** Reads one key more than it returns, to know whether there is more. */
function pageKeys(tables: IndexTables, query: ListQuery): PageKeys {
  const { owner, order, limit } = query;
  const byName = order.endsWith('name');
  const own = byName ? namesOf(owner) : creationsOf(owner);
  const after = query.cursor && Buffer.concat([own, decodeCursor(order, query.cursor)]);
  const range = byName ? nameRange(owner, query.prefix) : own.length === 0 ? {} : prefixRange(own);
  if (range === undefined) return { keys: [] };
  const walk = { limit: limit + 1, reverse: order.startsWith('-'), ...(after === undefined ? {} : { after }) };
  const found = [...tableOf(tables, query).getKeys(rangeOptions(range, walk))];
  const keys = found.slice(0, limit);
  const last = keys.at(-1);
  if (found.length <= limit || last === undefined) return { keys };
  return { keys, nextCursor: encodeCursor(order, last.subarray(own.length)) };
}

/** Where an order is kept. */
function tableOf(tables: IndexTables, { owner, order }: ListQuery): Table {
  if (order.endsWith('name')) return tables.names;
  return owner === STORE_OWNER ? tables.files : tables.created;
}

/** Without those that were deleted since the keys were read, or have another name now that is not asked for. */
function recordsAt(tables: IndexTables, query: ListQuery, keys: readonly Key[]): readonly FileRecord[] {
  return keys.flatMap((key) => {
    const file = findRecord(tables, fileOfKey(key));
    if (file === undefined && tableOf(tables, query).doesExist(key)) throw namedInVain();
    return file?.name.startsWith(query.prefix) === true ? [file] : [];
  });
}

/** Of the files with exactly this name the one that changed last. */
export function findByName(tables: IndexTables, owner: OwnerId, name: string): StoredFile | undefined {
  let last: FileRecord | undefined;
  for (const key of tables.names.getKeys(rangeOptions(exactRange(owner, name), {}))) {
    const file = recordAt(tables, key);
    if (last === undefined || last.revision < file.revision) last = file;
  }
  return last && readStored(tables, last.id);
}

function recordAt(tables: IndexTables, key: Key): FileRecord {
  const file = findRecord(tables, fileOfKey(key));
  if (file === undefined) throw namedInVain();
  return file;
}

function namedInVain(): Error {
  return new Error('the index has a name without a file');
}

/** Versions of which the key is wrapped by this key, at most `limit` of them. */
export function wrappedVersions(tables: IndexTables, kekId: string, limit: number): readonly Manifest[] {
  return [...tables.keks.getKeys(rangeOptions(kekRange(kekId), { limit }))].map((key) => {
    const version = readVersion(tables, versionOfKey(key));
    if (version === undefined) throw new Error('the index has a key id without a version');
    return version.manifest;
  });
}
