import type { ClientBase } from 'pg';
import type { IndexRows, IndexTransfer, RowChange, RowTable, RowTypes } from '../moving/index-transfer.js';
import type { IndexTransit } from '../moving/index-transit.js';
import { FencedError } from './fenced-error.js';
import type { IndexCalls } from './index-calls.js';
import { bind, statement, type Values } from './statement.js';
import type { Slot, Tenure } from './tenure.js';
import { DAMAGE, FILES, GARBAGE, LAYOUTS, NODES, OWNERS, TOMBSTONES, USAGE, type TransferTable } from './transfer-tables.js';

const HOLD_SLOT = statement('hold_slot', 'SELECT slot FROM slots WHERE slot = :slot::int AND token = :token::bigint FOR UPDATE');
const READ_STATE = statement('move_state', 'SELECT ceiling, settled, scrub FROM identity');
const WRITE_STATE = statement(
  'write_state',
  'UPDATE identity SET ceiling = :ceiling::bigint, settled = :settled::bigint, scrub = :scrub::jsonb',
);
const READ_TRANSIT = statement('read_transit', 'SELECT transit FROM identity');
const WRITE_TRANSIT = statement('write_transit', 'UPDATE identity SET transit = :transit::jsonb');

/** @param rest see IndexTransfer */
export function postgresTransfer(calls: IndexCalls, rest: () => Promise<void>): IndexTransfer {
  return {
    rows: rowsOf(calls),
    transit: async (signal) => {
      const [row] = await calls.look<{ transit: IndexTransit | null }>(signal, READ_TRANSIT, {});
      return row?.transit ?? undefined;
    },
    note: (transit, signal) =>
      calls.changing(signal, (tenure, slot) =>
        inSlot(tenure, slot, async (client) => {
          await client.query(bind(WRITE_TRANSIT, { transit: transit && JSON.stringify(transit) }));
        }),
      ),
    // The orders of its rows are the database's own, and it keeps them.
    check: () => Promise.resolve(),
    rest: async () => {
      await rest();
      calls.requireSettled();
    },
  };
}

function rowsOf(calls: IndexCalls): IndexRows {
  return {
    files: tableOf(calls, FILES),
    layouts: tableOf(calls, LAYOUTS),
    garbage: tableOf(calls, GARBAGE),
    tombstones: tableOf(calls, TOMBSTONES),
    damage: tableOf(calls, DAMAGE),
    nodes: tableOf(calls, NODES),
    owners: tableOf(calls, OWNERS),
    usage: tableOf(calls, USAGE),
    state: stateOf(calls),
  };
}

function tableOf<Row, DatabaseRow extends object>(calls: IndexCalls, kind: TransferTable<Row, DatabaseRow>): RowTable<Row> {
  const { table, keys, read, first, placeOf, toRow, toJson } = kind;
  const columns = (of: string): string => `(${keys.map((key) => `${of}.${key}`).join(', ')})`;
  const given = `jsonb_populate_recordset(NULL::${table}, :rows::jsonb)`;
  const take = statement(
    `move_from_${table}`,
    `DELETE FROM ${table} USING ${given} AS given WHERE ${columns(table)} = ${columns('given')}`,
  );
  const put = statement(`move_to_${table}`, `INSERT INTO ${table} SELECT * FROM ${given}`);
  return {
    read: async (after, signal) =>
      (await calls.look<DatabaseRow>(signal, read, after === undefined ? first : placeOf(after))).map(toRow),
    write: (rows, signal) => {
      const written = rows.put.map(toJson);
      const gone = [...written, ...rows.remove.map(toJson)].map((row) => Object.fromEntries(keys.map((key) => [key, row[key]])));
      return calls.changing(signal, (tenure, slot) =>
        inSlot(tenure, slot, async (client) => {
          await client.query(bind(take, { rows: JSON.stringify(gone) }));
          await client.query(bind(put, { rows: JSON.stringify(written) }));
        }),
      );
    },
  };
}

function stateOf(calls: IndexCalls): RowTable<RowTypes['state']> {
  return {
    read: async (after, signal) => {
      if (after !== undefined) return [];
      const rows = await calls.look<Values & { scrub: RowTypes['state']['scrub'] | null }>(signal, READ_STATE, {});
      return rows.map(({ ceiling, settled, scrub }) => ({
        ceiling: Number(ceiling),
        settled: Number(settled),
        scrub: scrub ?? undefined,
      }));
    },
    write: ({ put }: RowChange<RowTypes['state']>, signal) =>
      calls.changing(signal, (tenure, slot) =>
        inSlot(tenure, slot, async (client) => {
          for (const { scrub, ...row } of put) {
            const noted = scrub && JSON.stringify(scrub);
            await client.query(bind(WRITE_STATE, { ...row, scrub: noted }));
          }
        }),
      ),
  };
}

/** A transaction in which no other gateway can begin: it waits for the slot. */
function inSlot(tenure: Tenure, { number: slot, token }: Slot, work: (client: ClientBase) => Promise<void>): Promise<void> {
  return tenure.transaction(async (client) => {
    const { rowCount } = await client.query(bind(HOLD_SLOT, { slot, token }));
    if (rowCount !== 1) throw new FencedError();
    await work(client);
  });
}
