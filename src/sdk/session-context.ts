import type { WriteContext } from './drive-context.js';
import { DriveCalls } from './drive-calls.js';
import type { DriveSession } from './drive-session.js';
import { KeyUpkeep } from './key-upkeep.js';
import { NodeFinder, type TopNode } from './node-finder.js';
import { NodeOpener } from './open-node.js';

/** What was accepted of others, by the name that it has here. */
export interface Mounts {
  /** @throws SdkError `not-found` */
  top(name: string, signal: AbortSignal): Promise<TopNode>;
}

/** What the tree and the contents of an account are worked on with; all parts of a drive share one, so that they know of each other's changes. */
export function sessionContext(session: DriveSession, mounts: Mounts): WriteContext {
  const calls = new DriveCalls(session.transport);
  const opener = new NodeOpener(calls, session.seen);
  const upkeep = new KeyUpkeep(session);
  const top = async (mount: string | undefined, signal: AbortSignal): Promise<TopNode> => {
    if (mount !== undefined) return mounts.top(mount, signal);
    const { record } = await session.root(signal);
    const access = { nodeKey: record.keys.current, generation: record.generation };
    return { id: record.nodeId, owner: session.keys.owner, access, parentId: session.account.id };
  };
  return {
    calls,
    opener,
    finder: new NodeFinder({ calls, opener, tops: { top, refresh: (signal) => session.refresh(signal) } }),
    seen: session.seen,
    floe: session.floe,
    ids: session.ids,
    keys: () => session.keys,
    now: () => Date.now(),
    refresh: (signal) => session.refresh(signal),
    renewed: (context, node, signal) => upkeep.renewed(context, node, signal),
  };
}
