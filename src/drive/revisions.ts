import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import type { FileId } from '../common/ids.js';
import type { DocumentHead } from '../documents/document-store.js';
import { readRevisionKey, revisionsOf } from './drive-keys.js';
import { DriveStore } from './drive-store.js';
import type { CurrentContent } from './stored-node.js';
import { decodeRevision, type StoredRevision } from './stored-revision.js';

/** Revisions of a file that are kept; the older ones are not there any more. */
export const REVISIONS_KEPT = 100;

/** A revision as the index alone tells it. */
export interface RevisionHead extends DocumentHead {
  readonly number: number;
  readonly revisionId: FileId;
}

/** A revision that lies in the node of its file, and not in a document of its own. */
export interface KeptRevision extends Pick<RevisionHead, 'number' | 'revisionId'> {
  readonly stored: StoredRevision;
}

/** The contents that a file has and had. */
@Injectable()
export class Revisions {
  constructor(readonly store: DriveStore) {}

  /** All that there is, the oldest first: also what no node names, because its commit was cut short. */
  async heads(account: AccountId, node: FileId, signal: AbortSignal): Promise<readonly RevisionHead[]> {
    const heads = await Array.fromAsync(this.store.headsIn(account, revisionsOf(node), signal));
    return heads.map((head) => {
      const { revision: number, revisionId } = readRevisionKey(head.key);
      return { ...head, number, revisionId };
    });
  }

  /** Undefined if it was removed meanwhile. */
  async read(
    account: AccountId,
    revision: Pick<RevisionHead, 'id'> | KeptRevision,
    signal: AbortSignal,
  ): Promise<StoredRevision | undefined> {
    if ('stored' in revision) return revision.stored;
    const found = await this.store.find(revision.id, signal);
    return found?.account === account ? decodeRevision(found.document.bytes) : undefined;
  }
}

/** All contents that a file has and had, the oldest first, wherever they lie. @param heads of the node's revisions */
export function counting(
  heads: readonly RevisionHead[],
  current: CurrentContent | undefined,
): readonly (RevisionHead | KeptRevision)[] {
  const beside = committed(heads, current);
  const kept = current && keptRevision(current);
  return kept === undefined ? beside : [...beside, kept];
}

/** The revision that lies in a node; undefined if that of its content has a document. */
export function keptRevision({ revision, revisionId, manifest, kept }: CurrentContent): KeptRevision | undefined {
  if (kept === undefined || manifest === undefined) return undefined;
  const { createdAt, bytes } = kept;
  const stored = { revision, revisionId, manifest, createdAt, content: { inline: bytes } };
  return { number: revision, revisionId, stored };
}

/**
 * Documents of revisions that count, by the content that the node names: it, and what was before it. What lies in the node counts there, also if a
 * commit that was cut short has moved it out already.
 */
export function committed(heads: readonly RevisionHead[], current: CurrentContent | undefined): readonly RevisionHead[] {
  if (current === undefined) return [];
  const { revision, revisionId, kept } = current;
  return heads.filter(({ number, revisionId: id }) =>
    number === revision ? id === revisionId && kept === undefined : number < revision && number > revision - REVISIONS_KEPT,
  );
}
