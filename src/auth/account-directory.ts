import { Injectable } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { DomainError, errorCode } from '../common/errors.js';
import { driveOf, newId, type OwnerId } from '../common/ids.js';
import { Turns } from '../common/turns.js';
import { within } from '../common/within.js';
import { documentsIn } from '../documents/collections.js';
import { DocumentStore } from '../documents/document-store.js';
import { AccountLimits } from '../http/account-limits.js';
import { type Account, type AccountFields, type AccountId, ownerOf, readAccount, writeAccount } from './account.js';

const COLLECTION = 'accounts';
/** What there is only where there are accounts, or were. */
const TRACES = ['tokens', 'sessions'];

/** What may change of an account. */
export interface AccountChange extends Partial<Pick<AccountFields, 'role' | 'isDisabled'>> {
  /** Null: no limit. */
  readonly quotaBytes?: number | null;
  readonly quotaFiles?: number | null;
}

/**
 * All accounts, in memory, as they are kept in the store: one process alone changes them, so what it knows is so. A request must not wait for the
 * nodes to hear who may do what.
 */
@Injectable()
export class AccountDirectory {
  private accounts: Map<AccountId, Account> | undefined;
  private readonly byOwner = new Map<OwnerId, Account>();
  private readonly listeners = new Set<(id: AccountId) => void>();
  private wereThere = false;
  private loading: Promise<void> | undefined;
  /** Changes, one after the other: each decides by what those before it left. */
  private readonly turns = new Turns<typeof COLLECTION>();

  constructor(
    readonly config: AppConfig,
    private readonly documents: DocumentStore,
    readonly limits: AccountLimits,
  ) {
    limits.knowBy((owner) => {
      const account = this.byOwner.get(owner);
      return account && { quota: account.quota, owners: [owner, driveOf(account.id)] };
    });
  }

  /** Whether it is known which accounts there are. */
  get isLoaded(): boolean {
    return this.accounts !== undefined;
  }

  /** Whether there never were any, and everybody is the store. */
  get isOpen(): boolean {
    return this.accounts?.size === 0 && !this.wereThere;
  }

  /** Whether there are none, and there must have been. */
  get areLost(): boolean {
    return this.accounts?.size === 0 && this.wereThere;
  }

  /** The account of an administrator who is alone. */
  get onlyFirst(): Account | undefined {
    const [first, another] = this.accounts?.values() ?? [];
    return another === undefined && first?.hasStore === true ? first : undefined;
  }

  /** Called after each change of an account. */
  onChange(listener: (id: AccountId) => void): void {
    this.listeners.add(listener);
  }

  /**
   * Reads the accounts from the store, if that was not done. What is asked for before is refused. However many they are, each page has its own time,
   * and whoever stops waiting stops it for nobody else.
   */
  load(signal: AbortSignal): Promise<void> {
    if (this.accounts !== undefined) return Promise.resolve();
    this.loading ??= this.read().finally(() => (this.loading = undefined));
    return within(signal, this.loading);
  }

  get(id: AccountId): Account | undefined {
    return this.all().get(id);
  }

  /** @throws DomainError `account-not-found` */
  require(id: AccountId): Account {
    const account = this.get(id);
    if (account === undefined) throw new DomainError('account-not-found', 'no account has this id');
    return account;
  }

  ofOwner(owner: OwnerId): Account | undefined {
    return this.byOwner.get(owner);
  }

  /** By their names. */
  list(): readonly Account[] {
    return [...this.all().values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** @throws DomainError `forbidden` if there are accounts */
  createFirst(name: string, signal: AbortSignal): Promise<Account> {
    return this.inTurn(async () => {
      await this.load(signal);
      if (this.all().size > 0) throw new DomainError('forbidden', 'there is an administrator already');
      return this.put({ ...NEW, id: newId(), name, role: 'admin', hasStore: true, createdAt: Date.now() }, signal);
    });
  }

  /**
   * @param fields with an id of `newId`, if it was told somebody before
   * @throws DomainError `account-exists`, `too-many-accounts`
   */
  create(
    { id = newId(), name, role, quota }: Pick<AccountFields, 'name' | 'role' | 'quota'> & { readonly id?: AccountId },
    signal: AbortSignal,
  ): Promise<Account> {
    return this.inTurn(() => {
      if (this.all().size === 0) throw new DomainError('forbidden', 'first there must be an administrator: dcloud admin init');
      if (this.all().size >= this.config.limits.accounts_max)
        throw new DomainError('too-many-accounts', `there may be ${this.config.limits.accounts_max} accounts`);
      return this.put({ ...NEW, id, name, role, quota, createdAt: Date.now() }, signal);
    });
  }

  /** @throws DomainError `account-not-found`, `last-administrator` */
  change(id: AccountId, change: AccountChange, signal: AbortSignal): Promise<Account> {
    return this.inTurn(async () => {
      const before = this.require(id);
      const { quotaBytes: bytes = before.quota.bytes, quotaFiles: files = before.quota.files, ...rest } = change;
      const after = { ...before, ...rest, quota: { bytes, files } };
      if (isAdministrator(before) && !isAdministrator(after)) this.requireAnother(before);
      const written = { bytes: writeAccount(after), expected: before.revision };
      return this.keep(readAccount(await this.documents.replace(COLLECTION, id, written, signal)));
    });
  }

  /** @throws DomainError `account-not-found`, `last-administrator` */
  remove(id: AccountId, signal: AbortSignal): Promise<void> {
    return this.inTurn(async () => {
      const account = this.require(id);
      if (isAdministrator(account)) this.requireAnother(account);
      // The files of the store would belong to nobody, and the next first administrator would not be one of an empty store.
      if (account.hasStore)
        throw new DomainError('account-not-empty', 'the first account has what was stored before it: disable it');
      await this.documents.remove(COLLECTION, id, account.revision, signal);
      this.all().delete(id);
      this.byOwner.delete(ownerOf(account));
      this.tell(id);
    });
  }

  private async put({ id, ...fields }: AccountFields & Pick<Account, 'id'>, signal: AbortSignal): Promise<Account> {
    const document = { id, key: fields.name, bytes: writeAccount(fields) };
    try {
      return this.keep(readAccount(await this.documents.place(COLLECTION, document, signal)));
    } catch (error) {
      if (errorCode(error) !== 'document-exists') throw error;
      throw new DomainError('account-exists', 'another account has this name', { cause: error });
    }
  }

  private keep(account: Account): Account {
    this.all().set(account.id, account);
    this.byOwner.set(ownerOf(account), account);
    this.tell(account.id);
    return account;
  }

  private tell(id: AccountId): void {
    for (const listener of this.listeners) listener(id);
  }

  private requireAnother({ id }: Account): void {
    if (this.list().some((other) => other.id !== id && isAdministrator(other))) return;
    throw new DomainError('last-administrator', 'make another administrator first');
  }

  private all(): Map<AccountId, Account> {
    if (this.accounts === undefined) throw new DomainError('index-unavailable', 'the accounts could not be read yet');
    return this.accounts;
  }

  private async read(): Promise<void> {
    const found = new Map<AccountId, Account>();
    const documents = documentsIn(this.documents, { collection: COLLECTION, prefix: '' }, () => this.deadline());
    for await (const document of documents) found.set(document.id, readAccount(document));
    // Must not open the store to everybody: what a damaged disk or an incomplete rebuild has taken is not what never was.
    this.wereThere = found.size > 0 || (await this.hasTraces());
    for (const account of found.values()) this.byOwner.set(ownerOf(account), account);
    this.accounts = found;
  }

  private async hasTraces(): Promise<boolean> {
    const found = await Promise.all(
      TRACES.map((collection) => this.documents.list(collection, { prefix: '', limit: 1 }, this.deadline())),
    );
    return found.some(({ documents }) => documents.length > 0);
  }

  private deadline(): AbortSignal {
    return AbortSignal.timeout(this.config.limits.node_call_ms_max);
  }

  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.turns.take(COLLECTION, work);
  }
}

const NEW = { quota: { bytes: null, files: null }, isDisabled: false, hasStore: false } as const;

function isAdministrator({ role, isDisabled }: Pick<AccountFields, 'role' | 'isDisabled'>): boolean {
  return role === 'admin' && !isDisabled;
}
