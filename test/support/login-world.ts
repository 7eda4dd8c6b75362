/** The services of logins over documents in memory, and a client of theirs that does not harden its passwords. */
import type { IncomingMessage } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as opaque from '@serenity-kit/opaque';
import { ExchangeGuard } from '../../src/accounts/exchange-guard.js';
import { InvitationsService } from '../../src/accounts/invitations.service.js';
import { LoginAttempts } from '../../src/accounts/login-attempts.js';
import { LoginService } from '../../src/accounts/login.service.js';
import { Logins } from '../../src/accounts/logins.js';
import { OpaqueServer, type Factor } from '../../src/accounts/opaque-server.js';
import { PasswordService } from '../../src/accounts/password.service.js';
import { PendingExchanges } from '../../src/accounts/pending-exchanges.js';
import { RegistrationDoor } from '../../src/accounts/registration-door.js';
import { RegistrationService } from '../../src/accounts/registration.service.js';
import { SessionsService } from '../../src/accounts/sessions.service.js';
import { AccountDirectory } from '../../src/auth/account-directory.js';
import { newId, type ClusterId } from '../../src/common/ids.js';
import type { AppConfig } from '../../src/config/app-config.js';
import { LIMITS } from '../../src/config/limits.js';
import { createKeyRing } from '../../src/crypto/key-ring-file.js';
import { KeyRingHolder } from '../../src/crypto/key-ring.holder.js';
import { AccountLimits } from '../../src/http/account-limits.js';
import { MemoryDocumentStore } from './memory.document-store.js';
import { MEMORY_DISK } from './memory-disk.js';

const BUNDLE = { sealed: new Uint8Array(1), identity: new Uint8Array(1) };
const keyStretching = { 'argon2id-custom': { memory: 8, iterations: 1, parallelism: 1 } };
const identifiersOf = (name: string, factor: Factor): { client: string; server: string } => ({
  client: factor === 'password' ? name : `${name}#recovery`,
  server: 'dcloud/v1',
});

export class LoginWorld {
  readonly accounts: AccountDirectory;
  readonly logins: Logins;
  readonly sessions: SessionsService;
  readonly registrations: RegistrationService;
  readonly passwords: PasswordService;
  readonly login: LoginService;
  readonly request = { socket: { remoteAddress: '192.0.2.1' } } as unknown as IncomingMessage;
  private readonly signal = new AbortController().signal;

  private constructor(
    private readonly directory: string,
    readonly documents: MemoryDocumentStore,
    limits: Partial<typeof LIMITS>,
  ) {
    const config = { registration: 'open', limits: { ...LIMITS, ...limits } } as unknown as AppConfig;
    const [path, clusterId] = [join(directory, 'key-ring.json'), newId<ClusterId>()];
    createKeyRing(path, clusterId, Date.now());
    this.accounts = new AccountDirectory(config, documents, new AccountLimits());
    this.logins = new Logins(documents, this.accounts);
    this.sessions = new SessionsService(config, documents, this.accounts, this.logins);
    const server = new OpaqueServer(new KeyRingHolder(path, clusterId), this.logins);
    const guard = new ExchangeGuard(new LoginAttempts(config), new PendingExchanges(config));
    const invitations = new InvitationsService(config, documents, this.accounts, this.logins);
    const door = new RegistrationDoor(config, this.accounts, invitations);
    this.registrations = new RegistrationService(server, this.logins, door, guard);
    this.passwords = new PasswordService(server, this.logins, this.sessions, guard);
    this.login = new LoginService(server, this.logins, this.sessions, guard);
  }

  /** With an administrator, and open for everybody. */
  static async make(limits: Partial<typeof LIMITS> = {}, documents = new MemoryDocumentStore()): Promise<LoginWorld> {
    await opaque.ready;
    const world = new LoginWorld(await mkdtemp(join(MEMORY_DISK, 'logins-')), documents, limits);
    await world.accounts.createFirst('root', world.signal);
    return world;
  }

  async register(name: string, signal = this.signal): Promise<void> {
    const start = (): { clientRegistrationState: string; registrationRequest: string } =>
      opaque.client.startRegistration({ password: name });
    const [password, recovery] = [start(), start()];
    const requests = { registrationRequest: password.registrationRequest, recoveryRequest: recovery.registrationRequest };
    const answer = await this.registrations.start({ name, invitation: undefined, ...requests }, this.request, this.signal);
    const recordOf = (state: string, registrationResponse: string, factor: Factor): string =>
      this.record(name, { state, registrationResponse, factor, password: name });
    const finish = {
      registrationRecord: recordOf(password.clientRegistrationState, answer.registrationResponse, 'password'),
      recoveryRecord: recordOf(recovery.clientRegistrationState, answer.recoveryResponse, 'recovery'),
      bundle: BUNDLE,
    };
    await this.registrations.finish(answer.exchange, finish, signal);
  }

  /** A session, by a password that is the name. @param between the two halves */
  async logIn(name: string, between: () => Promise<unknown> = () => Promise.resolve()): ReturnType<LoginService['finish']> {
    const { clientLoginState, startLoginRequest } = opaque.client.startLogin({ password: name });
    const by = { request: this.request, signal: this.signal };
    const { exchange, loginResponse } = await this.login.start({ name, startLoginRequest }, 'password', by);
    const identifiers = identifiersOf(name, 'password');
    const proof = { clientLoginState, loginResponse, password: name, identifiers, keyStretching };
    const { finishLoginRequest } = opaque.client.finishLogin(proof)!;
    await between();
    return this.login.finish({ exchange, finishLoginRequest }, 'password', this.signal);
  }

  /** Changes a password that is the name, by one of its sessions. */
  async change(name: string, credentialId: string): Promise<void> {
    const asking = { principal: { credentialId } as Parameters<PasswordService['start']>[1]['principal'], signal: this.signal };
    const { clientLoginState, startLoginRequest } = opaque.client.startLogin({ password: name });
    const { clientRegistrationState: state, registrationRequest } = opaque.client.startRegistration({ password: 'new' });
    const wish = { startLoginRequest, registrationRequest, recoveryRequest: undefined };
    const { exchange, loginResponse, registrationResponse } = await this.passwords.start(wish, asking, this.request);
    const identifiers = identifiersOf(name, 'password');
    const proof = { clientLoginState, loginResponse: loginResponse!, password: name, identifiers, keyStretching };
    const { finishLoginRequest } = opaque.client.finishLogin(proof)!;
    const answered = { state, registrationResponse: registrationResponse!, factor: 'password', password: 'new' } as const;
    const change = { finishLoginRequest, registrationRecord: this.record(name, answered), recoveryRecord: undefined };
    await this.passwords.finish(exchange, { ...change, bundle: BUNDLE }, asking);
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true });
  }

  private record(
    name: string,
    answered: { state: string; registrationResponse: string; factor: Factor; password: string },
  ): string {
    const { state: clientRegistrationState, registrationResponse, factor, password } = answered;
    const identifiers = identifiersOf(name, factor);
    const finish = { clientRegistrationState, registrationResponse, password, identifiers, keyStretching };
    return opaque.client.finishRegistration(finish).registrationRecord;
  }
}
