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
import type { IndexTables } from './index-tables.js';
import { rangeOptions } from './index-tables.js';

/** One page of files. Reads one key more than it returns, to know whether there is more. */
export function listFiles(tables: IndexTables, query: ListQuery): FilePage {
  const { owner, order, limit } = query;
  const byName = order.endsWith('name');
  const own = byName ? namesOf(owner) : creationsOf(owner);
  const after = query.cursor && Buffer.concat([own, decodeCursor(order, query.cursor)]);
  const range = byName ? nameRange(owner, query.prefix) : own.length === 0 ? {} : prefixRange(own);
  if (range === undefined) return { files: [] };
  const walk = { limit: limit + 1, reverse: order.startsWith('-'), ...(after === undefined ? {} : { after }) };
  const table = byName ? tables.names : owner === STORE_OWNER ? tables.files : tables.created;
  const keys = [...table.getKeys(rangeOptions(range, walk))];
  const page = keys.slice(0, limit);
  const files = page.map((key) => recordAt(tables, key));
  const last = page.at(-1);
  if (keys.length <= limit || last === undefined) return { files };
  return { files, nextCursor: encodeCursor(order, last.subarray(own.length)) };
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
  if (file === undefined) throw new Error('the index has a name without a file');
  return file;
}

/** Versions of which the key is wrapped by this key, at most `limit` of them. */
export function wrappedVersions(tables: IndexTables, kekId: string, limit: number): readonly Manifest[] {
  return [...tables.keks.getKeys(rangeOptions(kekRange(kekId), { limit }))].map((key) => {
    const version = readVersion(tables, versionOfKey(key));
    if (version === undefined) throw new Error('the index has a key id without a version');
    return version.manifest;
  });
}
