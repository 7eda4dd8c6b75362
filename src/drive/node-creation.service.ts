import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { DomainError, errorCode } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import type { Principal } from '../http/principal.js';
import { checkNodeSignature, readNodeHead } from '../sdk/drive-record.js';
import { ContentCommits } from './content-commits.js';
import { nodeKey, rootKey } from './drive-keys.js';
import { DriveReach, isNode, readDocument, type Reach, type SeenNode } from './drive-reach.js';
import { invalidRecord, readSent } from './invalid-record.js';
import { NodeIds } from './node-ids.js';
import { asNode, idOf, placeIn, requireDepth, requireFolder, requireNext } from './node-rules.js';
import { NextLooks } from '../common/next-looks.js';
import type { PlacedNode } from './placed-node.js';
import { type CurrentContent, encodeNode } from './stored-node.js';
import { WriterCheck, type WritingPlace } from './writer-check.js';

/** For what has to be done however the request ends. */
const LOOK_AGAIN_MS = 10_000;
/** After these nothing was stored under an id. */
const UNUSED_AFTER: readonly (string | undefined)[] = ['name-taken', 'quota-exceeded', 'body-too-large'];

/** A node that is to be made, as it was sent. */
export interface NodeWish {
  readonly record: Uint8Array;
  /** Of files. */
  readonly manifest: Uint8Array | undefined;
  readonly content: Uint8Array | undefined;
  readonly digests: readonly Uint8Array[] | undefined;
}

/** Sees a folder: once for all that are made in it at once. */
type See = (folderId: FileId) => Promise<SeenNode>;

interface Target {
  readonly account: AccountId;
  readonly reach: Reach;
  /** Undefined for the root. */
  readonly folder: SeenNode | undefined;
  readonly place: WritingPlace;
}

type Head = ReturnType<typeof readNodeHead>;

/** Makes folders and files. */
@Injectable()
export class NodeCreation {
  constructor(
    private readonly reach: DriveReach,
    private readonly check: WriterCheck,
    private readonly contents: ContentCommits,
    private readonly ids: NodeIds,
  ) {}

  private readonly looks = new NextLooks((id: FileId) => this.reach.store.find(id, AbortSignal.timeout(LOOK_AGAIN_MS)));

  /**
   * @throws DomainError `node-not-found` if the folder is not there, `name-taken`, `id-not-issued`, `folder-changed`, `precondition-failed` if it
   *   is no first record, and what {@link WriterCheck} and {@link ContentCommits} throw
   */
  create(principal: Principal, wish: NodeWish, signal: AbortSignal): Promise<PlacedNode> {
    return this.createIn((id) => this.reach.see(principal, id, signal), principal, wish, signal);
  }

  /** Makes several at once, each for itself: that one fails is nothing to the others. @returns in the order of the wishes */
  createAll(
    principal: Principal,
    wishes: readonly NodeWish[],
    signal: AbortSignal,
  ): Promise<readonly PromiseSettledResult<PlacedNode>[]> {
    this.reach.callers.accountOf(principal);
    const seen = new Map<FileId, Promise<SeenNode>>();
    const see = (id: FileId): Promise<SeenNode> => {
      const known = seen.get(id) ?? this.reach.see(principal, id, signal);
      seen.set(id, known);
      return known;
    };
    return Promise.allSettled(wishes.map((wish) => this.createIn(see, principal, wish, signal)));
  }

  private async createIn(see: See, principal: Principal, wish: NodeWish, signal: AbortSignal): Promise<PlacedNode> {
    const { record } = wish;
    const head = readSent('record', () => readNodeHead(record));
    requireShape(head, wish);
    requireNext(head, undefined);
    const target = await this.targetOf(principal, head, see);
    const signed = { writer: head.writer, verify: (key: Uint8Array) => checkNodeSignature(record, key) };
    const caller = await this.check.check(signed, target.reach, target.place, signal);
    const taken = this.ids.take(caller, idOf(head.nodeId));
    if (taken === undefined && head.kind === 'folder') throw notIssued();
    const id = { isUnused: true };
    try {
      return await this.withContent({ head, wish, target, isIssued: taken !== undefined }, signal, (content) => {
        id.isUnused = false;
        return this.place({ head, record, target, content }, signal);
      });
    } catch (error) {
      if (id.isUnused || UNUSED_AFTER.includes(errorCode(error))) taken?.giveBack();
      throw error;
    }
  }

  private async targetOf(principal: Principal, head: Head, see: See): Promise<Target> {
    const caller = this.reach.callers.accountOf(principal);
    if (head.parentId === caller) {
      if (head.kind !== 'folder') throw invalidRecord('the root of a drive is a folder');
      return { account: caller, reach: { by: 'owner', caller }, folder: undefined, place: { account: caller, way: [] } };
    }
    const folder = await see(idOf(head.parentId));
    const place = placeIn(folder);
    this.check.requireWriter(folder.reach, place);
    requireFolder(folder, head);
    requireDepth(folder, head.kind === 'folder' ? 1 : 0);
    return { account: folder.account, reach: folder.reach, folder, place };
  }

  private async withContent(
    { head, wish, target, isIssued }: { head: Head; wish: NodeWish; target: Target; isIssued: boolean },
    signal: AbortSignal,
    make: (content: CurrentContent | undefined) => Promise<PlacedNode>,
  ): Promise<PlacedNode> {
    const { manifest, content, digests } = wish;
    if (manifest === undefined) return make(undefined);
    const { reach, place } = target;
    const { nodeId, generation } = head;
    const first = { nodeId: idOf(nodeId), generation, isIssued, manifest, content, digests, reach, place };
    return this.contents.first(first, make, signal);
  }

  private async place(
    { head, record, target, content }: { head: Head; record: Uint8Array; target: Target; content: CurrentContent | undefined },
    signal: AbortSignal,
  ): Promise<PlacedNode> {
    const { account, folder } = target;
    const key = folder === undefined ? rootKey(account) : nodeKey(folder.id, head.nameTag);
    const bytes = encodeNode({ record, content });
    const document = await asNode(() => this.reach.store.create(account, { id: idOf(head.nodeId), key, bytes }, signal));
    if (folder !== undefined) await this.lookAgain(folder, { account, document });
    return { account, document };
  }

  /**
   * A folder that is removed meanwhile may have been listed before this node was in it, and one whose keys were changed before it was
   * rewritten. Whichever comes later sees the other.
   */
  private async lookAgain(folder: SeenNode, { account, document }: PlacedNode): Promise<void> {
    const now = await this.looks.at(folder.id);
    const isThere = now !== undefined && isNode(now.document);
    if (isThere && readDocument(now.document).head.generation === folder.head.generation) return;
    await this.takeBack({ account, document }, AbortSignal.timeout(LOOK_AGAIN_MS));
    if (!isThere) throw new DomainError('node-not-found', 'the folder was removed in the meantime');
    throw new DomainError('folder-changed', 'the folder got other keys in the meantime');
  }

  private async takeBack({ account, document }: PlacedNode, signal: AbortSignal): Promise<void> {
    try {
      await this.reach.store.remove(account, document.id, undefined, signal);
    } catch (error) {
      if (errorCode(error) !== 'document-not-found') throw error; // who removes the folder was faster
    }
  }
}

function requireShape({ kind }: Head, { manifest, content, digests }: NodeWish): void {
  if (kind === 'file' && manifest === undefined)
    throw new DomainError('invalid-request', 'a file is made with its first content');
  const hasContent = manifest !== undefined || content !== undefined || digests !== undefined;
  if (kind === 'folder' && hasContent) throw new DomainError('invalid-request', 'a folder has no content');
}

function notIssued(): DomainError {
  return new DomainError('id-not-issued', 'take ids by POST /drive/ids, each for one use, and seal again');
}
