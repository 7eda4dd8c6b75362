import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { Turns } from '../common/turns.js';
import type { Principal } from '../http/principal.js';
import { checkNodeSignature, readNodeHead } from '../sdk/drive-record.js';
import { childrenOf, nodeKey } from './drive-keys.js';
import { DriveReach, type SeenNode } from './drive-reach.js';
import { DriveRemoval } from './drive-removal.js';
import { invalidRecord, readSent } from './invalid-record.js';
import type { PlacedNode } from './placed-node.js';
import { asNode, idOf, placeIn, requireDepth, requireFolder, requireMatch, requireNext } from './node-rules.js';
import { encodeNode } from './stored-node.js';
import { VaultService } from './vault.service.js';
import { WriterCheck } from './writer-check.js';

export interface RecordChange {
  readonly record: Uint8Array;
  readonly ifMatch: string | undefined;
}

type Head = ReturnType<typeof readNodeHead>;
type Folder = Pick<SeenNode, 'account' | 'id' | 'head' | 'sharing' | 'above'>;

/**
 * Other names, places and keys of nodes, and their end. Moves and removals in one tree follow each other, so that no two moves can put two
 * folders into each other, and nothing is moved into what is being removed. The index has one process, so turns in it are enough.
 */
@Injectable()
export class NodeChanges {
  private readonly turns = new Turns<AccountId>();

  constructor(
    private readonly reach: DriveReach,
    private readonly check: WriterCheck,
    private readonly removal: DriveRemoval,
    private readonly vault: VaultService,
  ) {}

  /**
   * @throws DomainError `node-not-found`, `forbidden`, `precondition-required`, `precondition-failed`, `invalid-record`, `folder-changed`,
   *   `folder-in-itself`, `name-taken`, and what {@link WriterCheck} throws
   */
  async change(
    { principal, id }: { readonly principal: Principal; readonly id: FileId },
    change: RecordChange,
    signal: AbortSignal,
  ): Promise<PlacedNode> {
    const seen = await this.reach.see(principal, id, signal);
    const head = readSent('record', () => readNodeHead(change.record));
    if (head.nodeId !== id || head.kind !== seen.head.kind) throw invalidRecord('it is the record of another node');
    const isMove = head.parentId !== seen.head.parentId;
    const isRoot = seen.above.length === 0;
    if (isMove && isRoot) throw invalidRecord('the root of a drive lies in its account');
    if (!isMove && !isRoot) return this.replace(seen, head, { change, folder: folderOf(seen) }, signal);
    return this.turns.take(seen.account, async () => {
      const now = await this.reach.see(principal, id, signal);
      if (isRoot) return this.replace(now, head, { change, folder: undefined }, signal);
      const folder = await this.reach.see(principal, idOf(head.parentId), signal);
      if (folder.account !== seen.account) throw new DomainError('folder-changed', 'a node stays in the tree of its owner');
      return this.replace(now, head, { change, folder }, signal);
    });
  }

  /** @throws DomainError `node-not-found`, `forbidden`, `precondition-required`, `precondition-failed` */
  async remove(
    { principal, id }: { readonly principal: Principal; readonly id: FileId },
    ifMatch: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { account } = await this.reach.see(principal, id, signal);
    await this.turns.take(account, async () => {
      const seen = await this.reach.see(principal, id, signal);
      this.check.requireWriter(seen.reach, { account, way: seen.above });
      requireMatch(ifMatch, seen.document);
      // Before the root: when that is gone, nothing says any more that there is something left to be removed.
      if (seen.above.length === 0) await this.vault.clear(account, signal);
      await asNode(() => this.reach.store.remove(account, id, seen.document.revision, signal));
      this.removal.enqueue(account, seen.head);
    });
  }

  private async replace(
    seen: SeenNode,
    head: Head,
    { change, folder }: { readonly change: RecordChange; readonly folder: Folder | undefined },
    signal: AbortSignal,
  ): Promise<PlacedNode> {
    const { account, id, document, node } = seen;
    const { record, ifMatch } = change;
    this.check.requireWriter(seen.reach, { account, way: seen.above });
    requireMatch(ifMatch, document);
    requireNext(head, seen);
    if (head.generation < seen.head.generation) throw invalidRecord('nobody goes back to earlier keys');
    if (folder !== undefined) await this.requirePlace(seen, head, folder, signal);
    const place = { ...(folder === undefined ? { account, way: [] } : placeIn(folder)), own: seen };
    const signed = { writer: head.writer, verify: (key: Uint8Array) => checkNodeSignature(record, key) };
    await this.check.check(signed, seen.reach, place, signal);
    const bytes = encodeNode({ record, content: node.content });
    const key = folder === undefined ? document.key : nodeKey(folder.id, head.nameTag);
    const after = { bytes, expected: document.revision, ...(key !== document.key && { key }) };
    return { account, document: await asNode(() => this.reach.store.replace(account, id, after, signal)) };
  }

  private async requirePlace(seen: SeenNode, head: Head, folder: Folder, signal: AbortSignal): Promise<void> {
    if ([folder, ...folder.above].some(({ id }) => id === seen.id))
      throw new DomainError('folder-in-itself', 'the folder would come to lie in itself');
    requireFolder(folder, head);
    const isDeeper = folder.above.length + 1 > seen.above.length;
    if (head.kind === 'folder' && isDeeper) requireDepth(folder, await this.levelsOf(seen, signal));
  }

  /** Folders in each other, from this one on. What lies deepest may be files, so it does not count: an empty folder may lie one deeper. */
  private async levelsOf({ account, id }: SeenNode, signal: AbortSignal): Promise<number> {
    let level: FileId[] = [id];
    for (let levels = 0; ; levels += 1) {
      const below: FileId[] = [];
      for (const each of level)
        for await (const child of this.reach.store.headsIn(account, childrenOf(each), signal)) below.push(child.id);
      if (below.length === 0) return Math.max(1, levels);
      level = below;
    }
  }
}

/** The folder that a node lies in; undefined for the root. */
function folderOf({ account, above: [folder, ...above] }: SeenNode): Folder | undefined {
  return folder && { ...folder, account, above };
}
