import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { DomainError, errorCode } from '../common/errors.js';
import { parseId, type FileId } from '../common/ids.js';
import { Turns } from '../common/turns.js';
import type { StoredDocument } from '../documents/document-store.js';
import { linksOf } from './drive-keys.js';
import { DriveStore } from './drive-store.js';
import { decodeLink, encodeLink, type StoredLink } from './stored-link.js';

const LINK_KEY = /^l\/([^/]+)\/[^/]+$/;

export interface KeptLink extends StoredLink {
  readonly linkId: FileId;
}

/** A link, whose it is and to what. */
export interface FoundLink extends KeptLink {
  readonly account: AccountId;
  readonly nodeId: FileId;
  readonly document: StoredDocument;
}

/** The documents of links. */
@Injectable()
export class LinkDocuments {
  private readonly turns = new Turns<FileId>();

  constructor(private readonly store: DriveStore) {}

  /** What changes a link, or gives somebody something by it, one after the other: nobody is let in by a link that is being removed. */
  inTurn<Result>(linkId: FileId, work: () => Promise<Result>): Promise<Result> {
    return this.turns.take(linkId, work);
  }

  async find(linkId: FileId, signal: AbortSignal): Promise<FoundLink | undefined> {
    const found = await this.store.find(linkId, signal);
    const nodeId = parseId<FileId>(LINK_KEY.exec(found?.document.key ?? '')?.[1] ?? '');
    if (found === undefined || nodeId === undefined) return undefined;
    const { account, document } = found;
    return { ...decodeLink(document.bytes), linkId, account, nodeId, document };
  }

  async of(
    { account, id }: { readonly account: AccountId; readonly id: FileId },
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly KeptLink[]> {
    const { documents } = await this.store.list(account, { prefix: linksOf(id), limit }, signal);
    return documents.map((document) => ({ ...decodeLink(document.bytes), linkId: document.id }));
  }

  /** Counts one use. @throws DomainError `precondition-failed` if it was changed since it was found, `link-not-found` */
  async count({ account, document, ...link }: FoundLink, signal: AbortSignal): Promise<void> {
    const bytes = encodeLink({ ...link, uses: link.uses + 1 });
    await asLink(() => this.store.replace(account, document.id, { bytes, expected: document.revision }, signal));
  }

  /** @throws DomainError `link-not-found` */
  async remove({ account, linkId }: FoundLink, signal: AbortSignal): Promise<void> {
    await asLink(() => this.store.remove(account, linkId, undefined, signal));
  }
}

export function linkNotFound(cause?: unknown): DomainError {
  return new DomainError('link-not-found', 'there is no link of this id that you may open or end', { cause });
}

async function asLink(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw errorCode(cause) === 'document-not-found' ? linkNotFound(cause) : cause;
  }
}
