import assert from 'node:assert/strict';
import type { Relocation, StoredFile } from '../metadata-store.js';
import { addUsage, requireFile } from './index-changes.js';
import { rewriteFile } from './index-files.js';
import { idKey, layoutKey } from './index-keys.js';
import { notePageRevision } from './index-page-revisions.js';
import { encodeVersion } from './index-rows.js';
import type { IndexTables } from './index-tables.js';

/** Moves shards of the current version on its layout. The counters change by the difference, so that they stay those of all layouts. */
export function relocateVersion(tables: IndexTables, relocation: Relocation): StoredFile {
  const { fileId, versionId, basis, revision, m, usage, recordNodes, pages } = relocation;
  const { file, version } = requireFile(tables, fileId, { basis, expected: versionId });
  for (const { page } of pages) assert(page < version.pages, 'a relocation changes pages that are there, and adds none');
  const manifest = { ...version.manifest, m, usage, recordNodes };
  for (const part of version.manifest.usage) addUsage(tables, part, -1);
  for (const part of usage) addUsage(tables, part, 1);
  for (const { page, bytes } of pages) {
    tables.layouts.putSync(layoutKey(versionId, page), bytes);
    notePageRevision(tables, version, { page, revision });
  }
  tables.versions.putSync(idKey(versionId), encodeVersion({ manifest, pages: version.pages }));
  return { file: rewriteFile(tables, file, { ...file, revision }), manifest };
}
