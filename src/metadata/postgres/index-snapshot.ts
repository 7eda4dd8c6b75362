import type { Client, QueryResultRow } from 'pg';
import { DomainError } from '../../common/errors.js';
import type { ScrubNote, SnapshotEntry } from '../metadata-store.js';
import { endInTime } from './database-connection.js';
import { faultOf, toCallerError } from './database-error.js';
import { toBytes, toStored, type StoredRow } from './file-rows.js';
import type { IndexCalls } from './index-calls.js';
import { toDamage, toTombstone, type DamageRow, type TombstoneRow } from './note-rows.js';
import * as sql from './note-statements.js';
import { walkRows, type RowSource, type RowWalk } from './row-walk.js';
import { bind } from './statement.js';
import { unavailable, type Tenure } from './tenure.js';

interface FileRow extends StoredRow, QueryResultRow {
  readonly last_bytes: Uint8Array | null;
}

const FILES: RowWalk<FileRow> = { statement: sql.WALK_WITH_LAYOUT, placeOf: ({ id: after }) => ({ after }) };

/** The walks that the store has too. */
export interface NoteWalks {
  readonly tombstones: RowWalk<TombstoneRow>;
  readonly damage: RowWalk<DamageRow>;
}

/** All of the index at one moment: in one transaction that sees nothing of later ones, on a connection of its own. */
export async function* snapshotOf(
  calls: IndexCalls,
  walks: NoteWalks,
  signal: AbortSignal,
): AsyncGenerator<SnapshotEntry, void, undefined> {
  const tenure = calls.requireOpen(signal);
  const client = await calls.connectApart().catch((cause: unknown) => {
    throw unavailable(cause);
  });
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await requireSame(client, tenure);
    const look: RowSource['look'] = async <Row extends QueryResultRow>(
      ...[by, statement, values]: Parameters<RowSource['look']>
    ) => {
      calls.requireOpen(by);
      return (await client.query<Row>(bind(statement, values))).rows;
    };
    yield* entriesOf({ look }, walks, signal);
    await client.query('COMMIT');
  } catch (error) {
    signal.throwIfAborted();
    throw faultOf(error) === 'lost' ? unavailable(error) : toCallerError(error);
  } finally {
    await endInTime(client);
  }
}

/** Another gateway may have begun meanwhile. */
async function requireSame(client: Client, { slots }: Tenure): Promise<void> {
  const [slot] = slots;
  const { rows } = await client.query<{ made: boolean }>(bind(sql.CHECK_TOKEN, { slot: slot?.number, token: slot?.token }));
  if (rows[0]?.made !== true) throw new DomainError('index-unavailable', 'another process has taken the index meanwhile');
}

async function* entriesOf(
  source: RowSource,
  { tombstones, damage }: NoteWalks,
  signal: AbortSignal,
): AsyncGenerator<SnapshotEntry, void, undefined> {
  for await (const row of walkRows(source, signal, FILES)) yield* fileEntries(source, row, signal);
  for await (const row of walkRows(source, signal, tombstones)) yield { kind: 'tombstone', tombstone: toTombstone(row) };
  for await (const row of walkRows(source, signal, damage)) yield { kind: 'damage', damage: toDamage(row) };
  for (const { node, proven: at } of await source.look<{ node: number; proven: number }>(signal, sql.ALL_PROVEN, {}))
    yield { kind: 'proven', node, at };
  const [state] = await source.look<{ scrub: ScrubNote | null }>(signal, sql.READ_STATE, {});
  if (state?.scrub) yield { kind: 'scrub', note: state.scrub };
}

async function* fileEntries(
  source: RowSource,
  row: FileRow,
  signal: AbortSignal,
): AsyncGenerator<SnapshotEntry, void, undefined> {
  const { version_id: versionId, last_bytes: last } = row;
  for (let page = 0; page < row.pages - 1; page += 1) {
    const [found] = await source.look<{ bytes: Uint8Array; revision: number }>(signal, sql.READ_LAYOUT, { versionId, page });
    if (found === undefined) continue; // a rebuild may not have found it
    yield { kind: 'layout', versionId, page: { page, bytes: toBytes(found.bytes) }, revision: found.revision };
  }
  if (last === null) throw new DomainError('index-unavailable', 'the index lacks a row that it should have: it is damaged');
  yield { kind: 'file', ...toStored(row), lastPage: { page: row.pages - 1, bytes: toBytes(last) } };
}
