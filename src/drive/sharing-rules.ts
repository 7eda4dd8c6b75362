import { DomainError } from '../common/errors.js';
import { isEqual } from '../sdk/bytes.js';
import type { GrantHead } from '../sdk/grant.js';
import { NO_HASH } from '../sdk/succession.js';
import type { WriterEntry, WritersList } from '../sdk/writers.js';
import { invalidRecord } from './invalid-record.js';

export const GRANTS_MAX = 500;

/** The list of before, and its hash. */
export interface ListBefore {
  readonly list: WritersList;
  readonly hash: Uint8Array;
}

/**
 * A list follows the one before it: whoever could write stays in it, at least with an end, or what was written before could not be read any more.
 * @throws DomainError `precondition-failed`, `invalid-record`
 */
export function checkSuccession(list: WritersList, before: ListBefore | undefined): void {
  const revision = (before?.list.revision ?? 0) + 1;
  if (list.revision !== revision || !isEqual(list.previousHash, before?.hash ?? NO_HASH))
    throw new DomainError(
      'precondition-failed',
      'the list of writers does not follow the one that there is: read it and try again',
    );
  const added = list.entries.filter((entry) => !before?.list.entries.some((old) => isSame(entry, old)));
  if (added.some(({ fromRevision, toRevision }) => fromRevision !== revision || toRevision !== undefined))
    throw invalidRecord('a new writer begins with the list that first names it');
  for (const old of before?.list.entries ?? []) checkKept(old, list.entries, revision);
}

function checkKept(old: WriterEntry, entries: readonly WriterEntry[], revision: number): void {
  const [now, ...more] = entries.filter((entry) => isSame(entry, old));
  if (now === undefined || more.length > 0) throw invalidRecord('a writer of before is not in the list any more, or twice');
  const isEnded = old.toRevision === undefined && now.toRevision === revision - 1;
  if (now.toRevision !== old.toRevision && !isEnded)
    throw invalidRecord('the end of a writer is that of the list before, and stays');
}

function isSame(one: WriterEntry, other: WriterEntry): boolean {
  return (
    one.accountId === other.accountId &&
    one.bundleVersion === other.bundleVersion &&
    one.fromRevision === other.fromRevision &&
    isEqual(one.verifyKey, other.verifyKey)
  );
}

/** @throws DomainError `invalid-record`, `sharing-limit`: everybody once, not the owner, and who may write is in the list */
export function checkGrants(heads: readonly GrantHead[], list: WritersList, owner: string): void {
  if (heads.length > GRANTS_MAX) throw new DomainError('sharing-limit', `a node may be shared with ${GRANTS_MAX}`);
  const recipients = new Set(heads.map(({ recipientId }) => recipientId));
  if (recipients.size !== heads.length || recipients.has(owner)) throw invalidRecord('somebody has two grants, or the owner one');
  const writers = new Set(list.entries.filter(({ toRevision }) => toRevision === undefined).map(({ accountId }) => accountId));
  for (const { recipientId, rights } of heads) {
    if ((rights === 'write') !== writers.has(recipientId))
      throw invalidRecord('who was granted to write is in the list of writers, and nobody else');
    writers.delete(recipientId);
  }
  if (writers.size > 0) throw invalidRecord('the list of writers names somebody who has no grant');
}
