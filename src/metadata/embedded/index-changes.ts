import assert from 'node:assert/strict';
import { DomainError } from '../../common/errors.js';
import type { FileId, VersionId } from '../../common/ids.js';
import {
  StaleBasisError,
  type Amendment,
  type Commit,
  type Committed,
  type FileRecord,
  type GarbageVersion,
  type LayoutPage,
  type Manifest,
  type NodeUsage,
  type StoredFile,
  type Tombstone,
} from '../metadata-store.js';
import { addFile, findRecord, forgetFile, hasFile, rewriteFile } from './index-files.js';
import { idKey, kekKey, layoutKey, layoutRange, nodeKey, nodeOfKey } from './index-keys.js';
import { noteLayoutRevision } from './index-page-revisions.js';
import type { VersionRow } from './index-rows.js';
import {
  decodeGarbage,
  decodeTombstone,
  decodeUsage,
  decodeVersion,
  encodeGarbage,
  encodeTombstone,
  encodeUsage,
  encodeVersion,
} from './index-rows.js';
import type { IndexTables } from './index-tables.js';
import { rangeOptions } from './index-tables.js';

/**
 * The changes of the index, each run inside a transaction of its own. Preconditions come before the first write: a change that is
 * refused then costs nothing to undo.
 */

const NOTHING = new Uint8Array(0);

export interface CurrentFile {
  readonly file: FileRecord;
  readonly version: VersionRow;
}

export function readFile(tables: IndexTables, id: FileId): CurrentFile | undefined {
  const file = findRecord(tables, id);
  if (file === undefined) return undefined;
  const version = readVersion(tables, file.versionId);
  if (version === undefined) throw new Error('the index has a file without a version');
  return { file, version };
}

export function readByVersion(tables: IndexTables, versionId: VersionId): StoredFile | undefined {
  const version = readVersion(tables, versionId);
  return version && readStored(tables, version.manifest.fileId);
}

export function readUsage({ usage }: IndexTables): readonly NodeUsage[] {
  return [...usage.getRange()].map(({ key, value }) => decodeUsage(nodeOfKey(key), value));
}

export function readStored(tables: IndexTables, id: FileId): StoredFile | undefined {
  const found = readFile(tables, id);
  return found && { file: found.file, manifest: found.version.manifest };
}

export function readVersion(tables: IndexTables, versionId: VersionId): VersionRow | undefined {
  const row = tables.versions.getBinary(idKey(versionId));
  return row && decodeVersion(versionId, row);
}

export function readGarbage(tables: IndexTables, versionId: VersionId): GarbageVersion | undefined {
  const row = tables.garbage.getBinary(idKey(versionId));
  return row && decodeGarbage(versionId, row);
}

export function commitVersion(tables: IndexTables, commit: Commit): Committed {
  return commit.kind === 'create' ? createFile(tables, commit) : replaceVersion(tables, commit);
}

function createFile(tables: IndexTables, { file, manifest, lastPage }: Extract<Commit, { kind: 'create' }>): Committed {
  assert.equal(file.versionId, manifest.versionId, 'a file is made with its own version');
  assert.equal(file.id, manifest.fileId, 'a version is committed to its own file');
  assert(!hasFile(tables, file.id), 'a file is made once');
  requireCommittable(tables, manifest, lastPage);
  addFile(tables, file);
  addVersion(tables, manifest, lastPage);
  return { file };
}

function replaceVersion(tables: IndexTables, commit: Extract<Commit, { kind: 'replace' }>): Committed {
  const { manifest, lastPage } = commit;
  const { file, version } = requireFile(tables, commit.fileId, commit);
  assert.equal(file.id, manifest.fileId, 'a version is committed to its own file');
  requireCommittable(tables, manifest, lastPage);
  retireVersion(tables, version);
  addVersion(tables, manifest, lastPage);
  const replacing = rewriteFile(tables, file, {
    ...file,
    name: commit.name ?? file.name,
    contentType: commit.contentType ?? file.contentType,
    size: manifest.size,
    versionId: manifest.versionId,
    updatedAt: commit.updatedAt,
    revision: commit.revision,
  });
  return { file: replacing, replaced: version.manifest };
}

export function amendFile(tables: IndexTables, id: FileId, amendment: Amendment, expected?: VersionId): FileRecord {
  const { file, version } = requireFile(tables, id, { basis: amendment.basis, expected });
  const { revision, recordNodes, wrapped, layoutRevision } = amendment;
  const { manifest, pages } = version;
  if (layoutRevision !== undefined) noteLayoutRevision(tables, version, layoutRevision);
  if (wrapped !== undefined) {
    tables.keks.removeSync(kekKey(manifest.seal.kekId, manifest.versionId));
    tables.keks.putSync(kekKey(wrapped.kekId, manifest.versionId), NOTHING);
  }
  const amended = { ...manifest, recordNodes, seal: { ...manifest.seal, ...wrapped } };
  tables.versions.putSync(idKey(manifest.versionId), encodeVersion({ manifest: amended, pages }));
  return rewriteFile(tables, file, {
    ...file,
    name: amendment.name ?? file.name,
    contentType: amendment.contentType ?? file.contentType,
    updatedAt: amendment.updatedAt ?? file.updatedAt,
    revision,
  });
}

export function removeFile(
  tables: IndexTables,
  { tombstone, basis }: { readonly tombstone: Tombstone; readonly basis: number },
  expected?: VersionId,
): StoredFile {
  const { file, version } = requireFile(tables, tombstone.fileId, { basis, expected });
  forgetFile(tables, file);
  retireVersion(tables, version);
  tables.tombstones.putSync(idKey(file.id), encodeTombstone(tombstone));
  return { file, manifest: version.manifest };
}

export function addTombstone(tables: IndexTables, tombstone: Tombstone): boolean {
  if (hasFile(tables, tombstone.fileId)) return false;
  const before = readTombstone(tables, tombstone.fileId);
  if (before === undefined || before.revision < tombstone.revision)
    tables.tombstones.putSync(idKey(tombstone.fileId), encodeTombstone(tombstone));
  return true;
}

export function readTombstone(tables: IndexTables, id: FileId): Tombstone | undefined {
  const row = tables.tombstones.getBinary(idKey(id));
  return row && decodeTombstone(id, row);
}

export function dropTombstone(tables: IndexTables, { fileId, revision }: Tombstone): void {
  if (readTombstone(tables, fileId)?.revision === revision) tables.tombstones.removeSync(idKey(fileId));
}

/** Makes a version that was never committed garbage. Its staged pages may have gaps: an upload may have failed at staging one. */
export function abandonVersion(tables: IndexTables, garbage: Omit<GarbageVersion, 'pages'>, lastPage: LayoutPage): void {
  const { versionId, nodes } = garbage;
  assert(!tables.versions.doesExist(idKey(versionId)), 'a committed version is not abandoned');
  tables.layouts.putSync(layoutKey(versionId, lastPage.page), lastPage.bytes);
  addGarbage(tables, { versionId, nodes, pages: lastPage.page + 1 });
}

export function clearGarbageOf(tables: IndexTables, versionId: VersionId, node: number): void {
  const garbage = readGarbage(tables, versionId);
  if (garbage === undefined) return;
  addGarbage(tables, { ...garbage, nodes: garbage.nodes.filter((other) => other !== node) });
}

/** Removes the layout pages of a version that nothing refers to; returns how many there were. */
export function sweepVersion(tables: IndexTables, versionId: VersionId, isLive: (versionId: VersionId) => boolean): number {
  // Asked inside the transaction: since it was seen the version may have been committed or abandoned.
  return isReferredTo(tables, versionId) || isLive(versionId) ? 0 : removeLayout(tables, versionId);
}

export function isReferredTo(tables: IndexTables, versionId: VersionId): boolean {
  return tables.versions.doesExist(idKey(versionId)) || tables.garbage.doesExist(idKey(versionId));
}

/** The file as it is now, if that is what the change was made for and from. */
export function requireFile(
  tables: IndexTables,
  id: FileId,
  { expected, basis }: { readonly expected?: VersionId | undefined; readonly basis: number },
): CurrentFile {
  const current = readFile(tables, id);
  if (current === undefined) throw new DomainError('file-not-found', 'there is no file with this id');
  if (expected !== undefined && expected !== current.file.versionId) {
    throw new DomainError('precondition-failed', 'the file has another version by now');
  }
  if (current.file.revision !== basis) throw new StaleBasisError();
  return current;
}

/** A file must never come to be whose shards cannot all be found, or whose shards are being deleted. */
function requireCommittable(tables: IndexTables, { versionId }: Manifest, lastPage: LayoutPage): void {
  assert(!isReferredTo(tables, versionId), 'a version is committed once, and never after it became garbage');
  const range = { lower: idKey(versionId), upper: layoutKey(versionId, lastPage.page) };
  const staged = lastPage.page === 0 ? 0 : tables.layouts.getKeysCount(rangeOptions(range, {}));
  assert.equal(staged, lastPage.page, 'all layout pages before the last one were staged');
}

export function addVersion(tables: IndexTables, manifest: Manifest, lastPage: LayoutPage): void {
  const { versionId } = manifest;
  tables.layouts.putSync(layoutKey(versionId, lastPage.page), lastPage.bytes);
  tables.versions.putSync(idKey(versionId), encodeVersion({ manifest, pages: lastPage.page + 1 }));
  tables.keks.putSync(kekKey(manifest.seal.kekId, versionId), NOTHING);
  for (const usage of manifest.usage) addUsage(tables, usage, 1);
}

function retireVersion(tables: IndexTables, { manifest, pages }: VersionRow): void {
  const { versionId, usage, recordNodes } = manifest;
  forgetVersion(tables, manifest);
  addGarbage(tables, { versionId, nodes: [...usage.map(({ node }) => node), ...recordNodes], pages });
}

/** Takes a version out of all tables but its layout pages. */
export function forgetVersion(tables: IndexTables, { versionId, usage, seal }: Manifest): void {
  tables.versions.removeSync(idKey(versionId));
  tables.keks.removeSync(kekKey(seal.kekId, versionId));
  for (const part of usage) addUsage(tables, part, -1);
}

/** Keeps a garbage record, or lets go of the version if no node has anything of it. */
function addGarbage(tables: IndexTables, { versionId, nodes, pages }: GarbageVersion): void {
  if (nodes.length > 0) {
    tables.garbage.putSync(idKey(versionId), encodeGarbage({ nodes: [...new Set(nodes)], pages }));
    return;
  }
  tables.garbage.removeSync(idKey(versionId));
  removeLayout(tables, versionId);
}

/** By range and not by count: pages may have been staged behind the last one of the commit. */
function removeLayout(tables: IndexTables, versionId: VersionId): number {
  const range = rangeOptions(layoutRange(versionId), {});
  const keys = [...tables.layouts.getKeys(range)];
  for (const key of keys) tables.layouts.removeSync(key);
  for (const key of [...tables.pages.getKeys(range)]) tables.pages.removeSync(key);
  return keys.length;
}

/** A counter that falls below zero is refused by the row's encoding, and with it the change: the counters would lie for ever. */
export function addUsage(tables: IndexTables, { node, shards, bytes }: NodeUsage, sign: 1 | -1): void {
  const row = tables.usage.getBinary(nodeKey(node));
  const before = row === undefined ? { shards: 0, bytes: 0 } : decodeUsage(node, row);
  const after = { shards: before.shards + sign * shards, bytes: before.bytes + sign * bytes };
  if (after.shards === 0 && after.bytes === 0) tables.usage.removeSync(nodeKey(node));
  else tables.usage.putSync(nodeKey(node), encodeUsage(after));
}
