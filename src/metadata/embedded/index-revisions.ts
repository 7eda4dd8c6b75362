import type { Key } from './index-keys.js';
import { decodeRevision, encodeRevision } from './index-rows.js';
import type { Table } from './index-tables.js';

const CEILING = Buffer.from('ceiling');
const SETTLED = Buffer.from('settled');

/** The revision that stands under a key; 0 if none does. */
export function readRevision(table: Table, key: Key): number {
  const row = table.getBinary(key);
  return row === undefined ? 0 : decodeRevision(row);
}

/** Writes exactly this revision under a key; 0 is none. */
export function writeRevision(table: Table, key: Key, revision: number): void {
  if (revision === 0) table.removeSync(key);
  else table.putSync(key, encodeRevision(revision));
}

/** Writes a revision under a key, if it is higher than the one that stands there. */
export function raiseRevision(table: Table, key: Key, revision: number | undefined): void {
  if (revision === undefined) table.removeSync(key);
  else if (revision > readRevision(table, key)) table.putSync(key, encodeRevision(revision));
}

/** The ceiling of all revisions, in the table of what the index says of itself. */
export function readCeiling(meta: Table): number {
  return readRevision(meta, CEILING);
}

/** Through which revision all changes are settled. */
export function readSettled(meta: Table): number {
  return readRevision(meta, SETTLED);
}

export function writeSettled(meta: Table, revision: number): void {
  writeRevision(meta, SETTLED, revision);
}

export function writeCeiling(meta: Table, ceiling: number): void {
  writeRevision(meta, CEILING, ceiling);
}

export function raiseSettled(meta: Table, revision: number): void {
  raiseRevision(meta, SETTLED, revision);
}

export function raiseCeiling(meta: Table, ceiling: number): void {
  raiseRevision(meta, CEILING, ceiling);
}
