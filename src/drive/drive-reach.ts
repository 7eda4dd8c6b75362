import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import type { StoredDocument } from '../documents/document-store.js';
import type { Principal } from '../http/principal.js';
import { readNodeHead, type NodeHead } from '../sdk/drive-record.js';
import { DriveCallers } from './drive-callers.js';
import { DriveStore, type Found } from './drive-store.js';
import { SharingLookup, type LinkedNode, type NodeSharing, type Rights } from './sharing-lookup.js';
import { decodeNode, type StoredNode } from './stored-node.js';

/** Folders that may lie in each other, the root counted. */
export const FOLDER_DEPTH_MAX = 100;
/** Who makes folders while another one moves them deeper can come to lie below the limit, and must find the way back. */
const STEPS_MAX = 2 * FOLDER_DEPTH_MAX;
const NODES = 'n/';

/** A node as it was found. */
export interface ReadNode {
  readonly id: FileId;
  readonly document: StoredDocument;
  readonly node: StoredNode;
  readonly head: NodeHead;
}

/** A node on the way up, and how it is shared by itself. */
export interface NodeStep extends ReadNode {
  readonly sharing: NodeSharing | undefined;
}

/** Why somebody may see a node. */
export type Reach =
  | { readonly by: 'owner'; readonly caller: AccountId }
  /** `topId`: the topmost node that the caller may see. `rights` only say what was granted: a list of writers decides. */
  | { readonly by: 'grant'; readonly caller: AccountId; readonly topId: FileId; readonly rights: Rights }
  | { readonly by: 'link'; readonly topId: FileId };

/** A node that somebody may see, whose tree it lies in, and the folders above it. */
export interface SeenNode extends NodeStep {
  /** The owner of the tree. */
  readonly account: AccountId;
  /** The nearest first, the root last; empty for the root. */
  readonly above: readonly NodeStep[];
  readonly reach: Reach;
}

/** Finds nodes, for those who may see them. */
@Injectable()
export class DriveReach {
  constructor(
    readonly store: DriveStore,
    readonly callers: DriveCallers,
    private readonly sharing: SharingLookup,
  ) {}

  /**
   * A node that lies in a tree up to its root: what lies in a folder that was removed is not there any more.
   * @throws DomainError `node-not-found` also for whoever may not see it, `accounts-required`, `forbidden`
   */
  async see(principal: Principal, id: FileId, signal: AbortSignal): Promise<SeenNode> {
    const link = this.sharing.linkedBy(principal);
    const caller = link ?? this.callers.accountOf(principal);
    const found = await this.store.find(id, signal);
    if (found === undefined || !isNode(found.document)) throw notFound();
    const [own, ...above] = await this.walk(found, signal);
    if (own === undefined) throw notFound();
    const { account } = found;
    return { ...own, account, above, reach: reachOf(caller, account, [own, ...above]) };
  }

  /** The node and what is above it. */
  private async walk({ account, document }: Found, signal: AbortSignal): Promise<readonly NodeStep[]> {
    const steps: NodeStep[] = [];
    for (let next: StoredDocument | undefined = document; next !== undefined && isNode(next);) {
      const read = readDocument(next);
      steps.push({ ...read, sharing: await this.sharing.of(account, read.id, signal) });
      if (read.head.parentId === account) return steps;
      if (steps.length > STEPS_MAX) break;
      const above: Found | undefined = await this.store.find(read.head.parentId as FileId, signal);
      next = above?.account === account ? above.document : undefined;
    }
    throw notFound();
  }
}

/** The way from the topmost node that the caller may see down to the node itself. */
export function wayTo({ above, reach, ...own }: SeenNode): readonly NodeStep[] {
  const way = [own, ...above];
  const top = reach.by === 'owner' ? way.length - 1 : way.findIndex(({ id }) => id === reach.topId);
  return way.slice(0, top + 1).reverse();
}

export function readDocument(document: StoredDocument): ReadNode {
  const node = decodeNode(document.bytes);
  return { id: document.id, document, node, head: readNodeHead(node.record) };
}

/** Whether a document is a node, and not what is kept for one. */
export function isNode({ key }: Pick<StoredDocument, 'key'>): boolean {
  return key.startsWith(NODES);
}

/** Where somebody may see a node from. */
function reachOf(caller: AccountId | LinkedNode, account: AccountId, way: readonly NodeStep[]): Reach {
  if (typeof caller !== 'string') {
    if (caller.account !== account || !way.some(({ id }) => id === caller.nodeId)) throw notFound();
    return { by: 'link', topId: caller.nodeId };
  }
  if (caller === account) return { by: 'owner', caller };
  const top = way.findLast(({ sharing }) => sharing?.grants.has(caller));
  const rights = top?.sharing?.grants.get(caller);
  if (top === undefined || rights === undefined) throw notFound();
  return { by: 'grant', caller, topId: top.id, rights };
}

function notFound(): DomainError {
  return new DomainError('node-not-found', 'there is no node of this id that you may see');
}
