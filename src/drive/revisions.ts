import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import type { FileId, VersionId } from '../common/ids.js';
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

/** A revision that was read. */
export interface ReadRevision {
  readonly stored: StoredRevision;
  /** Of its document. */
  readonly version: VersionId;
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
  async read(account: AccountId, { id }: Pick<RevisionHead, 'id'>, signal: AbortSignal): Promise<ReadRevision | undefined> {
    const found = await this.store.find(id, signal);
    if (found?.account !== account) return undefined;
    return { stored: decodeRevision(found.document.bytes), version: found.document.revision };
  }
}

/** Those that count, by the content that the node names: it, and what was before it. */
export function committed(heads: readonly RevisionHead[], current: CurrentContent | undefined): readonly RevisionHead[] {
  if (current === undefined) return [];
  const { revision, revisionId } = current;
  return heads.filter(({ number, revisionId: id }) =>
    number === revision ? id === revisionId : number < revision && number > revision - REVISIONS_KEPT,
  );
}
