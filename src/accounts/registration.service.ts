import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { FileId } from '../common/ids.js';
import { parseUserName, type UserName } from '../common/user-name.js';
import { ExchangeGuard } from './exchange-guard.js';
import type { Bundle } from './login-record.js';
import { Logins } from './logins.js';
import { OpaqueServer } from './opaque-server.js';
import { RegistrationDoor } from './registration-door.js';

/** Time to take an account away again. The request's own signal is of no use then: it may be why. */
const UNDO_MS = 10_000;

export interface RegistrationStart {
  readonly name: string;
  readonly invitation: string | undefined;
  readonly registrationRequest: string;
  readonly recoveryRequest: string;
}

export interface RegistrationFinish {
  readonly registrationRecord: string;
  readonly recoveryRecord: string;
  readonly bundle: Bundle;
}

export interface RegistrationAnswer {
  readonly exchange: string;
  readonly name: UserName;
  /** What the client seals is sealed for this account alone. */
  readonly account: FileId;
  readonly registrationResponse: string;
  readonly recoveryResponse: string;
}

/** Gives an account a password and a recovery code. Nothing is kept before the second half of the exchange, and then all of it at once. */
@Injectable()
export class RegistrationService {
  constructor(
    private readonly opaque: OpaqueServer,
    private readonly logins: Logins,
    private readonly door: RegistrationDoor,
    private readonly guard: ExchangeGuard,
  ) {}

  /** Whether the name is taken is only told to who may register. */
  async start(start: RegistrationStart, request: IncomingMessage, signal: AbortSignal): Promise<RegistrationAnswer> {
    const name = parseUserName(start.name);
    const attempt = this.guard.attempts.begin(request, name);
    await this.opaque.ready(signal);
    const registrationResponse = this.opaque.beginRegistration(name, 'password', start.registrationRequest);
    const recoveryResponse = this.opaque.beginRegistration(name, 'recovery', start.recoveryRequest);
    const { invitation } = start;
    const account = await this.door.check(name, invitation, signal);
    const exchange = this.guard.pending.put({ kind: 'registration', name, account, invitation, attempt });
    return { exchange, name, account, registrationResponse, recoveryResponse };
  }

  /** @throws DomainError `login-expired`, `registration-refused`, `user-name-taken`, `invalid-login-message` */
  async finish(exchange: string, finish: RegistrationFinish, signal: AbortSignal): Promise<void> {
    const { name, account, invitation, attempt } = this.guard.pending.take(exchange, 'registration');
    const { registrationRecord, recoveryRecord, bundle } = finish;
    this.opaque.checkRecord(name, 'password', registrationRecord);
    this.opaque.checkRecord(name, 'recovery', recoveryRecord);
    const { done, undo } = await this.door.admit({ name, accountId: account, invitation }, signal);
    const login = {
      account,
      setup: this.opaque.fingerprint(),
      password: registrationRecord,
      recovery: recoveryRecord,
      epoch: 0,
      keptSession: undefined,
      bundle,
    };
    try {
      await this.logins.create(name, login, signal);
    } catch (error) {
      await undo(AbortSignal.timeout(UNDO_MS));
      throw error;
    }
    await done(signal);
    // Without an invitation it goes on counting: nothing else bounds how many accounts somebody makes.
    if (invitation !== undefined) this.guard.attempts.succeeded(attempt);
  }
}
