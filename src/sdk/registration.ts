import { newMasterKey, type MasterKey } from './account-keys.js';
import { sealAccount } from './account-seal.js';
import type { Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { makeBundle } from './identity-bundle.js';
import { identityOf, newIdentitySeeds } from './identity.js';
import { afterHardening, bundleJson, type AccountBundle } from './login-calls.js';
import { wrapAnew, type NewUnlocks } from './login-change.js';
import { beginRegistration } from './opaque-login.js';
import { formatRecoveryCode } from './recovery-code.js';
import type { Transport } from './transport.js';
import { NO_HASH } from './succession.js';
import type { UserName } from '../common/user-name.js';

export interface Registration {
  readonly userName: UserName;
  readonly password: string;
  readonly invitation: string | undefined;
  readonly code: Bytes;
}

/**
 * Makes an account's keys and registers for it. Password, recovery code and keys come to be in one step on the server: before it there is nothing,
 * and after it the password opens everything, whatever becomes of this client.
 * @returns the key of the server, by which it is known from now on
 * @throws SdkError `registration-refused`, `user-name-taken`
 */
export async function registerAccount(transport: Transport, registration: Registration, signal: AbortSignal): Promise<string> {
  const { userName, invitation, code } = registration;
  const secret = { userName, serverKey: undefined };
  const password = await beginRegistration({ ...secret, factor: 'password', secret: registration.password });
  const recovery = await beginRegistration({ ...secret, factor: 'recovery', secret: formatRecoveryCode(code) });
  const requests = { registrationRequest: password.registrationRequest, recoveryRequest: recovery.registrationRequest };
  const start = { name: userName, ...requests, ...(invitation !== undefined && { invitation }) };
  const begun = await transport.json({ method: 'POST', path: '/auth/register/start', json: start, isRepeatable: true }, signal);
  const { body } = begun;
  const registered = password.finish(body.text('registrationResponse'));
  const recovered = recovery.finish(body.text('recoveryResponse'));
  if (registered.serverKey !== recovered.serverKey) throw new SdkError('server-changed');
  await afterHardening();
  const unlocks = { passwordExport: registered.exportKey, code };
  const bundle = await firstBundle(newMasterKey(body.id('account')), userName, unlocks);
  const records = { registrationRecord: registered.registrationRecord, recoveryRecord: recovered.registrationRecord };
  const json = { exchange: body.text('exchange'), ...records, bundle: bundleJson(bundle) };
  try {
    await transport.json({ method: 'POST', path: '/auth/register/finish', json }, signal);
  } catch (error) {
    // Whoever logs in next finds out.
    if (!(error instanceof SdkError) || error.kind !== 'in-doubt') throw error;
  }
  return registered.serverKey;
}

async function firstBundle(master: MasterKey, userName: UserName, unlocks: NewUnlocks): Promise<AccountBundle> {
  const seeds = newIdentitySeeds();
  const identity = await makeBundle(await identityOf(seeds, { accountId: master.accountId, version: 1 }), userName);
  const wraps = await wrapAnew(master, unlocks, undefined);
  const content = { master, wraps, seeds, identityVersion: 1, revision: 1, previousHash: NO_HASH };
  return { sealed: await sealAccount(content, identity), identity };
}
