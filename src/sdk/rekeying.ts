import { meetAcknowledged } from './acknowledged.js';
import { DriveCalls } from './drive-calls.js';
import type { DriveSession } from './drive-session.js';
import { makeNodeRecord } from './drive-record.js';
import type { NodeKeys } from './drive-keys.js';
import { rootParentKeys } from './key-change.js';
import { readLinkHead } from './link.js';
import { SdkError } from './errors.js';
import { isConflict, repeated } from './retries.js';
import { SharingApi } from './sharing-api.js';
import { isUnfinished, readSharing, recipientsOf, writeSharing, type Recipient } from './sharing-state.js';
import { lastOf, openChildren, openOwnWay, ownWriter, type Way, type WayNode } from './way.js';

/** Folders that lie in each other, as the server lets them. */
const DEPTH_MAX = 200;

/**
 * Gives own nodes keys of a next generation, so that who has those of before cannot open what is sealed from then on.
 *
 * The order of a node's change: first everybody who stays gets a grant of the new key, and whoever goes is out of the grants and the list, in one step of the
 * server; then the node's record takes the new key. A crash in between leaves grants of a generation that the node has not got: that tells the next
 * device, which begins again with another key. So there is no moment in which somebody who went is granted anything, and nothing has to be remembered.
 */
export class Rekeying {
  constructor(private readonly session: DriveSession) {}

  /**
   * @param recipients who stays; undefined: everybody who is there
   * @returns the way with the new record at its end
   * @throws SdkError `conflict` if other devices were faster again and again
   */
  async rekey(
    nodeId: string,
    recipients: ((now: readonly Recipient[]) => readonly Recipient[]) | undefined,
    signal: AbortSignal,
  ): Promise<Way> {
    return repeated(async () => {
      const way = await openOwnWay(this.session, nodeId, signal);
      const node = lastOf(way).record;
      const keys = node.keys.next();
      if (way.lists.has(nodeId)) {
        const before = await readSharing(this.session, node, signal);
        const now = recipientsOf(before);
        await writeSharing(this.session, node, { before, next: { recipients: recipients?.(now) ?? now, keys } }, signal);
      }
      // Behind the new list, which the record names.
      const changed = await openOwnWay(this.session, nodeId, signal);
      await this.putRecord(changed, keys, signal);
      await this.endOldLinks(nodeId, keys.generation, signal);
      return openOwnWay(this.session, nodeId, signal);
    });
  }

  /**
   * Gives everything below a folder keys that hang on the folder's newest ones. What has them already is passed over, so it may be broken off and begun
   * again at any time.
   */
  async rekeyBelow(nodeId: string, signal: AbortSignal): Promise<void> {
    const way = await openOwnWay(this.session, nodeId, signal);
    if (way.nodes.length > DEPTH_MAX) throw new SdkError('damaged');
    const folder = lastOf(way).record;
    if (folder.kind !== 'folder') return;
    const folders: string[] = [];
    for await (const child of openChildren(this.session, way, signal)) {
      const { record } = child;
      if (record.kind === 'folder') folders.push(record.nodeId);
      if (isStale(lastOf(way), child)) await this.rekeyChild(way, child, signal);
    }
    for (const id of folders) await this.rekeyBelow(id, signal);
  }

  /**
   * Brings a node and all above it to keys that nobody has who lost the right to read, before something is written there.
   * @returns whether anything had to be done: what was opened before is old then
   */
  async freshen(nodeId: string, signal: AbortSignal): Promise<boolean> {
    const way = await openOwnWay(this.session, nodeId, signal);
    for (const [at, node] of way.nodes.entries()) {
      const { record } = node;
      const isOpen = way.lists.has(record.nodeId) && isUnfinished(await readSharing(this.session, record, signal), record);
      if (!isStale(way.nodes[at - 1], node) && !isOpen) continue;
      await this.rekey(record.nodeId, undefined, signal);
      await this.freshen(nodeId, signal);
      return true;
    }
    return false;
  }

  /** One that is not shared by itself costs one request: thousands lie in a folder. */
  private async rekeyChild(way: Way, child: WayNode, signal: AbortSignal): Promise<void> {
    const { nodeId, keys } = child.record;
    try {
      await this.putRecord({ ...way, nodes: [...way.nodes, child] }, keys.next(), signal);
    } catch (error) {
      // It was changed meanwhile, or it is shared by itself: then its record has to name its own list, and others need the key.
      if (!isConflict(error)) throw error;
      await this.rekeyAlone(nodeId, signal);
    }
  }

  private async rekeyAlone(nodeId: string, signal: AbortSignal): Promise<void> {
    try {
      const way = await openOwnWay(this.session, nodeId, signal);
      if (isStale(way.nodes.at(-2), lastOf(way))) await this.rekey(nodeId, undefined, signal);
    } catch (error) {
      const isGone = error instanceof SdkError && error.kind === 'not-found';
      if (!isGone) throw error;
    }
  }

  private async putRecord(way: Way, keys: NodeKeys, signal: AbortSignal): Promise<void> {
    const { record, etag } = lastOf(way);
    const { master, identity } = this.session.keys;
    const parentKeys = way.nodes.at(-2)?.record.keys ?? (await rootParentKeys(master));
    const next = { keys, revision: record.revision + 1, previousHash: record.hash, writer: ownWriter(this.session, way) };
    const bytes = await makeNodeRecord({ ...record, ...next }, parentKeys, identity.signer);
    await new DriveCalls(this.session.transport).replaceRecord(record.nodeId, { record: bytes, etag }, signal);
    await meetAcknowledged(this.session.seen, { record: bytes });
  }

  /** A link has the key that it was made with: it could show nothing that is written from now on, and its end is said instead. */
  private async endOldLinks(nodeId: string, generation: number, signal: AbortSignal): Promise<void> {
    const api = new SharingApi(this.session.transport);
    const { links } = await api.sharing(nodeId, signal);
    for (const { linkId, link } of links) if (readLinkHead(link).generation < generation) await endLink(api, linkId, signal);
  }
}

/** One that is gone already is gone. */
async function endLink(api: SharingApi, linkId: string, signal: AbortSignal): Promise<void> {
  try {
    await api.removeLink(linkId, signal);
  } catch (error) {
    const isGone = error instanceof SdkError && error.kind === 'link-over';
    if (!isGone) throw error;
  }
}

function isStale(above: WayNode | undefined, { record }: WayNode): boolean {
  return above !== undefined && record.parentGeneration < above.record.keys.generation;
}
