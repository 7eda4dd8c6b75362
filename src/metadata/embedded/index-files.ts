import { STORE_OWNER, type FileId, type OwnerId } from '../../common/ids.js';
import type { FileRecord, OwnerUsage } from '../metadata-store.js';
import { createdKey, fileOfKey, idKey, nameKey, ownerKey } from './index-keys.js';
import { decodeFile, decodeOwned, decodeOwnerUsage, encodeFile, encodeOwned, encodeOwnerUsage } from './index-rows.js';
import type { IndexTables, Table } from './index-tables.js';

/**
 * The rows of files. Those of the store's own owner have a table of their own, whose keys are the order of their creation; so they take no byte
 * and no step more than in an index that knew no owners. Those of all others lie beside it, with a row more each for that order.
 */

const NOTHING = new Uint8Array(0);
const NONE: OwnerUsage = { files: 0, bytes: 0 };

export function findRecord(tables: IndexTables, id: FileId): FileRecord | undefined {
  const key = idKey(id);
  const row = tables.files.getBinary(key);
  if (row !== undefined) return decodeFile(id, row);
  const owned = tables.owned.getBinary(key);
  return owned && decodeOwned(id, owned);
}

export function hasFile(tables: IndexTables, id: FileId): boolean {
  const key = idKey(id);
  return tables.files.doesExist(key) || tables.owned.doesExist(key);
}

export function addFile(tables: IndexTables, file: FileRecord): void {
  placeFile(tables, file);
  count(tables.owners, file.owner, { files: 1, bytes: file.size });
}

/** Takes a file out of all tables; its version stays. */
export function forgetFile(tables: IndexTables, file: FileRecord): void {
  displaceFile(tables, file);
  count(tables.owners, file.owner, { files: -1, bytes: -file.size });
}

/** Puts a file into its tables and counts nothing. */
export function placeFile(tables: IndexTables, file: FileRecord): void {
  const { id, owner, name } = file;
  tables.names.putSync(nameKey(owner, name, id), NOTHING);
  if (owner !== STORE_OWNER) tables.created.putSync(createdKey(owner, id), NOTHING);
  putRow(tables, file);
}

/** Takes a file out of its tables and counts nothing. */
export function displaceFile(tables: IndexTables, { id, owner, name }: FileRecord): void {
  tables.names.removeSync(nameKey(owner, name, id));
  if (owner !== STORE_OWNER) tables.created.removeSync(createdKey(owner, id));
  (owner === STORE_OWNER ? tables.files : tables.owned).removeSync(idKey(id));
}

/** Writes a file anew; its id and its owner stay. */
export function rewriteFile(tables: IndexTables, before: FileRecord, after: FileRecord): FileRecord {
  const { id, owner } = before;
  if (before.name !== after.name) {
    tables.names.removeSync(nameKey(owner, before.name, id));
    tables.names.putSync(nameKey(owner, after.name, id), NOTHING);
  }
  putRow(tables, after);
  if (before.size !== after.size) count(tables.owners, owner, { files: 0, bytes: after.size - before.size });
  return after;
}

export function usageOf({ owners }: IndexTables, owner: OwnerId): OwnerUsage {
  const row = owners.getBinary(ownerKey(owner));
  return row === undefined ? NONE : decodeOwnerUsage(row);
}

/** For an index of a time when all files were the store's, and nobody counted them. */
export function countStoreFiles(tables: Pick<IndexTables, 'files' | 'owners'>): void {
  const total = { files: 0, bytes: 0 };
  for (const { key, value } of tables.files.getRange()) {
    total.files += 1;
    total.bytes += decodeFile(fileOfKey(key), value).size;
  }
  count(tables.owners, STORE_OWNER, total);
}

function putRow({ files, owned }: IndexTables, file: FileRecord): void {
  if (file.owner === STORE_OWNER) files.putSync(idKey(file.id), encodeFile(file));
  else owned.putSync(idKey(file.id), encodeOwned(file));
}

/** A counter that falls below zero is refused by the row's encoding, and with it the change: the counters would lie for ever. */
function count(owners: Table, owner: OwnerId, { files, bytes }: OwnerUsage): void {
  const key = ownerKey(owner);
  const row = owners.getBinary(key);
  const before = row === undefined ? NONE : decodeOwnerUsage(row);
  const after = { files: before.files + files, bytes: before.bytes + bytes };
  if (after.files === 0 && after.bytes === 0) owners.removeSync(key);
  else owners.putSync(key, encodeOwnerUsage(after));
}
