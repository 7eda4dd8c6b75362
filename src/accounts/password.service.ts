import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import type { Principal } from '../http/principal.js';
import { ExchangeGuard } from './exchange-guard.js';
import type { Bundle, LoginRecord } from './login-record.js';
import { Logins, type StoredLogin } from './logins.js';
import { OpaqueServer } from './opaque-server.js';
import type { SessionRecord } from './session-record.js';
import { SessionsService } from './sessions.service.js';

export interface ChangeStart {
  /** The begin of a login by the password of now; not after a recovery. */
  readonly startLoginRequest: string | undefined;
  readonly registrationRequest: string | undefined;
  readonly recoveryRequest: string | undefined;
}

export interface ChangeAnswer {
  readonly exchange: string;
  readonly loginResponse: string | undefined;
  readonly registrationResponse: string | undefined;
  readonly recoveryResponse: string | undefined;
}

export interface ChangeFinish {
  readonly finishLoginRequest: string | undefined;
  readonly registrationRecord: string | undefined;
  readonly recoveryRecord: string | undefined;
  /** Sealed by the new password or code: it is kept together with it. */
  readonly bundle: Bundle;
}

interface Asking {
  readonly principal: Principal;
  readonly signal: AbortSignal;
}

/** Changes the password, the recovery code or both, and what is sealed by them, in one step; then ends all other sessions. */
@Injectable()
export class PasswordService {
  constructor(
    private readonly opaque: OpaqueServer,
    private readonly logins: Logins,
    private readonly sessions: SessionsService,
    private readonly guard: ExchangeGuard,
  ) {}

  async start(change: ChangeStart, { principal, signal }: Asking, request: IncomingMessage): Promise<ChangeAnswer> {
    const session = await this.sessions.require(principal, ['login', 'recovery'], signal);
    const { startLoginRequest, registrationRequest, recoveryRequest } = change;
    if (session.kind === 'login' && startLoginRequest === undefined)
      throw new DomainError('invalid-request', 'a change needs a login by the password of now: startLoginRequest');
    if (session.kind === 'recovery' && registrationRequest === undefined)
      throw new DomainError('invalid-request', 'after a recovery a new password is set: registrationRequest');
    const { userName: name } = session;
    const attempt = this.guard.attempts.begin(request, name);
    await this.opaque.ready(signal);
    const login = await this.loginOf(session, signal);
    const { password: registrationRecord } = login.login;
    const proof =
      startLoginRequest === undefined || session.kind === 'recovery'
        ? undefined
        : this.opaque.beginLogin({ name, factor: 'password', registrationRecord, startLoginRequest });
    const { id } = session;
    const serverLoginState = proof?.serverLoginState;
    return {
      registrationResponse: registrationRequest && this.opaque.beginRegistration(name, 'password', registrationRequest),
      recoveryResponse: recoveryRequest && this.opaque.beginRegistration(name, 'recovery', recoveryRequest),
      loginResponse: proof?.loginResponse,
      exchange: this.guard.pending.put({ kind: 'change', session: id, login, serverLoginState, attempt }),
    };
  }

  /** @throws DomainError `login-expired`, `login-failed`, `login-changed`, `invalid-login-message` */
  async finish(exchange: string, change: ChangeFinish, { principal, signal }: Asking): Promise<StoredLogin> {
    const session = await this.sessions.require(principal, ['login', 'recovery'], signal);
    const pending = this.guard.pending.take(exchange, 'change');
    if (pending.session !== session.id) throw new DomainError('login-expired', 'the exchange was begun by another session');
    this.assertProven(session, pending.serverLoginState, change.finishLoginRequest);
    const after = this.changed(pending.login, session, change);
    const stored = await this.replaced(pending.login, after, signal);
    await this.sessions.endOthers(session.accountId, after.keptSession, signal);
    this.guard.attempts.succeeded(pending.attempt);
    return stored;
  }

  /** What was broken off, or whose answer was lost, may be made all the same: no session goes on by what was known of before. */
  private async replaced(before: StoredLogin, after: LoginRecord, signal: AbortSignal): Promise<StoredLogin> {
    try {
      return await this.logins.replace(before, after, signal);
    } finally {
      this.sessions.judgeAllAnew();
    }
  }

  private assertProven(
    { userName, kind }: SessionRecord,
    state: string | undefined,
    finishLoginRequest: string | undefined,
  ): void {
    if (kind === 'recovery') return;
    const login = { name: userName, factor: 'password', serverLoginState: state ?? '' } as const;
    if (!this.opaque.isProven(login, finishLoginRequest ?? '')) throw new DomainError('login-failed', 'the password is wrong');
  }

  private changed({ name, login }: StoredLogin, session: SessionRecord, change: ChangeFinish): LoginRecord {
    const { registrationRecord, recoveryRecord, bundle } = change;
    if (registrationRecord === undefined && (recoveryRecord === undefined || session.kind === 'recovery'))
      throw new DomainError('invalid-request', 'there is no new registration record');
    if (registrationRecord !== undefined) this.opaque.checkRecord(name, 'password', registrationRecord);
    if (recoveryRecord !== undefined) this.opaque.checkRecord(name, 'recovery', recoveryRecord);
    return {
      ...login,
      setup: this.opaque.fingerprint(),
      password: registrationRecord ?? login.password,
      recovery: recoveryRecord ?? login.recovery,
      epoch: login.epoch + 1,
      // Who recovered logs in with the new password; who knew the old one goes on.
      keptSession: session.kind === 'login' ? session.id : undefined,
      bundle,
    };
  }

  private async loginOf({ userName, accountId }: SessionRecord, signal: AbortSignal): Promise<StoredLogin> {
    const login = await this.logins.find(userName, signal);
    if (login?.login.account !== accountId) throw new DomainError('login-changed', 'the login is not there any more');
    return login;
  }
}
