import { passwordKey, recoveryKey, wrapMasterKey, type MasterKey, type Unlock } from './account-keys.js';
import type { Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { afterHardening, bundleJson, type AccountBundle } from './login-calls.js';
import type { JsonObject } from './json-object.js';
import {
  beginLogin,
  beginRegistration,
  type BegunLogin,
  type BegunRegistration,
  type LoginFactor,
  type LoginSecret,
  type ProvenLogin,
  type RegisteredLogin,
} from './opaque-login.js';
import { formatRecoveryCode } from './recovery-code.js';
import type { Answer, Transport } from './transport.js';
import type { UserName } from '../common/user-name.js';

/** What is proved and what is made anew; one of the new ones at least. */
export interface LoginChange {
  readonly userName: UserName;
  readonly serverKey: string | undefined;
  /** Of now; absent after a recovery, which was the proof. */
  readonly password: string | undefined;
  readonly newPassword: string | undefined;
  readonly newCode: Bytes | undefined;
}

/** How the master key is wrapped from now on; absent: by the password of before, whose key it is then. */
export interface NewUnlocks {
  /** The key by the password that counts from now on. */
  readonly passwordExport: Bytes | undefined;
  readonly code: Bytes | undefined;
}

/** What is to be sent in the second half. */
export interface ReadyChange extends NewUnlocks {
  /** @throws SdkError `in-doubt` if the answer was lost, `conflict` if the login or the bundle was changed since the first half */
  readonly finish: (bundle: AccountBundle, signal: AbortSignal) => Promise<Answer>;
}

/**
 * The first half of a change of the password, the recovery code or both. What is read between the halves is what the second one replaces: the
 * server refuses it if somebody else was faster.
 * @throws SdkError `wrong-key` if the password is wrong, `too-many-attempts`
 */
export async function beginLoginChange(transport: Transport, change: LoginChange, signal: AbortSignal): Promise<ReadyChange> {
  const halves = await firstHalves(change);
  const json = {
    startLoginRequest: halves.proof?.startLoginRequest,
    registrationRequest: halves.next?.registrationRequest,
    recoveryRequest: halves.code?.registrationRequest,
  };
  const { body } = await transport.json({ method: 'POST', path: '/auth/password/start', json, isRepeatable: true }, signal);
  const { proven, registered, recovered } = secondHalves(halves, body);
  await afterHardening();
  const sent = {
    exchange: body.text('exchange'),
    finishLoginRequest: proven?.finishLoginRequest,
    registrationRecord: registered?.registrationRecord,
    recoveryRecord: recovered?.registrationRecord,
  };
  return {
    passwordExport: (registered ?? proven)?.exportKey,
    code: change.newCode,
    finish: (bundle, until) =>
      transport.json({ method: 'POST', path: '/auth/password/finish', json: { ...sent, bundle: bundleJson(bundle) } }, until),
  };
}

interface FirstHalves {
  readonly proof: BegunLogin | undefined;
  readonly next: BegunRegistration | undefined;
  readonly code: BegunRegistration | undefined;
}

async function firstHalves({ password, newPassword, newCode, ...who }: LoginChange): Promise<FirstHalves> {
  const secretOf = (factor: LoginFactor, secret: string): LoginSecret => ({ ...who, factor, secret });
  return {
    proof: password === undefined ? undefined : await beginLogin(secretOf('password', password)),
    next: newPassword === undefined ? undefined : await beginRegistration(secretOf('password', newPassword)),
    code: newCode && (await beginRegistration(secretOf('recovery', formatRecoveryCode(newCode)))),
  };
}

function secondHalves(
  { proof, next, code }: FirstHalves,
  answer: JsonObject,
): {
  readonly proven: ProvenLogin | undefined;
  readonly registered: RegisteredLogin | undefined;
  readonly recovered: RegisteredLogin | undefined;
} {
  return {
    proven: proof?.finish(answer.text('loginResponse')),
    registered: next?.finish(answer.text('registrationResponse')),
    recovered: code?.finish(answer.text('recoveryResponse')),
  };
}

/** The wraps of a master key, as far as they change. */
export async function wrapAnew(
  master: MasterKey,
  { passwordExport, code }: NewUnlocks,
  before: Readonly<Record<Unlock, Bytes>> | undefined,
): Promise<Readonly<Record<Unlock, Bytes>>> {
  const { accountId } = master;
  const password = passwordExport && (await wrapMasterKey(master, 'password', await passwordKey(passwordExport, accountId)));
  const recovery = code && (await wrapMasterKey(master, 'recovery', await recoveryKey(code, accountId)));
  const wraps = { password: password ?? before?.password, recovery: recovery ?? before?.recovery };
  if (wraps.password === undefined || wraps.recovery === undefined) throw new SdkError('wrong-key');
  return { password: wraps.password, recovery: wraps.recovery };
}
