import { Injectable, Logger } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { DomainError, errorCode } from '../common/errors.js';
import { newId, type FileId } from '../common/ids.js';
import { Turns } from '../common/turns.js';
import { documentsIn } from '../documents/collections.js';
import { DocumentStore } from '../documents/document-store.js';
import type { Principal, Scope } from '../http/principal.js';
import { type Account, type AccountId, ownerOf } from './account.js';
import { AccountDirectory } from './account-directory.js';
import { BearerAuthenticator } from './bearer.authenticator.js';
import type { Credential, CredentialSource } from './credential-source.js';
import {
  credentialText,
  hashOf,
  newSecret,
  readToken,
  type Token,
  TOKEN_KIND,
  type TokenFields,
  type TokenId,
  writeToken,
} from './token.js';

const COLLECTION = 'tokens';
/** Tokens that were accepted lately, which are known without a look into the store. */
const KNOWN_MAX = 10_000;
/** How exact it is kept when a token was last used: a request must not cost a write. */
const USED_MS = 3_600_000;

/** What a new token is to be. */
export type TokenWish = Pick<TokenFields, 'accountId' | 'label' | 'scopes' | 'prefix' | 'expiresAt'>;

/** A token that was made, with its text. */
export interface MadeToken {
  readonly token: Token;
  readonly text: string;
}

interface KnownToken extends Credential {
  readonly id: TokenId;
  readonly accountId: AccountId;
  /** Of the accounts and tokens, when it was read. */
  readonly generation: number;
  usedAt: number;
}

/** Makes, knows and ends API tokens. */
@Injectable()
export class TokensService implements CredentialSource {
  readonly kind = TOKEN_KIND;
  private readonly logger = new Logger(TokensService.name);
  private readonly accepting = new Map<TokenId, KnownToken>();
  /** Whom a token has shown, and nothing else has. */
  private readonly shown = new WeakSet<Principal>();
  /** Of one account, one token after the other is made or ended: what ends one ends all that it has made. */
  private readonly turns = new Turns<AccountId>();
  /** Grows with each change after which a token may not be what it was. */
  private generation = 0;

  constructor(
    private readonly config: AppConfig,
    private readonly documents: DocumentStore,
    private readonly accounts: AccountDirectory,
    authenticator: BearerAuthenticator,
  ) {
    authenticator.register(this);
    accounts.onChange((id) => this.forget((token) => token.accountId === id));
  }

  known(id: TokenId): Credential | undefined {
    return this.accepting.get(id);
  }

  async find(id: TokenId, signal: AbortSignal): Promise<Credential | undefined> {
    const { generation } = this; // of before: what changes while it is read makes it stale
    const token = await this.read(id, signal);
    if (token === undefined) return undefined;
    const account = this.accounts.get(token.accountId);
    if (account === undefined || account.isDisabled) return undefined;
    const { accountId, usedAt } = token;
    const known: KnownToken = { ...credentialOf(token, account), id, accountId, generation, usedAt: usedAt ?? 0 };
    this.shown.add(known.principal);
    return known;
  }

  accepted(id: TokenId, credential: Credential): void {
    const token = credential as KnownToken;
    const now = Date.now();
    if (now - token.usedAt > USED_MS) {
      token.usedAt = now;
      this.noteUse(id, now).catch((error: unknown) => {
        this.logger.warn({ err: error }, 'it could not be kept when a token was used');
      });
    }
    if (this.accepting.get(id) === token || token.generation !== this.generation) return;
    this.accepting.set(id, token);
    for (const [oldest] of this.accepting) {
      if (this.accepting.size <= KNOWN_MAX) break;
      this.accepting.delete(oldest);
    }
  }

  /**
   * Makes a token. One that is not for the administration can make others that are no more than itself, and end with it.
   * @returns also the text of the token, which is nowhere kept
   * @throws DomainError `forbidden`, `account-not-found`, `too-many-tokens`
   */
  async create(wish: TokenWish, by: Principal | undefined, signal: AbortSignal): Promise<MadeToken> {
    const account = this.accounts.require(wish.accountId);
    if (account.role !== 'admin' && wish.scopes.includes('admin'))
      throw new DomainError('forbidden', 'the scope "admin" is for the accounts of administrators');
    if (by !== undefined) checkWithin(wish, by, this.accounts.ofOwner(by.owner)?.id);
    return this.turns.take(account.id, async () => {
      const maker = await this.makerOf(by, signal);
      const most = this.config.limits.account_tokens_max;
      if ((await this.list(wish.accountId, signal)).length >= most)
        throw new DomainError('too-many-tokens', `an account may have ${most} tokens`);
      return this.make({ ...wish, expiresAt: earlier(wish.expiresAt, maker?.expiresAt ?? null) }, maker, signal);
    });
  }

  /** All tokens of an account, the oldest first. */
  async list(accountId: AccountId, signal: AbortSignal): Promise<readonly Token[]> {
    const found = documentsIn(this.documents, { collection: COLLECTION, prefix: `${accountId}/` }, () => signal);
    return Array.fromAsync(found, readToken);
  }

  /**
   * Ends a token, and those that were made by it. It is not accepted any more when this resolves.
   * @throws DomainError `token-not-found`; `forbidden` if the token may do more than who ends it
   */
  async revoke(id: TokenId, by: Principal, signal: AbortSignal): Promise<void> {
    const { accountId } = await this.requireOf(id, by, signal);
    await this.turns.take(accountId, async () => {
      const token = await this.requireOf(id, by, signal);
      await this.end(withDescendants(token, await this.list(accountId, signal)), signal);
    });
  }

  /** Ends all tokens of an account. */
  async revokeAll(accountId: AccountId, signal: AbortSignal): Promise<void> {
    await this.turns.take(accountId, async () => this.end(await this.list(accountId, signal), signal));
  }

  /** A token as somebody may end it. */
  private async requireOf(id: TokenId, by: Principal, signal: AbortSignal): Promise<Token> {
    const token = await this.read(id, signal);
    const own = this.accounts.ofOwner(by.owner)?.id;
    if (token === undefined || !(token.accountId === own || by.scopes.has('admin')))
      throw new DomainError('token-not-found', 'no token of yours has this id');
    const account = this.accounts.get(token.accountId);
    checkWithin({ ...token, scopes: account === undefined ? [] : scopesOf(token, account) }, by, own);
    return token;
  }

  /** The token by which another one is made, and with which that ends; undefined if it is to stand by itself. */
  private async makerOf(by: Principal | undefined, signal: AbortSignal): Promise<Token | undefined> {
    if (by === undefined || by.scopes.has('admin') || !this.shown.has(by)) return undefined;
    const maker = await this.read(by.credentialId as TokenId, signal);
    // Since it was accepted, it was revoked: what it would make now would never end.
    if (maker === undefined) throw new DomainError('unauthenticated', 'the token is not accepted any more');
    return maker;
  }

  private async make(wish: TokenWish, maker: Token | undefined, signal: AbortSignal): Promise<MadeToken> {
    const secret = newSecret();
    const secretHash = hashOf(secret).toString('base64url');
    const fields = { ...wish, createdAt: Date.now(), usedAt: null, parent: maker?.id ?? null, secretHash };
    const key = `${wish.accountId}/${newId<FileId>()}`;
    const token = readToken(await this.documents.create(COLLECTION, key, writeToken(fields), signal));
    return { token, text: credentialText(TOKEN_KIND, token.id, secret) };
  }

  private async end(tokens: readonly Token[], signal: AbortSignal): Promise<void> {
    try {
      // The ones that were made by others first: what is interrupted leaves none whose maker is gone.
      for (const { id } of tokens.toReversed()) await this.documents.remove(COLLECTION, id, undefined, signal);
    } finally {
      const ended = new Set(tokens.map(({ id }) => id));
      this.forget(({ id }) => ended.has(id));
    }
  }

  private async read(id: TokenId, signal: AbortSignal): Promise<Token | undefined> {
    const document = await this.documents.find(COLLECTION, id, signal);
    return document && readToken(document);
  }

  private async noteUse(id: TokenId, usedAt: number): Promise<void> {
    const signal = AbortSignal.timeout(this.config.limits.node_call_ms_max);
    const token = await this.read(id, signal);
    if (token === undefined) return;
    try {
      const bytes = writeToken({ ...token, usedAt });
      await this.documents.replace(COLLECTION, id, { bytes, expected: token.revision }, signal);
    } catch (error) {
      // Revoked meanwhile, which counts more.
      if (errorCode(error) !== 'document-not-found' && errorCode(error) !== 'precondition-failed') throw error;
    }
  }

  /** Others stay known: what ends one must not make all the others be looked up. */
  private forget(isStale: (token: KnownToken) => boolean): void {
    this.generation += 1;
    for (const token of [...this.accepting.values()]) if (isStale(token)) this.accepting.delete(token.id);
  }
}

function credentialOf(token: Token, account: Account): Credential {
  const scopes = new Set(scopesOf(token, account));
  return {
    hash: Buffer.from(token.secretHash, 'base64url'),
    expiresAt: token.expiresAt ?? Infinity,
    principal: { owner: ownerOf(account), scopes, prefix: token.prefix, credentialId: token.id, name: account.name },
  };
}

/** What a token may do by now: its account may be that of an administrator no more. */
function scopesOf({ scopes }: Token, { role }: Account): readonly Scope[] {
  return scopes.filter((scope) => scope !== 'admin' || role === 'admin');
}

/** @throws DomainError `forbidden` if a token may do more than who has to do with it */
function checkWithin(wish: Pick<TokenWish, 'accountId' | 'scopes' | 'prefix'>, by: Principal, own: AccountId | undefined): void {
  if (by.scopes.has('admin')) return;
  if (wish.accountId !== own) throw new DomainError('forbidden', 'only an administrator has to do with the tokens of others');
  if (!wish.scopes.every((scope) => by.scopes.has(scope)) || !wish.prefix.startsWith(by.prefix))
    throw new DomainError('forbidden', 'a token makes and ends only tokens that may do no more than itself');
}

function earlier(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

function withDescendants(token: Token, tokens: readonly Token[]): readonly Token[] {
  const found = new Map([[token.id, token]]);
  // By age, so that each comes behind the one that made it.
  for (const each of tokens) if (each.parent !== null && found.has(each.parent)) found.set(each.id, each);
  return [...found.values()];
}
