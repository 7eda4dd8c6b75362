import { Injectable } from '@nestjs/common';
import { DomainError, errorCode } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import type { StoredDocument } from '../documents/document-store.js';
import type { Principal } from '../http/principal.js';
import { isEqual } from '../sdk/bytes.js';
import { checkManifestSignature, readManifestHead, type ManifestHead } from '../sdk/revision-manifest.js';
import { ContentWriter } from './content-writer.js';
import { DriveReach, type SeenNode } from './drive-reach.js';
import { DriveRemoval } from './drive-removal.js';
import { invalidRecord, readSent } from './invalid-record.js';
import { placeIn, requireMatch } from './node-rules.js';
import { REVISIONS_KEPT } from './revisions.js';
import { encodeNode, type CurrentContent } from './stored-node.js';
import { WriterCheck } from './writer-check.js';
import type { PlacedNode } from './placed-node.js';

/** New content of a file, as it was sent. */
export interface RevisionWish {
  readonly nodeId: FileId;
  readonly ifMatch: string | undefined;
  readonly manifest: Uint8Array;
  readonly content: Uint8Array | undefined;
  readonly digests: readonly Uint8Array[] | undefined;
}

/** Gives files new contents. */
@Injectable()
export class RevisionCommits {
  constructor(
    private readonly check: WriterCheck,
    private readonly writer: ContentWriter,
    private readonly reach: DriveReach,
    private readonly removal: DriveRemoval,
  ) {}

  /**
   * @throws DomainError `node-not-found`, `precondition-required`, `precondition-failed` also if the answer of the same call before was lost: then the
   *   node has the content; `invalid-record`, `parts-missing`, `identity-outdated`, `writers-changed`, `forbidden`, `quota-exceeded`
   */
  async commit(principal: Principal, wish: RevisionWish, signal: AbortSignal): Promise<PlacedNode> {
    const head = readSent('manifest', () => readManifestHead(wish.manifest));
    const { nodeId } = wish;
    if (head.nodeId !== nodeId) throw invalidRecord('the manifest is of another node');
    const placed = await this.writer.turns.take(nodeId, () => this.inTurn(principal, wish, head, signal));
    if (head.revision > REVISIONS_KEPT) this.removal.tidySoon(placed.account, nodeId);
    return placed;
  }

  private async inTurn(principal: Principal, wish: RevisionWish, head: ManifestHead, signal: AbortSignal): Promise<PlacedNode> {
    const { nodeId, manifest, content, digests } = wish;
    const seen = await this.reach.see(principal, nodeId, signal);
    requireMatch(wish.ifMatch, seen.document);
    const current = seen.node.content;
    requireNext(head, seen, current);
    const verify = (key: Uint8Array): Promise<void> => checkManifestSignature(manifest, key);
    const caller = await this.check.check({ writer: head.writer, verify }, seen.reach, placeIn(seen), signal);
    const { account } = seen;
    return this.writer.write(
      { account, nodeId, manifest, head, current, content, digests, isFor: ({ by }) => by === caller },
      async (next) => ({ account, document: await this.name(seen, next, signal) }),
      signal,
    );
  }

  /** The node as it was found, with another content: whoever changed it meanwhile was faster. */
  private async name(
    { account, id, node, document }: SeenNode,
    content: CurrentContent,
    signal: AbortSignal,
  ): Promise<StoredDocument> {
    const bytes = encodeNode({ record: node.record, content });
    try {
      return await this.reach.store.replace(account, id, { bytes, expected: document.revision }, signal);
    } catch (cause) {
      if (errorCode(cause) !== 'document-not-found') throw cause;
      throw new DomainError('node-not-found', 'the node was removed in the meantime', { cause });
    }
  }
}

/** @throws DomainError `invalid-record`, `precondition-failed` */
function requireNext(manifest: ManifestHead, { head }: SeenNode, current: CurrentContent | undefined): void {
  if (head.kind !== 'file') throw invalidRecord('a folder has no content');
  const past = current?.manifestHash ?? new Uint8Array(manifest.previousHash.length);
  if (manifest.revision !== (current?.revision ?? 0) + 1 || !isEqual(manifest.previousHash, past))
    throw new DomainError('precondition-failed', 'the manifest does not follow the one of the content that the node has');
  if (manifest.generation !== head.generation)
    throw invalidRecord('the manifest is under other keys than the record of the node');
}
