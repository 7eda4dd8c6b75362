import { beforeAll, describe, expect, it } from '@jest/globals';
import * as opaque from '@serenity-kit/opaque';
import { beginLogin, beginRegistration, type LoginFactor, type LoginSecret } from './opaque-login.js';

/** The server's half as the server has it, for one user. */
class Server {
  readonly setup = opaque.server.createSetup();
  readonly records = new Map<string, string>();

  register(identifier: string, registrationRequest: string): string {
    return opaque.server.createRegistrationResponse({
      serverSetup: this.setup,
      userIdentifier: identifier,
      registrationRequest,
    }).registrationResponse;
  }

  login(identifier: string, startLoginRequest: string): { loginResponse: string; finish: (request: string) => string } {
    return this.answer({ identifier, startLoginRequest, identifiers: { client: identifier, server: 'dcloud/v1' } });
  }

  /** As a server that lies may do it: with any identifiers, or none. */
  answer(lie: { identifier: string; startLoginRequest: string; identifiers?: { client: string; server: string } }): {
    loginResponse: string;
    finish: (request: string) => string;
  } {
    const { identifier, startLoginRequest, identifiers } = lie;
    const { loginResponse, serverLoginState } = opaque.server.startLogin({
      serverSetup: this.setup,
      userIdentifier: identifier,
      registrationRecord: this.records.get(identifier),
      startLoginRequest,
      ...(identifiers && { identifiers }),
    });
    const finish = (finishLoginRequest: string): string =>
      opaque.server.finishLogin({ serverLoginState, finishLoginRequest, ...(identifiers && { identifiers }) }).sessionKey;
    return { loginResponse, finish };
  }
}

const PASSWORD = 'correct horse battery staple';
const secret = (factor: LoginFactor = 'password', more: Partial<LoginSecret> = {}): LoginSecret => ({
  userName: 'Alice',
  factor,
  secret: PASSWORD,
  serverKey: undefined,
  ...more,
});

describe('the client’s half of a login', () => {
  let server: Server;
  let serverKey: string;
  let exportKey: Uint8Array;

  beforeAll(async () => {
    await opaque.ready;
    server = new Server();
    const { registrationRequest, finish } = await beginRegistration(secret());
    const registered = finish(server.register('alice', registrationRequest));
    server.records.set('alice', registered.registrationRecord);
    ({ serverKey, exportKey } = registered);
  });

  async function logIn(login: LoginSecret, at = server, identifier = 'alice'): Promise<Uint8Array> {
    const { startLoginRequest, finish } = await beginLogin(login);
    const { loginResponse, finish: finishAtServer } = at.login(identifier, startLoginRequest);
    const proven = finish(loginResponse);
    finishAtServer(proven.finishLoginRequest);
    return proven.exportKey;
  }

  it('gives the same key at each login, however the password was typed, and the server accepts the proof', async () => {
    expect(exportKey).toHaveLength(64);
    expect(await logIn(secret('password', { serverKey }))).toEqual(exportKey);
    const typed = { userName: 'ALICE', secret: PASSWORD.replace('c', 'ｃ') };
    expect(await logIn(secret('password', typed))).toEqual(exportKey);
    expect(serverKey).toBe(opaque.server.getPublicKey(server.setup));
  });

  it('tells a wrong password and an account that is not there by one and the same error', async () => {
    await expect(logIn(secret('password', { secret: 'wrong' }))).rejects.toMatchObject({ kind: 'wrong-key' });
    await expect(logIn(secret('password', { userName: 'bob' }), server, 'bob')).rejects.toMatchObject({ kind: 'wrong-key' });
  });

  // Attack 6 of CRYPTO.md; red without assertServer.
  it('does not go on with another server than that of the registration, even if that one knows a record', async () => {
    const other = new Server();
    const { registrationRequest, finish } = await beginRegistration(secret());
    other.records.set('alice', finish(other.register('alice', registrationRequest)).registrationRecord);
    await expect(logIn(secret('password', { serverKey }), other)).rejects.toMatchObject({ kind: 'server-changed' });
    // A new password is not given to it either.
    const change = await beginRegistration(secret('password', { serverKey }));
    expect(() => change.finish(other.register('alice', change.registrationRequest))).toThrow(
      expect.objectContaining({ kind: 'server-changed' }),
    );
  });

  // Attack 4; red without assertCost.
  it.each([
    { memoryKib: 65_535, iterations: 3, parallelism: 1 },
    { memoryKib: 65_536, iterations: 2, parallelism: 1 },
    { memoryKib: 65_536, iterations: 3, parallelism: 0 },
    { memoryKib: Number.NaN, iterations: 3, parallelism: 1 },
  ])('refuses to harden with less than the least: %j', async (cost) => {
    await expect(beginLogin(secret('password', { cost }))).rejects.toMatchObject({ kind: 'weak-password-cost' });
    await expect(beginRegistration(secret('password', { cost }))).rejects.toMatchObject({ kind: 'weak-password-cost' });
  });

  it('hardens with the cost that it is given', async () => {
    const cost = { memoryKib: 65_536, iterations: 4, parallelism: 1 };
    await expect(logIn(secret('password', { cost }))).rejects.toMatchObject({ kind: 'wrong-key' });
  });

  // Attack 1; red without the identifiers.
  it('does not take the record of the password for that of the recovery code, nor one user for another', async () => {
    const lies = [undefined, 'alice', 'alice#recovery', 'bob'].map((client) => client && { client, server: 'dcloud/v1' });
    for (const login of [secret('recovery'), secret('password', { userName: 'bob' })]) {
      for (const identifiers of lies) {
        const { startLoginRequest, finish } = await beginLogin(login);
        const lie = { identifier: 'alice', startLoginRequest, ...(identifiers && { identifiers }) };
        const { loginResponse } = server.answer(lie);
        expect(() => finish(loginResponse)).toThrow(expect.objectContaining({ kind: 'wrong-key' }));
      }
    }
  });

  it('takes an answer that is none for damaged, and says no more', async () => {
    const login = await beginLogin(secret());
    const registration = await beginRegistration(secret());
    for (const answer of ['', '!', 'AAAA', server.setup]) {
      expect(() => login.finish(answer)).toThrow(expect.objectContaining({ kind: 'damaged' }));
      expect(() => registration.finish(answer)).toThrow(expect.objectContaining({ kind: 'damaged' }));
    }
  });
});
