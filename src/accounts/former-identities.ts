import { DomainError, errorCode } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { documentsIn } from '../documents/collections.js';
import type { DocumentStore } from '../documents/document-store.js';

const COLLECTION = 'identities';
const NUMBER_DIGITS = 8;
/** Of an account: a client follows no longer chain. */
export const FORMER_IDENTITIES_MAX = 999;
/** Time to read one page of them. */
const PAGE_MS_MAX = 10_000;

/**
 * The public identities that accounts had, oldest first: who pinned one follows the others to the newest. An identity is kept here before the
 * login gets another one, so that no crash loses it; until then it stands here and in the login, and counts once.
 */
export class FormerIdentities {
  constructor(private readonly documents: DocumentStore) {}

  /** @throws DomainError `forbidden` if the account had too many */
  async keep(account: FileId, identity: Uint8Array, signal: AbortSignal): Promise<void> {
    for (;;) {
      const before = await this.of(account, signal);
      // Also by who knows an older login than the one of now, and whose change will fail.
      if (before.some((each) => isSame(each, identity))) return;
      if (before.length >= FORMER_IDENTITIES_MAX)
        throw new DomainError('forbidden', `an account has at most ${FORMER_IDENTITIES_MAX + 1} identities`);
      const number = before.length.toString(16).padStart(NUMBER_DIGITS, '0');
      try {
        await this.documents.create(COLLECTION, `${account}/${number}`, identity, signal);
        return;
      } catch (error) {
        if (errorCode(error) !== 'document-exists') throw error; // another device keeps one at the same time: look again
      }
    }
  }

  async of(account: FileId, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    const signalOf = (): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(PAGE_MS_MAX)]);
    const found = await Array.fromAsync(documentsIn(this.documents, { collection: COLLECTION, prefix: `${account}/` }, signalOf));
    return found.map(({ bytes }) => bytes);
  }
}

export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
