import { timeOfId, type VersionId } from '../common/ids.js';

/**
 * Whether a version is so young that it may still be on its way: its id tells when its upload began. One from further in the future than
 * that was begun by a clock that was wrong, and would otherwise stay until that time has come, for the next rebuild to take it for a file.
 */
export function isYoung(versionId: VersionId, graceMs: number): boolean {
  return Math.abs(Date.now() - timeOfId(versionId)) < graceMs;
}
