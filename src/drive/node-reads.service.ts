import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import type { Principal } from '../http/principal.js';
import { childrenOf, nodeKey, rootKey } from './drive-keys.js';
import { DriveReach, wayTo, type SeenNode } from './drive-reach.js';
import type { PlacedNode } from './placed-node.js';

export interface ChildrenQuery {
  readonly limit: number;
  readonly cursor: Uint8Array | undefined;
  /** Only the one with this tag. */
  readonly nameTag: Uint8Array | undefined;
}

export interface ChildrenPage {
  readonly nodes: readonly PlacedNode[];
  readonly nextCursor: Uint8Array | undefined;
}

/** The way down to a node, and the lists that say who may write there. */
export interface NodePath {
  readonly nodes: readonly PlacedNode[];
  readonly lists: readonly { readonly nodeId: FileId; readonly list: Uint8Array }[];
}

/** What is in a tree, for those who may see it. */
@Injectable()
export class NodeReads {
  constructor(private readonly reach: DriveReach) {}

  /** @throws DomainError `node-not-found` before it was made */
  async root(principal: Principal, signal: AbortSignal): Promise<PlacedNode> {
    const account = this.reach.callers.accountOf(principal);
    const document = await this.reach.store.get(account, rootKey(account), signal);
    if (document === undefined) throw new DomainError('node-not-found', 'the drive has no root yet');
    return { account, document };
  }

  /** @throws DomainError `node-not-found` */
  see(principal: Principal, id: FileId, signal: AbortSignal): Promise<SeenNode> {
    return this.reach.see(principal, id, signal);
  }

  /** @throws DomainError `node-not-found`, `invalid-cursor` */
  async children(
    { principal, id }: { readonly principal: Principal; readonly id: FileId },
    { limit, cursor, nameTag }: ChildrenQuery,
    signal: AbortSignal,
  ): Promise<ChildrenPage> {
    const { account } = await this.reach.see(principal, id, signal);
    if (nameTag !== undefined) {
      const document = await this.reach.store.get(account, nodeKey(id, nameTag), signal);
      return { nodes: document === undefined ? [] : [{ account, document }], nextCursor: undefined };
    }
    const query = { prefix: childrenOf(id), limit, ...(cursor && { cursor }) };
    const { documents, nextCursor } = await this.reach.store.list(account, query, signal);
    return { nodes: documents.map((document) => ({ account, document })), nextCursor };
  }

  /**
   * From the topmost node that the caller may see. The lists are those of the folders above that, too: what lies here may be signed by them.
   * @throws DomainError `node-not-found`
   */
  async path(principal: Principal, id: FileId, signal: AbortSignal): Promise<NodePath> {
    const seen = await this.reach.see(principal, id, signal);
    const { account } = seen;
    const nodes = wayTo(seen).map(({ document }) => ({ account, document }));
    const lists = [seen, ...seen.above].flatMap(({ id: nodeId, sharing }) =>
      sharing === undefined ? [] : [{ nodeId, list: sharing.writers }],
    );
    return { nodes, lists: lists.reverse() };
  }
}
