import { Injectable } from '@nestjs/common';
import { DomainError, errorCode } from '../common/errors.js';
import { parseUserName } from '../common/user-name.js';
import { etagOf } from '../http/conditional.js';
import type { Principal } from '../http/principal.js';
import { LoginAttempts } from './login-attempts.js';
import type { Bundle } from './login-record.js';
import { Logins, type StoredLogin } from './logins.js';
import { SessionsService } from './sessions.service.js';

/** What the clients of an account keep here, sealed, and what they show to others. The server knows no more of it than the size. */
@Injectable()
export class BundlesService {
  constructor(
    private readonly logins: Logins,
    private readonly sessions: SessionsService,
    private readonly attempts: LoginAttempts,
  ) {}

  /** Also after a recovery: what is sealed there is what is recovered. */
  async own(principal: Principal, signal: AbortSignal): Promise<StoredLogin> {
    const { userName, accountId } = await this.sessions.require(principal, ['login', 'recovery'], signal);
    const found = await this.logins.find(userName, signal);
    if (found?.login.account !== accountId) throw new DomainError('user-not-found', 'the login is not there any more');
    return found;
  }

  /**
   * Replaces the bundle, if it is still the one that the caller knows.
   * @param ifMatch its entity tag
   * @throws DomainError `precondition-required`, `precondition-failed`, `forbidden` after a recovery
   */
  async replace(
    bundle: Bundle,
    ifMatch: string | undefined,
    { principal, signal }: { readonly principal: Principal; readonly signal: AbortSignal },
  ): Promise<StoredLogin> {
    await this.sessions.require(principal, ['login'], signal);
    if (ifMatch === undefined)
      throw new DomainError('precondition-required', 'send If-Match with the ETag of the bundle that this replaces');
    const before = await this.own(principal, signal);
    if (ifMatch.trim() !== etagOf(before.revision)) throw outdated();
    try {
      return await this.logins.replace(before, { ...before.login, bundle }, signal);
    } catch (error) {
      throw errorCode(error) === 'login-changed' ? outdated(error) : error;
    }
  }

  /** The public half of another user's. @throws DomainError `user-not-found`, `too-many-attempts` for who looks for names */
  async identityOf(name: string, principal: Principal, signal: AbortSignal): Promise<Uint8Array> {
    const parsed = parseUserName(name);
    const attempt = this.attempts.beginLookup(principal.owner);
    const found = await this.logins.find(parsed, signal);
    if (found === undefined) throw new DomainError('user-not-found', 'nobody has registered under this user name');
    this.attempts.succeeded(attempt);
    return found.login.bundle.identity;
  }
}

function outdated(cause?: unknown): DomainError {
  return new DomainError('precondition-failed', 'the bundle is another one than If-Match names: read it and try again', {
    cause,
  });
}
