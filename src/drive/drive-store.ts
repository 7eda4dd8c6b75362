import { Injectable } from '@nestjs/common';
import { type Account, type AccountId, ownerOf } from '../auth/account.js';
import { AccountDirectory } from '../auth/account-directory.js';
import { DomainError } from '../common/errors.js';
import { accountOfDrive, driveOf, type FileId, type VersionId } from '../common/ids.js';
import { headsIn, removeIfThere, type Removal } from '../documents/collections.js';
import {
  DocumentStore,
  type DocumentChange,
  type DocumentHead,
  type DocumentPage,
  type DocumentQuery,
  type HeadPage,
  type NewDocument,
  type StoredDocument,
} from '../documents/document-store.js';
import { QuotaLedger } from '../files/quota-ledger.js';

/** A document, and in whose drive it lies. */
export interface Found {
  readonly account: AccountId;
  readonly document: StoredDocument;
}

/** The drives of all accounts: documents, each of which is one file of the account's drive and counts for its quota. */
@Injectable()
export class DriveStore {
  constructor(
    private readonly documents: DocumentStore,
    private readonly accounts: AccountDirectory,
    private readonly quotas: QuotaLedger,
  ) {}

  /** A document of any drive. */
  async find(id: FileId, signal: AbortSignal): Promise<Found | undefined> {
    const found = await this.documents.findAnywhere(id, signal);
    const account = found && accountOfDrive(found.collection);
    return account && { account, document: found.document };
  }

  /** Whether there is a document of this id in this drive, as the index alone tells it. */
  async has(account: AccountId, id: FileId, signal: AbortSignal): Promise<boolean> {
    return (await this.documents.collectionOf(id, signal)) === driveOf(account);
  }

  get(account: AccountId, key: string, signal: AbortSignal): Promise<StoredDocument | undefined> {
    return this.documents.get(driveOf(account), key, signal);
  }

  list(account: AccountId, query: DocumentQuery, signal: AbortSignal): Promise<DocumentPage> {
    return this.documents.list(driveOf(account), query, signal);
  }

  heads(account: AccountId, query: DocumentQuery, signal: AbortSignal): Promise<HeadPage> {
    return this.documents.heads(driveOf(account), query, signal);
  }

  /** What of a drive has a key that begins with the prefix, as the index alone tells it. */
  headsIn(account: AccountId, prefix: string, signal: AbortSignal): AsyncGenerator<DocumentHead, void, undefined> {
    return headsIn(this.documents, { collection: driveOf(account), prefix }, () => signal);
  }

  /** @throws DomainError `document-exists`, `quota-exceeded`, `unauthenticated` if the account is no more */
  create(
    account: AccountId,
    document: Omit<NewDocument, 'id'> & { readonly id?: FileId },
    signal: AbortSignal,
  ): Promise<StoredDocument> {
    const { id, key, bytes } = document;
    return this.storing(account, { bytes: bytes.length }, signal, () =>
      id === undefined
        ? this.documents.create(driveOf(account), key, bytes, signal)
        : this.documents.place(driveOf(account), { id, key, bytes }, signal),
    );
  }

  /** @throws DomainError `precondition-failed`, `document-exists`, `document-not-found`, `quota-exceeded`, `unauthenticated` */
  replace(account: AccountId, id: FileId, change: DocumentChange, signal: AbortSignal): Promise<StoredDocument> {
    return this.storing(account, { bytes: change.bytes.length, replaces: id }, signal, () =>
      this.documents.replace(driveOf(account), id, change, signal),
    );
  }

  /** @throws DomainError `precondition-failed`, `document-not-found` */
  remove(account: AccountId, id: FileId, expected: VersionId | undefined, signal: AbortSignal): Promise<void> {
    return this.documents.remove(driveOf(account), id, expected, signal);
  }

  /** Removes something, unless it is gone. @returns whether it is; if not, it has another revision by now */
  removeIfThere(account: AccountId, removal: Removal, signal: AbortSignal): Promise<boolean> {
    return removeIfThere(this.documents, driveOf(account), removal, signal);
  }

  /** Stores something in a drive, within the quota of its account, which cannot end meanwhile. */
  async storing<Result>(
    account: AccountId,
    { bytes, replaces }: { readonly bytes: number; readonly replaces?: FileId },
    signal: AbortSignal,
    store: () => Promise<Result>,
  ): Promise<Result> {
    return this.quotas.during({ owner: ownerOf(this.accountOf(account)), bytes, replaces }, signal, store);
  }

  private accountOf(id: AccountId): Account {
    const account = this.accounts.get(id);
    if (account === undefined) throw new DomainError('unauthenticated', 'the account is no more');
    return account;
  }
}
