import { Injectable } from '@nestjs/common';
import { AccountDirectory } from '../auth/account-directory.js';
import { DomainError, errorCode } from '../common/errors.js';
import type { FileId, VersionId } from '../common/ids.js';
import type { UserName } from '../common/user-name.js';
import { DocumentStore, type StoredDocument } from '../documents/document-store.js';
import { FormerIdentities, isSame } from './former-identities.js';
import { decodeLogin, encodeLogin, type LoginRecord } from './login-record.js';

const COLLECTION = 'logins';
/** No user's name, since it has a sign. */
const DECOY_KEY = '#nobody';
const RECORD_BYTES = 192;
/** What the bundle of an account has about. */
const BUNDLE_BYTES = 2048;

export interface StoredLogin {
  readonly id: FileId;
  readonly revision: VersionId;
  readonly name: UserName;
  readonly login: LoginRecord;
}

/** The logins of all accounts, by user name. */
@Injectable()
export class Logins {
  readonly former: FormerIdentities;
  private readonly listeners = new Set<(account: FileId) => void>();

  constructor(
    private readonly documents: DocumentStore,
    private readonly accounts: AccountDirectory,
  ) {
    this.former = new FormerIdentities(documents);
  }

  /** Called after each change of the login of an account, also if it may not have been made. */
  onChange(listener: (account: FileId) => void): void {
    this.listeners.add(listener);
  }

  async isEmpty(signal: AbortSignal): Promise<boolean> {
    const { documents } = await this.documents.list(COLLECTION, { prefix: '', limit: 2 }, signal);
    return documents.every(({ key }) => key === DECOY_KEY);
  }

  /**
   * The login of an account that is there; what a removed account left is none.
   * For a name that nobody has as much is read as for one that is there, so that the time tells little of which it is.
   */
  async find(name: UserName, signal: AbortSignal): Promise<StoredLogin | undefined> {
    await this.accounts.load(signal);
    const found = await this.documents.get(COLLECTION, name, signal);
    if (found !== undefined) return this.live(stored(found));
    const decoy = (await this.documents.get(COLLECTION, DECOY_KEY, signal)) ?? (await this.makeDecoy(signal));
    decodeLogin(decoy.bytes);
    return undefined;
  }

  /** @throws DomainError `user-name-taken` */
  async create(name: UserName, login: LoginRecord, signal: AbortSignal): Promise<StoredLogin> {
    try {
      return stored(await this.documents.create(COLLECTION, name, encodeLogin(login), signal));
    } catch (cause) {
      if (errorCode(cause) !== 'document-exists') throw cause;
      const found = await this.documents.get(COLLECTION, name, signal);
      if (found !== undefined && this.live(stored(found)) === undefined) return await this.replace(stored(found), login, signal);
      throw new DomainError('user-name-taken', 'somebody has registered under this name', { cause });
    } finally {
      this.tell(login.account);
    }
  }

  /** In one step, and only if it is still what was read. @throws DomainError `login-changed` */
  async replace({ id, revision, login: before }: StoredLogin, login: LoginRecord, signal: AbortSignal): Promise<StoredLogin> {
    const { identity } = before.bundle;
    // Before it is replaced, since afterwards nothing would have it any more.
    if (before.account === login.account && identity.length > 0 && !isSame(identity, login.bundle.identity))
      await this.former.keep(login.account, identity, signal);
    try {
      return stored(await this.documents.replace(COLLECTION, id, { bytes: encodeLogin(login), expected: revision }, signal));
    } catch (cause) {
      const code = errorCode(cause);
      if (code !== 'precondition-failed' && code !== 'document-not-found') throw cause;
      throw new DomainError('login-changed', 'the login or the bundle was changed in the meantime: read it and try again', {
        cause,
      });
    } finally {
      this.tell(login.account);
    }
  }

  private tell(account: FileId): void {
    for (const listener of this.listeners) listener(account);
  }

  private live(found: StoredLogin): StoredLogin | undefined {
    return this.accounts.get(found.login.account) === undefined ? undefined : found;
  }

  private async makeDecoy(signal: AbortSignal): Promise<StoredDocument> {
    const login: LoginRecord = {
      account: '00000000-0000-7000-8000-000000000000' as FileId,
      setup: new Uint8Array(8),
      password: Buffer.alloc(RECORD_BYTES).toString('base64url'),
      recovery: Buffer.alloc(RECORD_BYTES).toString('base64url'),
      epoch: 0,
      keptSession: undefined,
      bundle: { sealed: new Uint8Array(BUNDLE_BYTES), identity: new Uint8Array(BUNDLE_BYTES) },
    };
    try {
      return await this.documents.create(COLLECTION, DECOY_KEY, encodeLogin(login), signal);
    } catch (cause) {
      const made = errorCode(cause) === 'document-exists' ? await this.documents.get(COLLECTION, DECOY_KEY, signal) : undefined;
      if (made === undefined) throw cause;
      return made;
    }
  }
}

function stored({ id, revision, key, bytes }: StoredDocument): StoredLogin {
  return { id, revision, name: key as UserName, login: decodeLogin(bytes) };
}
