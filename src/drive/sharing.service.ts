import { Injectable } from '@nestjs/common';
import { DomainError, errorCode } from '../common/errors.js';
import type { FileId, VersionId } from '../common/ids.js';
import { mapOrdered } from '../common/map-ordered.js';
import type { StoredDocument } from '../documents/document-store.js';
import type { Principal } from '../http/principal.js';
import { DriveReach, type SeenNode } from './drive-reach.js';
import { requireMatch } from './node-rules.js';
import { SharedWith } from './shared-with.js';
import { SharingCheck } from './sharing-check.js';
import { SharingDocuments } from './sharing-documents.js';
import type { StoredSharing } from './stored-sharing.js';

/** Notes that are written at once. */
const WIDTH = 8;

/** How a node is shared, and the revision of that. */
export interface NodeShares extends StoredSharing {
  readonly version: VersionId;
}

/** All of it: a grant that is not in it is over. */
export interface SharingWish extends StoredSharing {
  readonly ifMatch: string | undefined;
}

/** Who else sees a node: what its owner signs, in one document, so that whoever goes is gone in one step. */
@Injectable()
export class SharingService {
  constructor(
    private readonly reach: DriveReach,
    private readonly documents: SharingDocuments,
    private readonly rules: SharingCheck,
    private readonly notes: SharedWith,
  ) {}

  /** A node of the caller's own. @throws DomainError `node-not-found`, `forbidden` for whom it was shared with */
  async own(principal: Principal, nodeId: FileId, signal: AbortSignal): Promise<SeenNode> {
    const seen = await this.reach.see(principal, nodeId, signal);
    if (seen.reach.by !== 'owner') throw new DomainError('forbidden', 'how something is shared is the affair of its owner');
    return seen;
  }

  /** Undefined if it was never shared. */
  async get({ account, id }: SeenNode, signal: AbortSignal): Promise<NodeShares | undefined> {
    const found = await this.documents.read(account, id, signal);
    return found && { ...found, version: found.document.revision };
  }

  /**
   * @throws DomainError `node-not-found`, `forbidden`, `precondition-required`, `precondition-failed`, and what {@link SharingCheck} throws
   */
  put(
    { principal, id }: { readonly principal: Principal; readonly id: FileId },
    wish: SharingWish,
    signal: AbortSignal,
  ): Promise<NodeShares> {
    return this.documents.inTurn(id, async () => {
      const seen = await this.own(principal, id, signal);
      const before = await this.documents.read(seen.account, id, signal);
      requireCurrent(wish.ifMatch, before?.document);
      const added = await this.rules.check(seen, { wish, before }, signal);
      // Before it is shared: what nobody finds would be shared with nobody.
      await Array.fromAsync(mapOrdered(added, WIDTH, (recipient) => this.notes.note(recipient, id, signal)));
      const place = { account: seen.account, nodeId: id, before: before?.document };
      const { revision: version } = await asSharing(() => this.documents.write(place, wish, signal));
      return { writers: wish.writers, grants: wish.grants, version };
    });
  }
}

function requireCurrent(ifMatch: string | undefined, before: StoredDocument | undefined): void {
  if (ifMatch?.split(',').some((tag) => tag.trim() === '*') === true)
    throw new DomainError('precondition-required', 'name the version in If-Match: who may read is decided by who has seen it');
  if (before === undefined && ifMatch === undefined) return;
  if (before === undefined || ifMatch === undefined) throw changed();
  requireMatch(ifMatch, before);
}

async function asSharing<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    const code = errorCode(cause);
    throw code === 'document-exists' || code === 'document-not-found' ? changed(cause) : cause;
  }
}

function changed(cause?: unknown): DomainError {
  return new DomainError('precondition-failed', 'how it is shared is not as If-Match says: read it and try again', { cause });
}
