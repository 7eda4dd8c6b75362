import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Key } from './index-keys.js';
import type { IndexTables, Table } from './index-tables.js';
import { rangeOptions } from './index-tables.js';

/** Rows that a long walk reads before it lets others have the event loop. */
const WALK_CHUNK = 256;

/** What to walk over, and how to read a row. */
export interface TableWalk<Row> {
  readonly table: (tables: IndexTables) => Table;
  readonly decode: (key: Key, row: Uint8Array) => Row;
}

/**
 * All rows of a table, a few at a time and without a snapshot in between.
 * @param look reads from the index as it is at that moment
 */
export async function* walkTable<Row>(
  look: <Result>(read: (tables: IndexTables) => Result) => Promise<Result>,
  { table, decode }: TableWalk<Row>,
): AsyncGenerator<Row, void, undefined> {
  for (let after: Key | undefined; ;) {
    const from = after;
    const rows = await look((tables) => {
      const options = rangeOptions({}, { limit: WALK_CHUNK, ...(from === undefined ? {} : { after: from }) });
      return [...table(tables).getRange(options)].map(({ key, value }) => ({ key, row: decode(key, value) }));
    });
    for (const { row } of rows) yield row;
    after = rows.at(-1)?.key;
    if (after === undefined) return;
    await nextTurn();
  }
}
