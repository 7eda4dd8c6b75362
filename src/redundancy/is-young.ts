import { timeOfId, type VersionId } from '../common/ids.js';

/**
 * Whether a version is so young that it may still be on its way: its id tells when its upload began. One from further in the future than
 * that was begun by a clock that was wrong, and would otherwise stay until that time has come, for the next rebuild to take it for a file.
 * @param runBegan when this run of the program did, milliseconds since 1970: of what was begun before, nothing is on its way
 */
export function isYoung(versionId: VersionId, graceMs: number, runBegan = 0): boolean {
  const begun = timeOfId(versionId);
  return begun >= runBegan && Math.abs(Date.now() - begun) < graceMs;
}
