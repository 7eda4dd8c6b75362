import type { VersionId } from '../../common/ids.js';
import { isReferredTo } from './index-changes.js';
import { type Key, layoutRange, versionOfLayoutKey } from './index-keys.js';
import { type IndexTables, rangeOptions } from './index-tables.js';

/** Versions that one look at the layouts goes through. */
const VERSIONS = 256;

/** The versions with layout pages from a key on that nothing refers to, and where to go on, if there is more. Seeks once a version. */
export function suspectsFrom(
  tables: IndexTables,
  start: Key | undefined,
): { readonly next?: Key; readonly suspects: readonly VersionId[] } {
  const suspects: VersionId[] = [];
  let lower = start;
  for (let seen = 0; seen < VERSIONS; seen++) {
    const [key] = tables.layouts.getKeys(rangeOptions(lower === undefined ? {} : { lower }, { limit: 1 }));
    if (key === undefined) return { suspects };
    const versionId = versionOfLayoutKey(key);
    if (!isReferredTo(tables, versionId)) suspects.push(versionId);
    lower = layoutRange(versionId).upper;
    if (lower === undefined) return { suspects };
  }
  return { suspects, ...(lower === undefined ? {} : { next: lower }) };
}
