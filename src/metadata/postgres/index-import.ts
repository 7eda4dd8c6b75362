import type { ClientBase } from 'pg';
import type { ImportedRecord } from '../metadata-store.js';
import { FencedError } from './fenced-error.js';
import { fileValues, versionValues } from './file-rows.js';
import { IMPORT_FILE, IMPORT_PAGE, IMPORT_TOMBSTONE } from './file-statements.js';
import type { ChangeRow } from './index-calls.js';
import { RAISE_CEILING } from './note-statements.js';
import { bind, type BoundStatement } from './statement.js';
import type { Slot, Tenure } from './tenure.js';

/** Takes in records of nodes as one transaction. It comes to the same however often it is done. */
export async function importAll(
  tenure: Tenure,
  { number: slot, token }: Slot,
  records: readonly ImportedRecord[],
): Promise<void> {
  await tenure.transaction(async (client) => {
    await raiseCeiling(client, { revision: newestOf(records), slot, token });
    for (const record of records) await client.query(statementOf(record, { slot, token }));
  });
}

export function newestOf(records: readonly ImportedRecord[]): number {
  return Math.max(0, ...records.map(revisionOf));
}

/** Locks the slot for the whole transaction, so that no other gateway begins meanwhile. */
async function raiseCeiling(client: ClientBase, values: { revision: number; slot: number; token: number }): Promise<void> {
  const { rows } = await client.query<ChangeRow>(bind(RAISE_CEILING, values));
  if (rows[0]?.made !== true) throw new FencedError();
}

function statementOf(record: ImportedRecord, place: { slot: number; token: number }): BoundStatement {
  if (record.kind === 'layout') {
    const { versionId, revision, page } = record;
    return bind(IMPORT_PAGE, { versionId, revision, ...page });
  }
  if (record.kind === 'tombstone') {
    const { fileId: id, ...tombstone } = record.tombstone;
    return bind(IMPORT_TOMBSTONE, { ...place, id, ...tombstone });
  }
  const { file, manifest, lastPage } = record;
  return bind(IMPORT_FILE, { ...place, ...versionValues(manifest, lastPage), ...fileValues(file) });
}

function revisionOf(record: ImportedRecord): number {
  if (record.kind === 'layout') return record.revision;
  return (record.kind === 'file' ? record.file : record.tombstone).revision;
}
