import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { parseUserName } from '../common/user-name.js';
import { ExchangeGuard } from './exchange-guard.js';
import { Logins, type StoredLogin } from './logins.js';
import { type Factor, OpaqueServer } from './opaque-server.js';
import type { SessionRecord } from './session-record.js';
import { SessionsService } from './sessions.service.js';

export interface LoginAnswer {
  readonly exchange: string;
  readonly loginResponse: string;
}

export interface LoginResult {
  readonly session: SessionRecord;
  /** The session's text, for the client alone. */
  readonly text: string;
  readonly stored: StoredLogin;
}

/** Logs in by the password; by the recovery code in the same way, to no more than setting a new password. */
@Injectable()
export class LoginService {
  constructor(
    private readonly opaque: OpaqueServer,
    private readonly logins: Logins,
    private readonly sessions: SessionsService,
    private readonly guard: ExchangeGuard,
  ) {}

  /** For who does not exist as for who does. @throws DomainError `invalid-login-message`, `too-many-attempts` */
  async start(
    { name: given, startLoginRequest }: { readonly name: string; readonly startLoginRequest: string },
    factor: Factor,
    { request, signal }: { readonly request: IncomingMessage; readonly signal: AbortSignal },
  ): Promise<LoginAnswer> {
    const name = parseUserName(given);
    const attempt = this.guard.attempts.begin(request, name);
    await this.opaque.ready(signal);
    const login = await this.logins.find(name, signal);
    if (login !== undefined) this.opaque.assertSetup(login.login.setup);
    const registrationRecord = login?.login[factor];
    const { loginResponse, serverLoginState } = this.opaque.beginLogin({ name, factor, registrationRecord, startLoginRequest });
    const of = login && { account: login.login.account, epoch: login.login.epoch };
    return { exchange: this.guard.pending.put({ kind: factor, name, of, serverLoginState, attempt }), loginResponse };
  }

  /** @throws DomainError `login-expired`, `login-failed`, `login-changed` */
  async finish(
    { exchange, finishLoginRequest }: { readonly exchange: string; readonly finishLoginRequest: string },
    factor: Factor,
    signal: AbortSignal,
  ): Promise<LoginResult> {
    const { name, of, serverLoginState, attempt } = this.guard.pending.take(exchange, factor);
    const isProven = this.opaque.isProven({ name, factor, serverLoginState }, finishLoginRequest);
    if (!isProven || of === undefined) throw new DomainError('login-failed', FAILED[factor]);
    // Read anew, for the bundle may be another one by now; of another epoch it is not what was proved.
    const login = await this.logins.find(name, signal);
    if (login?.login.account !== of.account || login.login.epoch !== of.epoch)
      throw new DomainError('login-changed', 'the password was changed in the meantime: log in again');
    const { session, text } = await this.sessions.begin(login, factor === 'password' ? 'login' : 'recovery', signal);
    this.guard.attempts.succeeded(attempt);
    return { session, text, stored: login };
  }
}

const FAILED: Readonly<Record<Factor, string>> = {
  password: 'the user name or the password is wrong',
  recovery: 'the user name or the recovery code is wrong',
};
