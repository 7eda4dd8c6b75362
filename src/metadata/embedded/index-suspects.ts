import type { VersionId } from '../../common/ids.js';
import { isReferredTo, sweepVersion } from './index-changes.js';
import { type Key, layoutRange, versionOfLayoutKey } from './index-keys.js';
import { type IndexTables, rangeOptions } from './index-tables.js';
import type { ReadTurns } from './read-turns.js';

/** Versions that one look at the layouts goes through, before others have the event loop. */
const VERSIONS = 32;

/** The versions with layout pages from a key on that nothing refers to, and where to go on, if there is more. Seeks once a version. */
function suspectsFrom(
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

/** Ways into the index, for what takes more than one look. */
export interface IndexAccess {
  readonly look: <Result>(read: (tables: IndexTables) => Result) => Promise<Result>;
  readonly change: <Result>(apply: (tables: IndexTables) => Result) => Promise<Result>;
  readonly turns: ReadTurns;
}

/** Removes the layout pages of all versions that nothing refers to and that are not `live`; returns how many there were. */
export async function sweepStaged(
  { look, change, turns }: IndexAccess,
  isLive: (versionId: VersionId) => boolean,
): Promise<number> {
  let removed = 0;
  for (let from: Key | undefined; ;) {
    const start = from;
    const { next, suspects } = await look((tables) => suspectsFrom(tables, start));
    const counts = suspects
      .filter((versionId) => !isLive(versionId))
      .map((versionId) => change((tables) => sweepVersion(tables, versionId, isLive)));
    for (const count of await Promise.all(counts)) removed += count;
    if (next === undefined) return removed;
    from = next;
    await turns.afterPages();
  }
}
