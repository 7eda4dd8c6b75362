import { FIRST_ID } from './file-listing.js';
import type { IndexCalls } from './index-calls.js';
import type { Statement, Values } from './statement.js';

/** Rows that a long walk reads at once. */
const WALK_ROWS = 256;

/** Who reads: the calls of the index, or a transaction. */
export type RowSource = Pick<IndexCalls, 'look'>;

export interface RowWalk<Row> {
  readonly statement: Statement;
  /** The parameters with which the walk goes on behind a row. */
  readonly placeOf: (row: Row) => Values;
  /** Those with which it begins; absent: before all ids. */
  readonly first?: Values;
}

/** All rows of a table, some at a time: each statement begins behind the last row of the one before. */
export async function* walkRows<Row extends object>(
  source: RowSource,
  signal: AbortSignal,
  { statement, placeOf, first = { after: FIRST_ID } }: RowWalk<Row>,
): AsyncGenerator<Row, void, undefined> {
  for (let place = first; ;) {
    const rows = await source.look<Row>(signal, statement, { ...place, limit: WALK_ROWS });
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    place = placeOf(last);
  }
}
