import type { FilePage, ListQuery, Manifest } from '../metadata-store.js';
import { readVersion } from './index-changes.js';
import { decodeCursor, encodeCursor, fileOfKey, idKey, kekRange, nameRange, versionOfKey } from './index-keys.js';
import { decodeFile } from './index-rows.js';
import type { IndexTables } from './index-tables.js';
import { rangeOptions } from './index-tables.js';

/** One page of files. Reads one key more than it returns, to know whether there is more. */
export function listFiles(tables: IndexTables, query: ListQuery): FilePage {
  const { order, limit } = query;
  const byName = order.endsWith('name');
  const after = query.cursor && decodeCursor(order, query.cursor);
  const range = byName ? nameRange(query.prefix) : {};
  if (range === undefined) return { files: [] };
  const walk = { limit: limit + 1, reverse: order.startsWith('-'), ...(after === undefined ? {} : { after }) };
  const keys = [...(byName ? tables.names : tables.files).getKeys(rangeOptions(range, walk))];
  const page = keys.slice(0, limit);
  const files = page.map((key) => {
    const id = fileOfKey(key);
    const row = tables.files.getBinary(idKey(id));
    if (row === undefined) throw new Error('the index has a name without a file');
    return decodeFile(id, row);
  });
  const last = page.at(-1);
  return keys.length > limit && last !== undefined ? { files, nextCursor: encodeCursor(order, last) } : { files };
}

/** Versions of which the key is wrapped by this key, at most `limit` of them. */
export function wrappedVersions(tables: IndexTables, kekId: string, limit: number): readonly Manifest[] {
  return [...tables.keks.getKeys(rangeOptions(kekRange(kekId), { limit }))].map((key) => {
    const version = readVersion(tables, versionOfKey(key));
    if (version === undefined) throw new Error('the index has a key id without a version');
    return version.manifest;
  });
}
