import { mapOrdered } from '../common/map-ordered.js';
import { writerIn, type WriteContext } from './drive-context.js';
import { revisionAgain } from './file-writer.js';
import type { OpenNode } from './open-node.js';
import { writeRecord } from './record-writer.js';
import { repeated } from './retries.js';
import { childrenOf } from './tree-reader.js';
import type { WriterRef, WritersList } from './writers.js';

/** Nodes of a folder that are signed anew at once. */
const WIDTH = 8;

/** A node that moves, and by whose lists things in it may be signed that count no more where it comes to lie. */
export interface Leaving {
  readonly node: OpenNode;
  readonly left: readonly WritersList[];
}

/** The lists that count where a node lies and not in another folder; its own goes with it. @param node with its newest lists */
export function listsLeft({ id, lists }: OpenNode, folder: OpenNode): readonly WritersList[] {
  const above = [id, folder.id, ...folder.above];
  return lists.filter(({ nodeId }) => !above.includes(nodeId));
}

/**
 * What was written by a list of writers is believed only below the node of that list. Who moves something out from there vouches for what lies in it, by
 * signing the newest record and the newest content of each node anew; the content's past hangs on it by hashes.
 */
export class ReSigning {
  constructor(private readonly context: WriteContext) {}

  /** Before the move: if that never comes, nothing is different but who signed. The record of the node itself is written by the move. */
  before({ node, left }: Leaving, signal: AbortSignal): Promise<void> {
    const { identity } = this.context.keys();
    // The owner has to name the nearest list, and is believed anywhere; anybody else needs one that still counts afterwards.
    const isOwner = identity.accountId === node.owner.accountId;
    return this.contentsOf(node, { left, by: isOwner ? undefined : left }, signal);
  }

  /** After it, for what others wrote meanwhile. @param node as the move left it */
  after({ node, left }: Leaving, signal: AbortSignal): Promise<void> {
    return this.contentsOf({ ...node, lists: [...node.lists, ...left] }, { left, by: left }, signal);
  }

  private async contentsOf(node: OpenNode, lists: Lists, signal: AbortSignal): Promise<void> {
    if (isContentBy(node, lists.left)) await this.signContent(node, lists, signal);
    if (node.record.kind !== 'folder') return;
    const folders: OpenNode[] = [];
    for await (const page of childrenOf(this.context, node, signal)) {
      const signed = mapOrdered(page, WIDTH, async (child) => {
        // In this order: the answer to the second is opened as everybody else will see it.
        if (isContentBy(child, lists.left)) await this.signContent(child, lists, signal);
        if (isBy(child, child.record.writer, lists.left)) await this.signRecord(child, node, lists, signal);
        return child;
      });
      for await (const child of signed) if (child.record.kind === 'folder') folders.push(child);
    }
    for (const folder of folders) {
      // It may be shared by itself.
      const own = await this.context.opener.lists([folder.id, ...folder.above], folder.owner, signal);
      await this.contentsOf({ ...folder, lists: [...own, ...lists.left] }, lists, signal);
    }
  }

  private async signRecord(found: OpenNode, folder: OpenNode, { left, by }: Lists, signal: AbortSignal): Promise<void> {
    await this.repeat(found, signal, async (node) => {
      if (!isBy(node, node.record.writer, left)) return;
      await writeRecord(this.context, node, { folder: without(folder, by) }, signal);
    });
  }

  private async signContent(found: OpenNode, { left, by }: Lists, signal: AbortSignal): Promise<void> {
    await this.repeat(found, signal, async (node) => {
      if (!isContentBy(node, left)) return;
      const writer = writerIn(this.context.keys(), node.owner.accountId, without(node, by).lists);
      await revisionAgain(this.context, node, { content: node.content.manifest, writer }, signal);
    });
  }

  private repeat(found: OpenNode, signal: AbortSignal, sign: (node: OpenNode) => Promise<void>): Promise<void> {
    return repeated(async () => sign(await this.context.opener.reopen(found, signal)));
  }
}

interface Lists {
  /** By these something was signed that is to be signed anew. */
  readonly left: readonly WritersList[];
  /** These cannot be named by who signs. */
  readonly by: readonly WritersList[] | undefined;
}

/** Whether a guest signed something by one of these lists: the owner is believed anywhere. */
function isBy({ owner }: OpenNode, { accountId, list }: WriterRef, left: readonly WritersList[]): boolean {
  return accountId !== owner.accountId && list !== undefined && left.some(({ nodeId }) => nodeId === list.nodeId);
}

function isContentBy(
  node: OpenNode,
  left: readonly WritersList[],
): node is OpenNode & { readonly content: NonNullable<OpenNode['content']> } {
  return node.content !== undefined && isBy(node, node.content.manifest.writer, left);
}

function without(node: OpenNode, lists: readonly WritersList[] = []): OpenNode {
  return { ...node, lists: node.lists.filter(({ nodeId }) => !lists.some((list) => list.nodeId === nodeId)) };
}
