import { Injectable } from '@nestjs/common';
import { type Account, ownerOf } from '../auth/account.js';
import { AccountDirectory } from '../auth/account-directory.js';
import type { Credential, CredentialSource } from '../auth/credential-source.js';
import { credentialText, hashOf, newSecret } from '../auth/token.js';
import { DomainError } from '../common/errors.js';
import { newId, type FileId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import { removeIfThere } from '../documents/collections.js';
import { DocumentStore } from '../documents/document-store.js';
import type { Principal, Scope } from '../http/principal.js';
import { Logins, type StoredLogin } from './logins.js';
import { readSession, type SessionFields, type SessionKind, type SessionRecord, writeSession } from './session-record.js';

const COLLECTION = 'sessions';
/** Sessions that are known without a look into the store. */
const KNOWN_MAX = 10_000;

/** A session that was seen since the start of this process. */
interface LiveSession extends Credential {
  readonly record: SessionRecord;
  /** Of all sessions and accounts, when it was read. */
  readonly generation: number;
  usedAt: number;
}

/**
 * Begins, knows and ends the sessions of those who logged in. Each is a document, so that it outlives a restart and is over everywhere at once
 * when it is removed; when it was last used is known to this process alone, and begins anew with it.
 */
@Injectable()
export class SessionsService implements CredentialSource {
  readonly kind = 'dcs';
  /** In the order of their last use. */
  private readonly live = new Map<FileId, LiveSession>();
  /** Grows with each change after which a session may be over. */
  private generation = 0;
  /** Those read before this one are judged anew. */
  private generationLeast = 0;

  constructor(
    private readonly config: AppConfig,
    private readonly documents: DocumentStore,
    private readonly accounts: AccountDirectory,
    private readonly logins: Logins,
  ) {
    accounts.onChange(() => this.judgeAllAnew());
  }

  /** Undefined also for one that was not used for too long: {@link find} ends it. */
  known(id: FileId): Credential | undefined {
    const session = this.live.get(id);
    if (session === undefined || session.generation < this.generationLeast || this.isIdle(session)) return undefined;
    return session;
  }

  async find(id: FileId, signal: AbortSignal): Promise<Credential | undefined> {
    const { generation } = this; // of before: what ends while it is read is not taken in
    const live = this.live.get(id);
    if (live !== undefined && this.isIdle(live)) {
      await this.remove(id, signal);
      return undefined;
    }
    const document = await this.documents.find(COLLECTION, id, signal);
    const record = document && readSession(document);
    if (record === undefined || record.expiresAt <= Date.now() || !(await this.isOfLogin(record, signal))) return undefined;
    const account = this.accounts.get(record.accountId);
    if (account === undefined || account.isDisabled) return undefined;
    return this.liveOf(record, account, { generation, usedAt: live?.usedAt ?? Date.now() });
  }

  accepted(id: FileId, credential: Credential): void {
    const session = credential as LiveSession;
    session.usedAt = Date.now();
    if (session.generation !== this.generation && this.live.get(id) !== session) return;
    this.live.delete(id);
    this.live.set(id, session);
    const [quietest] = this.live.keys();
    if (this.live.size > KNOWN_MAX && quietest !== undefined) this.live.delete(quietest);
  }

  /** The session that a request came with. @throws DomainError `forbidden` if it came with something else */
  async require({ credentialId }: Principal, kinds: readonly SessionKind[], signal: AbortSignal): Promise<SessionRecord> {
    const id = credentialId as FileId;
    const document = credentialId === '' ? undefined : await this.documents.find(COLLECTION, id, signal);
    if (document === undefined) throw new DomainError('forbidden', 'this needs the session of a login');
    const record = readSession(document);
    if (kinds.includes(record.kind)) return record;
    throw new DomainError('forbidden', 'after a recovery a new password must be set, and with that a new login made');
  }

  /**
   * Begins a session.
   * @returns also its text, which is nowhere kept
   * @throws DomainError `login-changed` if the login was changed since it was read; `forbidden` if the account is disabled
   */
  async begin(
    { name, login }: StoredLogin,
    kind: SessionKind,
    signal: AbortSignal,
  ): Promise<{ readonly session: SessionRecord; readonly text: string }> {
    // Told only to who has proved to be the one.
    if (this.accounts.get(login.account)?.isDisabled !== false) throw new DomainError('forbidden', 'the account is disabled');
    await this.makeRoom(login.account, signal);
    const secret = newSecret();
    const createdAt = Date.now();
    const ms = kind === 'login' ? this.config.limits.session_ms_max : this.config.limits.session_idle_ms;
    const fields: SessionFields = {
      accountId: login.account,
      userName: name,
      kind,
      epoch: login.epoch,
      createdAt,
      expiresAt: createdAt + ms,
      secretHash: hashOf(secret).toString('base64url'),
    };
    const document = await this.documents.create(COLLECTION, `${login.account}/${newId<FileId>()}`, writeSession(fields), signal);
    const session = readSession(document);
    // A change of the password ends all sessions that are there when it is made; this one may have come right behind it.
    if (await this.isOfLogin(session, signal)) return { session, text: credentialText(this.kind, session.id, secret) };
    await this.remove(session.id, signal);
    throw new DomainError('login-changed', 'the password was changed in the meantime: log in again');
  }

  /** The sessions of an account, the oldest first, and when each was last used, as far as this process knows. */
  async list(
    accountId: FileId,
    signal: AbortSignal,
  ): Promise<readonly { readonly session: SessionRecord; readonly usedAt: number | undefined }[]> {
    const now = Date.now();
    const sessions = await this.read(accountId, signal);
    return sessions
      .map((session) => ({ session, live: this.live.get(session.id) }))
      .filter(({ session, live }) => session.expiresAt > now && !(live && this.isIdle(live)))
      .map(({ session, live }) => ({ session, usedAt: live?.usedAt }));
  }

  /** Ends a session of an account: it is not accepted any more when this resolves. @throws DomainError `session-not-found` */
  async end(accountId: FileId, id: FileId, signal: AbortSignal): Promise<void> {
    const document = await this.documents.find(COLLECTION, id, signal);
    if (document === undefined || readSession(document).accountId !== accountId)
      throw new DomainError('session-not-found', 'no session of yours has this id');
    await this.remove(id, signal);
  }

  /** Ends all sessions of an account but one. */
  async endOthers(accountId: FileId, kept: FileId | undefined, signal: AbortSignal): Promise<void> {
    this.judgeAllAnew(); // by its epoch, what is not removed below
    for (const { id } of await this.read(accountId, signal)) if (id !== kept) await this.remove(id, signal);
  }

  /** After a change that sessions may be over by, and of which it may not be known whether it was made. */
  judgeAllAnew(): void {
    this.generation += 1;
    this.generationLeast = this.generation;
  }

  private async remove(id: FileId, signal: AbortSignal): Promise<void> {
    try {
      await removeIfThere(this.documents, COLLECTION, { id }, signal); // it may be ended twice at once
    } finally {
      // Also when it failed: it may be removed all the same, and is looked up then.
      this.generation += 1;
      this.live.delete(id);
    }
  }

  /** Removes what is over, and of too many the oldest. */
  private async makeRoom(accountId: FileId, signal: AbortSignal): Promise<void> {
    const sessions = await this.read(accountId, signal);
    const now = Date.now();
    const isOver = ({ id, expiresAt }: SessionRecord): boolean => {
      const live = this.live.get(id);
      return expiresAt <= now || (live !== undefined && this.isIdle(live));
    };
    const going = sessions.filter((session) => !isOver(session));
    const surplus = going.slice(0, Math.max(0, going.length + 1 - this.config.limits.account_sessions_max));
    for (const { id } of [...sessions.filter(isOver), ...surplus]) await this.remove(id, signal);
  }

  private async read(accountId: FileId, signal: AbortSignal): Promise<readonly SessionRecord[]> {
    const limit = this.config.limits.account_sessions_max * 2;
    const { documents } = await this.documents.list(COLLECTION, { prefix: `${accountId}/`, limit }, signal);
    return documents.map(readSession);
  }

  /** Whether it began with the password of now, or made it. */
  private async isOfLogin({ id, userName, accountId, epoch }: SessionRecord, signal: AbortSignal): Promise<boolean> {
    const stored = await this.logins.find(userName, signal);
    return stored?.login.account === accountId && (stored.login.epoch === epoch || stored.login.keptSession === id);
  }

  private liveOf(record: SessionRecord, account: Account, seen: { generation: number; usedAt: number }): LiveSession {
    return {
      record,
      hash: Buffer.from(record.secretHash, 'base64url'),
      expiresAt: record.expiresAt,
      principal: {
        owner: ownerOf(account),
        scopes: scopesOf(record, account),
        prefix: '',
        credentialId: record.id,
        name: account.name,
      },
      ...seen,
    };
  }

  private isIdle({ usedAt }: LiveSession): boolean {
    return usedAt + this.config.limits.session_idle_ms <= Date.now();
  }
}

function scopesOf({ kind }: SessionRecord, { role }: Account): ReadonlySet<Scope> {
  if (kind === 'recovery') return new Set();
  return new Set(role === 'admin' ? ['read', 'write', 'admin'] : ['read', 'write']);
}
