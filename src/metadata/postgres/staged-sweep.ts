import type { VersionId } from '../../common/ids.js';
import { FIRST_ID } from './file-listing.js';
import type { IndexCalls } from './index-calls.js';
import { LOCK_LAYOUTS, SWEEP_LAYOUTS, WALK_LAYOUTS } from './note-statements.js';
import { bind } from './statement.js';
import type { Slot, Tenure } from './tenure.js';

/** Versions that one look at the layouts goes through. */
const VERSIONS = 256;

interface LayoutRow {
  readonly version_id: VersionId;
  readonly referred: boolean;
}

/** Removes the layout pages of all versions that nothing refers to and that are not `live`; returns how many there were. */
export async function sweepStaged(
  calls: IndexCalls,
  isLive: (versionId: VersionId) => boolean,
  signal: AbortSignal,
): Promise<number> {
  let removed = 0;
  for (let after: string = FIRST_ID; ;) {
    const rows = await calls.look<LayoutRow>(signal, WALK_LAYOUTS, { after, limit: VERSIONS });
    const suspects = rows.filter(({ referred }) => !referred).map(({ version_id: versionId }) => versionId);
    removed += await calls.changing(signal, (tenure, slot) => sweepVersions(tenure, slot, { suspects, isLive }));
    const last = rows.at(-1);
    if (last === undefined) return removed;
    after = last.version_id;
  }
}

interface Sweep {
  readonly suspects: readonly VersionId[];
  readonly isLive: (versionId: VersionId) => boolean;
}

/** What refers to a version is asked once its pages are locked: a commit meanwhile was first, and is seen, or waits and then lacks them. */
async function sweepVersions(tenure: Tenure, { number: slot, token }: Slot, { suspects, isLive }: Sweep): Promise<number> {
  if (suspects.every(isLive)) return 0;
  return tenure.transaction(async (client) => {
    const { rows } = await client.query<LayoutRow>(bind(LOCK_LAYOUTS, { slot, token, versionIds: suspects }));
    const versionIds = [...new Set(rows.map(({ version_id: versionId }) => versionId))].filter((versionId) => !isLive(versionId));
    return (await client.query(bind(SWEEP_LAYOUTS, { versionIds }))).rowCount ?? 0;
  });
}
