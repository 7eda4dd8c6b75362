import { Injectable } from '@nestjs/common';
import { DomainError, errorCode } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { Turns } from '../common/turns.js';
import type { Principal } from '../http/principal.js';
import { readLinkHead } from '../sdk/link.js';
import { linkKey, linksOf } from './drive-keys.js';
import { DriveReach, type SeenNode } from './drive-reach.js';
import { invalidRecord, readSent } from './invalid-record.js';
import { LinkCredentials } from './link-credentials.js';
import { LinkDocuments, linkNotFound, type KeptLink } from './link-documents.js';
import { NodeIds } from './node-ids.js';
import { encodeLink, PROOF_HASH_BYTES, type StoredLink } from './stored-link.js';

const LINKS_MAX = 100;

export interface LinkWish extends Pick<StoredLink, 'link' | 'proofHash' | 'expiresAt' | 'usesMax'> {
  readonly linkId: FileId;
}

/** Links, for their owners. */
@Injectable()
export class LinksService {
  private readonly turns = new Turns<FileId>();

  constructor(
    private readonly reach: DriveReach,
    private readonly ids: NodeIds,
    private readonly documents: LinkDocuments,
    private readonly credentials: LinkCredentials,
  ) {}

  /**
   * @param seen a node of the caller's own
   * @throws DomainError `invalid-request`, `invalid-record`, `folder-changed`, `id-not-issued`, `sharing-limit`, `quota-exceeded`
   */
  make(seen: SeenNode, wish: LinkWish, signal: AbortSignal): Promise<KeptLink> {
    const { linkId, ...fields } = wish;
    const { account, id } = seen;
    return this.turns.take(id, async () => {
      checkWish(seen, wish);
      const { heads } = await this.reach.store.heads(account, { prefix: linksOf(id), limit: LINKS_MAX }, signal);
      if (heads.length >= LINKS_MAX) throw new DomainError('sharing-limit', `a node may have ${LINKS_MAX} links`);
      const taken = this.ids.take(account, linkId);
      if (taken === undefined)
        throw new DomainError('id-not-issued', 'take ids by POST /drive/ids, each for one use, and seal again');
      const kept: StoredLink = { ...fields, createdAt: Date.now(), uses: 0 };
      const document = { id: linkId, key: linkKey(id, linkId), bytes: encodeLink(kept) };
      try {
        await this.reach.store.create(account, document, signal);
      } catch (error) {
        // After anything else it may be stored all the same, and the id would stand for two things.
        if (errorCode(error) === 'quota-exceeded') taken.giveBack();
        throw error;
      }
      return { ...kept, linkId };
    });
  }

  /** All of a node, those that are over too. */
  of(seen: Pick<SeenNode, 'account' | 'id'>, signal: AbortSignal): Promise<readonly KeptLink[]> {
    return this.documents.of(seen, LINKS_MAX, signal);
  }

  /** Nobody reads by it any more when this resolves. @throws DomainError `link-not-found` also for who is not its owner */
  async remove(principal: Principal, linkId: FileId, signal: AbortSignal): Promise<void> {
    const account = this.reach.callers.accountOf(principal);
    await this.documents.inTurn(linkId, async () => {
      const found = await this.documents.find(linkId, signal);
      if (found?.account !== account) throw linkNotFound();
      try {
        await this.documents.remove(found, signal);
      } finally {
        // Also when it failed: it may be gone all the same, and whoever may open it opens it again.
        this.credentials.endOf(linkId);
      }
    });
  }
}

function checkWish({ id, head: node }: SeenNode, { link, linkId, proofHash, expiresAt }: LinkWish): void {
  if (proofHash.length !== PROOF_HASH_BYTES)
    throw new DomainError('invalid-request', `proofHash must have ${PROOF_HASH_BYTES} bytes`);
  if (expiresAt !== undefined && !(expiresAt > Date.now()))
    throw new DomainError('invalid-request', 'expiresAt must be a time to come');
  const head = readSent('link', () => readLinkHead(link));
  if (head.linkId !== linkId || head.nodeId !== id || head.kind !== node.kind)
    throw invalidRecord('the link has another id, or is to another node');
  if (head.generation !== node.generation)
    throw new DomainError('folder-changed', 'the link has keys of another generation than those of the node');
}
