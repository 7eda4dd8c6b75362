import assert from 'node:assert/strict';
import { DomainError } from '../../common/errors.js';
import type { FileId, VersionId } from '../../common/ids.js';
import type {
  Commit,
  Committed,
  FileChanges,
  FileRecord,
  GarbageVersion,
  LayoutPage,
  Manifest,
  NodeUsage,
  StoredFile,
} from '../metadata-store.js';
import { idKey, kekKey, layoutKey, layoutRange, nameKey, nodeKey } from './index-keys.js';
import type { VersionRow } from './index-rows.js';
import {
  decodeFile,
  decodeGarbage,
  decodeUsage,
  decodeVersion,
  encodeFile,
  encodeGarbage,
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

interface CurrentFile {
  readonly file: FileRecord;
  readonly version: VersionRow;
}

export function readFile(tables: IndexTables, id: FileId): CurrentFile | undefined {
  const row = tables.files.getBinary(idKey(id));
  if (row === undefined) return undefined;
  const file = decodeFile(id, row);
  const version = readVersion(tables, file.versionId);
  if (version === undefined) throw new Error('the index has a file without a version');
  return { file, version };
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
  assert(!tables.files.doesExist(idKey(file.id)), 'a file is made once');
  requireCommittable(tables, manifest, lastPage);
  tables.names.putSync(nameKey(file.name, file.id), NOTHING);
  tables.files.putSync(idKey(file.id), encodeFile(file));
  addVersion(tables, manifest, lastPage);
  return { file };
}

function replaceVersion(tables: IndexTables, commit: Extract<Commit, { kind: 'replace' }>): Committed {
  const { manifest, lastPage } = commit;
  const { file, version } = requireFile(tables, commit.fileId, commit.expected);
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
  });
  return { file: replacing, replaced: version.manifest };
}

export function updateFile(tables: IndexTables, id: FileId, changes: FileChanges, expected?: VersionId): FileRecord {
  const { file } = requireFile(tables, id, expected);
  return rewriteFile(tables, file, {
    ...file,
    name: changes.name ?? file.name,
    contentType: changes.contentType ?? file.contentType,
    updatedAt: changes.updatedAt,
  });
}

export function removeFile(tables: IndexTables, id: FileId, expected?: VersionId): StoredFile {
  const { file, version } = requireFile(tables, id, expected);
  tables.names.removeSync(nameKey(file.name, id));
  tables.files.removeSync(idKey(id));
  retireVersion(tables, version);
  return { file, manifest: version.manifest };
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

export function rewrapVersion(
  tables: IndexTables,
  versionId: VersionId,
  { from, kekId, wrappedKey }: { readonly from: string; readonly kekId: string; readonly wrappedKey: Uint8Array },
): boolean {
  const version = readVersion(tables, versionId);
  if (version?.manifest.seal.kekId !== from) return false;
  const { manifest, pages } = version;
  tables.keks.removeSync(kekKey(from, versionId));
  tables.keks.putSync(kekKey(kekId, versionId), NOTHING);
  const seal = { ...manifest.seal, kekId, wrappedKey };
  tables.versions.putSync(idKey(versionId), encodeVersion({ manifest: { ...manifest, seal }, pages }));
  return true;
}

function requireFile(tables: IndexTables, id: FileId, expected: VersionId | undefined): CurrentFile {
  const current = readFile(tables, id);
  if (current === undefined) throw new DomainError('file-not-found', 'there is no file with this id');
  if (expected !== undefined && expected !== current.file.versionId) {
    throw new DomainError('precondition-failed', 'the file has another version by now');
  }
  return current;
}

/** A file must never come to be whose shards cannot all be found, or whose shards are being deleted. */
function requireCommittable(tables: IndexTables, { versionId }: Manifest, lastPage: LayoutPage): void {
  assert(!isReferredTo(tables, versionId), 'a version is committed once, and never after it became garbage');
  const range = { lower: idKey(versionId), upper: layoutKey(versionId, lastPage.page) };
  const staged = lastPage.page === 0 ? 0 : tables.layouts.getKeysCount(rangeOptions(range, {}));
  assert.equal(staged, lastPage.page, 'all layout pages before the last one were staged');
}

function addVersion(tables: IndexTables, manifest: Manifest, lastPage: LayoutPage): void {
  const { versionId } = manifest;
  tables.layouts.putSync(layoutKey(versionId, lastPage.page), lastPage.bytes);
  tables.versions.putSync(idKey(versionId), encodeVersion({ manifest, pages: lastPage.page + 1 }));
  tables.keks.putSync(kekKey(manifest.seal.kekId, versionId), NOTHING);
  for (const usage of manifest.usage) addUsage(tables, usage, 1);
}

function retireVersion(tables: IndexTables, { manifest, pages }: VersionRow): void {
  const { versionId, usage } = manifest;
  tables.versions.removeSync(idKey(versionId));
  tables.keks.removeSync(kekKey(manifest.seal.kekId, versionId));
  for (const part of usage) addUsage(tables, part, -1);
  addGarbage(tables, { versionId, nodes: usage.map(({ node }) => node), pages });
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
  const keys = [...tables.layouts.getKeys(rangeOptions(layoutRange(versionId), {}))];
  for (const key of keys) tables.layouts.removeSync(key);
  return keys.length;
}

function rewriteFile(tables: IndexTables, before: FileRecord, after: FileRecord): FileRecord {
  if (before.name !== after.name) {
    tables.names.removeSync(nameKey(before.name, before.id));
    tables.names.putSync(nameKey(after.name, after.id), NOTHING);
  }
  tables.files.putSync(idKey(after.id), encodeFile(after));
  return after;
}

/** A counter that falls below zero is refused by the row's encoding, and with it the change: the counters would lie for ever. */
function addUsage(tables: IndexTables, { node, shards, bytes }: NodeUsage, sign: 1 | -1): void {
  const row = tables.usage.getBinary(nodeKey(node));
  const before = row === undefined ? { shards: 0, bytes: 0 } : decodeUsage(node, row);
  const after = { shards: before.shards + sign * shards, bytes: before.bytes + sign * bytes };
  if (after.shards === 0 && after.bytes === 0) tables.usage.removeSync(nodeKey(node));
  else tables.usage.putSync(nodeKey(node), encodeUsage(after));
}
