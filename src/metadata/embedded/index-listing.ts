import type { FilePage, ListQuery } from '../metadata-store.js';
import { decodeCursor, encodeCursor, idKey, fileOfKey, nameRange } from './index-keys.js';
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
