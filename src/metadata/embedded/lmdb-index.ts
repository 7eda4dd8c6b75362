import { existsSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { DomainError } from '../../common/errors.js';
import type { ClusterId } from '../../common/ids.js';
import { makeFolder } from '../../common/make-folder.js';
import { ProcessLock } from '../../common/process-lock.js';
import { TO_USE, transitFor, type OpeningPurpose } from '../moving/index-transit.js';
import { IndexDatabase, openEnvironment, type OpenDatabase } from './index-database.js';
import { countStoreFiles } from './index-files.js';
import { IDENTITY, readTransit, SCHEMA_IN_TRANSIT, writeIdentity } from './index-identity.js';
import { decodeIdentity, decodeSchema } from './index-rows.js';
import type { Table } from './index-tables.js';
import { openTable, openTables } from './index-tables.js';
import { requireWhole } from './index-soundness.js';

export interface OpenOptions {
  /** Directory of the index alone; made if it is missing and may be. */
  readonly directory: string;
  readonly clusterId: ClusterId;
  /** False if the nodes hold data: an index that is not there has then been lost, and an empty one must not take its place. */
  readonly mayCreate: boolean;
  readonly purpose?: OpeningPurpose;
}

export interface OpenIndex {
  readonly database: IndexDatabase;
  readonly lock: ProcessLock;
}

/** Before owners: all files are the store's own, and nothing is counted by owner. */
const SCHEMA_WITHOUT_OWNERS = 2;
const DATA_FILE = 'data.mdb';
const LOCK_FILE = 'process.lock';

/** Opens the index or makes an empty one. The lock is the first thing that is taken, so that nothing of another process is touched. */
export async function openIndex({ directory, clusterId, mayCreate, purpose = TO_USE }: OpenOptions): Promise<OpenIndex> {
  const dataFile = join(directory, DATA_FILE);
  if (!mayCreate && !existsSync(dataFile)) throw missing();
  const lock = await takeLock(directory);
  let environment: RootDatabase | undefined;
  try {
    await requireWhole(dataFile);
    environment = openEnvironment(directory);
    // Before the other tables: in an index of a later schema nothing must be made.
    const meta = openTable(environment, 'meta');
    const schema = requireIdentity(meta, clusterId, mayCreate);
    const found = readTransit(meta);
    const transit = transitFor(purpose, found, { engine: 'embedded', isThere: schema !== undefined });
    const tables = openTables(environment);
    if (schema === undefined || transit !== found) await environment.transaction(() => writeIdentity(meta, clusterId, transit));
    // LMDB syncs its file but not the entry of its file in the directory.
    if (schema === undefined) await syncDirectories(directory, directory);
    if (schema === SCHEMA_WITHOUT_OWNERS) await bringToOwners({ environment, tables, clusterId });
    return { database: new IndexDatabase(directory, { environment, tables }), lock };
  } catch (error) {
    await environment?.close();
    lock.release();
    throw toOpenError(error);
  }
}

async function takeLock(directory: string): Promise<ProcessLock> {
  try {
    const made = makeFolder(directory, 0o700);
    if (made !== undefined) await syncDirectories(resolve(directory), dirname(resolve(made)));
    return ProcessLock.take(join(directory, LOCK_FILE));
  } catch (error) {
    throw toOpenError(error);
  }
}

/** The schema of the index; undefined if it has no identity yet: it is new, or its making was cut short. */
function requireIdentity(meta: Table, clusterId: ClusterId, mayCreate: boolean): number | undefined {
  const row = meta.getBinary(IDENTITY);
  if (row === undefined) {
    if (!mayCreate) throw missing();
    return undefined;
  }
  const schema = decodeSchema(row);
  if (schema > SCHEMA_IN_TRANSIT) {
    throw new DomainError(
      'storage-unusable',
      `the index has schema ${schema}; this program is older and knows schemas up to ${SCHEMA_IN_TRANSIT}`,
    );
  }
  if (schema < SCHEMA_WITHOUT_OWNERS) {
    throw new DomainError('storage-unusable', `the index has schema ${schema}, of a version before the first release`);
  }
  if (decodeIdentity(row).clusterId !== clusterId) {
    throw new DomainError('storage-mismatch', 'the index belongs to another cluster than the nodes');
  }
  return schema;
}

/** In one transaction, so that an index is of one schema or of the other; from then on an older program refuses it. */
async function bringToOwners({
  environment,
  tables,
  clusterId,
}: OpenDatabase & { readonly clusterId: ClusterId }): Promise<void> {
  await environment.transaction(() => {
    countStoreFiles(tables);
    writeIdentity(tables.meta, clusterId, undefined);
  });
}

/** Syncs a directory and those above it up to `last`, so that what was made in them is there after a power cut. */
async function syncDirectories(directory: string, last: string): Promise<void> {
  // Windows cannot open a directory, and needs no sync of it.
  if (process.platform === 'win32') return;
  const handle = await openFile(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (directory !== last && dirname(directory) !== directory) await syncDirectories(dirname(directory), last);
}

function missing(): DomainError {
  return new DomainError(
    'storage-missing',
    'the index is missing while the nodes hold data: "dcloud rebuild-index" makes it anew from the nodes',
  );
}

function toOpenError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const detail = `the index cannot be opened: ${reason}; "dcloud rebuild-index" makes it anew from the nodes`;
  return new DomainError('storage-unusable', detail, { cause: error });
}
