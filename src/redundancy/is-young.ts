import { timeOfId, type VersionId } from '../common/ids.js';

/** Whether a version is so young that it may still be on its way: its id tells when its upload began. */
export function isYoung(versionId: VersionId, graceMs: number): boolean {
  return Date.now() - timeOfId(versionId) < graceMs;
}
