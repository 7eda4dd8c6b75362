import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { STORE_OWNER } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import { isLoopback } from '../config/load-config.js';
import { Authenticator } from '../http/authenticator.js';
import { clientOf } from '../http/forwarded.js';
import { OwnHosts } from '../http/own-host.js';
import type { Principal } from '../http/principal.js';
import { AccountDirectory } from './account-directory.js';
import { AttemptLimiter, clientKey } from './attempt-limiter.js';
import type { Credential, CredentialSource } from './credential-source.js';
import { hashOf, parseCredential, SCOPES, type ParsedCredential } from './token.js';

const BEARER = /^Bearer +(\S+) *$/i;

/** Everybody, where there are no accounts. */
const STORE: Principal = { owner: STORE_OWNER, scopes: new Set(SCOPES), prefix: '', credentialId: '', name: 'store' };

/** Knows who sent a request by the secret in its `Authorization: Bearer` (RFC 6750). */
@Injectable()
export class BearerAuthenticator extends Authenticator {
  private readonly sources = new Map<string, CredentialSource>();
  /** From other machines, and there are neither peers nor proxies that pass their requests on. */
  private readonly isUnreachable: boolean;
  private readonly hosts: OwnHosts;

  constructor(
    private readonly config: AppConfig,
    private readonly accounts: AccountDirectory,
    private readonly attempts: AttemptLimiter,
  ) {
    super();
    this.hosts = new OwnHosts([config.listen, ...config.peers.map((peer) => new URL(peer).hostname)]);
    this.isUnreachable = config.node === null && isLoopback(config.listen) && config.trusted_proxies.length === 0;
  }

  /** From now on credentials of that kind are accepted. */
  register(source: CredentialSource): void {
    this.sources.set(source.kind, source);
  }

  override authenticate(request: IncomingMessage): Principal | Promise<Principal> {
    if (this.accounts.isOpen) return this.store(request);
    if (!this.accounts.isLoaded) return this.loaded(request);
    const presented = credentialIn(request);
    if (presented === undefined) throw new DomainError('unauthenticated', 'send a token: Authorization: Bearer dct_…');
    if (presented === 'malformed') return this.refuse(request, undefined);
    const source = this.sources.get(presented.kind);
    const credential = source?.known(presented.id);
    if (source === undefined || credential === undefined) return this.find(request, presented, source);
    return this.judge(request, presented, { source, credential });
  }

  /** Without accounts, who is on the machine may do anything, and nobody else anything. */
  private store(request: IncomingMessage): Principal {
    const { host } = request.headers;
    if (!this.hosts.has(host))
      throw new DomainError(
        'host-unknown',
        'there are no accounts, so clients have to call the server by a name of its own machine',
      );
    // What listens on the loopback alone hears of no others.
    if (this.isUnreachable || clientOf(request).isLocal) return STORE;
    const detail = 'there are no accounts, so clients are served on their own machine only: send the request there';
    throw new DomainError('client-not-local', detail);
  }

  private async loaded(request: IncomingMessage): Promise<Principal> {
    await this.accounts.load(this.deadline());
    return this.authenticate(request);
  }

  private async find(
    request: IncomingMessage,
    presented: ParsedCredential,
    source: CredentialSource | undefined,
  ): Promise<Principal> {
    // What is not known already costs a look into the store: not for who only guesses.
    this.attempts.check(clientKey(clientOf(request).address));
    const credential = await source?.find(presented.id, this.deadline());
    return this.judge(request, presented, source && credential && { source, credential });
  }

  private judge(
    request: IncomingMessage,
    { id, secret }: ParsedCredential,
    found: { readonly source: CredentialSource; readonly credential: Credential } | undefined,
  ): Principal {
    const hash = hashOf(secret);
    if (found === undefined || !timingSafeEqual(hash, found.credential.hash)) return this.refuse(request, id);
    const { source, credential } = found;
    if (credential.expiresAt <= Date.now()) throw new DomainError('unauthenticated', 'the token has expired');
    source.accepted(id, credential);
    return credential.principal;
  }

  private refuse(request: IncomingMessage, id: string | undefined): never {
    const keys = [clientKey(clientOf(request).address), ...(id === undefined ? [] : [`credential ${id}`])];
    for (const key of keys) this.attempts.check(key);
    for (const key of keys) this.attempts.failed(key);
    throw new DomainError('unauthenticated', 'the token is not one that is accepted');
  }

  private deadline(): AbortSignal {
    return AbortSignal.timeout(this.config.limits.node_call_ms_max);
  }
}

function credentialIn({ headers }: IncomingMessage): ParsedCredential | 'malformed' | undefined {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  const [, text] = BEARER.exec(authorization) ?? [];
  return (text === undefined ? undefined : parseCredential(text)) ?? 'malformed';
}
