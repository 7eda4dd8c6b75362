import type { VersionId } from '../../common/ids.js';
import { type Key, layoutKey } from './index-keys.js';
import { raiseRevision, readRevision, writeRevision } from './index-revisions.js';
import type { VersionRow } from './index-rows.js';
import type { IndexTables } from './index-tables.js';

/** With it the upload puts the layout pages before the last one on the nodes. */
export const OF_UPLOAD = 1;

/** The revision with which the nodes keep a layout page. */
export function layoutRevision(tables: IndexTables, versionId: VersionId, page: number): number {
  return readRevision(tables.pages, layoutKey(versionId, page)) || OF_UPLOAD;
}

/** Notes that a page is kept with this revision, if that is no lower one. The last page is in the manifest and has none of its own. */
export function notePageRevision(
  tables: IndexTables,
  { manifest: { versionId }, pages }: VersionRow,
  { page, revision }: { readonly page: number; readonly revision: number },
): void {
  if (page < pages - 1) raiseRevision(tables.pages, layoutKey(versionId, page), revision);
}

/** Notes that all pages of a version are kept with this revision. */
export function noteLayoutRevision(tables: IndexTables, version: VersionRow, revision: number): void {
  for (let page = 0; page < version.pages - 1; page += 1) notePageRevision(tables, version, { page, revision });
}

/** Notes exactly this revision of a page. */
export function writePageRevision({ pages }: IndexTables, key: Key, revision: number): void {
  writeRevision(pages, key, revision > OF_UPLOAD ? revision : 0);
}

/** Takes in a page that a node keeps, if it is newer than what is known of that page. */
export function importPage(
  tables: IndexTables,
  versionId: VersionId,
  { page, bytes, revision }: { readonly page: number; readonly bytes: Uint8Array; readonly revision: number },
): void {
  const key = layoutKey(versionId, page);
  if (tables.layouts.doesExist(key) && layoutRevision(tables, versionId, page) >= revision) return;
  tables.layouts.putSync(key, bytes);
  if (revision > OF_UPLOAD) raiseRevision(tables.pages, key, revision);
}
