import type { FileId } from '../../common/ids.js';
import type { ImportedRecord } from '../metadata-store.js';
import { addTombstone, addVersion, forgetVersion, readFile, readTombstone } from './index-changes.js';
import { addFile, forgetFile } from './index-files.js';
import { idKey } from './index-keys.js';
import { importPage } from './index-page-revisions.js';
import type { IndexTables } from './index-tables.js';

/**
 * Takes in one record of a node: what has the highest revision of a file counts, whatever comes first. A version that loses leaves nothing
 * but its layout pages, which the sweep of staged pages takes; its shards are found by the walk over the nodes.
 */
export function importRecord(tables: IndexTables, record: ImportedRecord): void {
  if (record.kind === 'layout') {
    importPage(tables, record.versionId, { ...record.page, revision: record.revision });
    return;
  }
  const { fileId, revision } = record.kind === 'file' ? { fileId: record.file.id, ...record.file } : record.tombstone;
  if (knownRevision(tables, fileId) >= revision) return;
  const before = readFile(tables, fileId);
  if (before !== undefined) {
    forgetFile(tables, before.file);
    forgetVersion(tables, before.version.manifest);
  }
  if (record.kind === 'tombstone') {
    addTombstone(tables, record.tombstone);
    return;
  }
  tables.tombstones.removeSync(idKey(fileId));
  addFile(tables, record.file);
  addVersion(tables, record.manifest, record.lastPage);
}

function knownRevision(tables: IndexTables, fileId: FileId): number {
  return Math.max(readFile(tables, fileId)?.file.revision ?? 0, readTombstone(tables, fileId)?.revision ?? 0);
}

export function revisionOf(record: ImportedRecord): number {
  if (record.kind === 'layout') return record.revision;
  return (record.kind === 'file' ? record.file : record.tombstone).revision;
}
