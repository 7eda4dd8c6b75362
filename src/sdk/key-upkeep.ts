import type { WriteContext } from './drive-context.js';
import type { DriveSession } from './drive-session.js';
import type { OpenNode } from './open-node.js';
import { renewKeys } from './record-writer.js';
import { Rekeying } from './rekeying.js';

/**
 * Sees to it that nothing is written under keys that somebody has who lost the right to read. Whoever took the right away begins with the topmost node;
 * what lies below follows, at the latest when something is written there.
 */
export class KeyUpkeep {
  private readonly rekeying: Rekeying;
  /** Own shared nodes of which it was seen that no change of them is half done, by the revision of their list. */
  private readonly finished = new Map<string, number>();

  constructor(private readonly session: DriveSession) {
    this.rekeying = new Rekeying(session);
  }

  /**
   * To be called with what is about to be written, or written in.
   * @returns whether keys were renewed: what was opened before is old then
   */
  async renewed(context: WriteContext, node: OpenNode, signal: AbortSignal): Promise<boolean> {
    if (node.owner.accountId !== this.session.account.id) return node.isBehind === true && renewForeign(context, node, signal);
    const unknown = node.lists.filter(({ nodeId, revision }) => this.finished.get(nodeId) !== revision);
    if (node.isBehind !== true && unknown.length === 0) return false;
    const isRenewed = await this.rekeying.freshen(node.id, signal);
    if (!isRenewed) for (const { nodeId, revision } of unknown) this.finished.set(nodeId, revision);
    return isRenewed;
  }
}

/** In somebody else's tree who may write there gives the keys; but not to what is shared by itself, for only its owner can grant the new ones. */
async function renewForeign(context: WriteContext, { path }: OpenNode, signal: AbortSignal): Promise<boolean> {
  const { finder, opener } = context;
  for (let depth = 1; depth <= path.names.length; depth += 1) {
    finder.forget();
    const folder = await finder.folder({ ...path, names: path.names.slice(0, depth - 1) }, signal);
    const node = await finder.child(folder.path, path.names[depth - 1] as string, signal);
    if (node?.isBehind !== true) continue;
    const lists = await opener.lists([node.id, ...node.above], node.owner, signal);
    if (lists[0]?.nodeId === node.id) return false;
    await renewKeys(context, node, folder, signal);
  }
  finder.forget();
  return true;
}
