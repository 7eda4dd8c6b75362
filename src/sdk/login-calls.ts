import { parseUserName, type UserName } from '../common/user-name.js';
import { fromBase64Url, toBase64Url, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import type { JsonObject } from './json-object.js';
import { beginLogin, type LoginFactor } from './opaque-login.js';
import type { Transport } from './transport.js';

const WAYS = { password: 'login', recovery: 'recover' } as const;

/** What an account's clients keep with its login: sealed, and shown to others. */
export interface AccountBundle {
  readonly sealed: Bytes;
  readonly identity: Bytes;
}

export interface KeptBundle extends AccountBundle {
  readonly etag: string;
}

export interface Credentials {
  readonly userName: UserName;
  readonly factor: LoginFactor;
  /** The password, or the recovery code as it is written. */
  readonly secret: string;
  readonly serverKey: string | undefined;
}

export interface BegunSession {
  /** The text to send. */
  readonly session: string;
  readonly bundle: KeptBundle;
  readonly exportKey: Bytes;
  readonly serverKey: string;
}

/** A user's name as it is compared. @throws SdkError `invalid-user-name` */
export function userNameOf(text: string): UserName {
  try {
    return parseUserName(text);
  } catch {
    throw new SdkError('invalid-user-name');
  }
}

/** Logs in by OPAQUE. @throws SdkError `wrong-key`, `server-changed`, `too-many-attempts` */
export async function proveAndLogIn(transport: Transport, who: Credentials, signal: AbortSignal): Promise<BegunSession> {
  const { startLoginRequest, finish } = await beginLogin(who);
  const path = `/auth/${WAYS[who.factor]}`;
  const start = { name: who.userName, startLoginRequest };
  // It leaves nothing but a number that is forgotten: it may be sent again.
  const begun = await transport.json({ method: 'POST', path: `${path}/start`, json: start, isRepeatable: true }, signal);
  const { finishLoginRequest, exportKey, serverKey } = finish(begun.body.text('loginResponse'));
  await afterHardening();
  const proof = { exchange: begun.body.text('exchange'), finishLoginRequest };
  const { body } = await transport.json({ method: 'POST', path: `${path}/finish`, json: proof }, signal);
  return {
    session: body.text('session'),
    bundle: bundleOf(body.object('bundle'), body.text('bundleEtag')),
    exportKey,
    serverKey,
  };
}

/** @throws SdkError `session-over` */
export async function fetchBundle(transport: Transport, signal: AbortSignal): Promise<KeptBundle> {
  const { body, etag } = await transport.json({ method: 'GET', path: '/auth/bundle' }, signal);
  return bundleOf(body, etag);
}

/** @returns the entity tag of the new one @throws SdkError `conflict` if it is not the one that was known any more */
export async function replaceBundle(
  transport: Transport,
  { bundle, etag }: { readonly bundle: AccountBundle; readonly etag: string },
  signal: AbortSignal,
): Promise<string> {
  const call = { method: 'PUT', path: '/auth/bundle', json: bundleJson(bundle), headers: { 'If-Match': etag } } as const;
  return requireEtag((await transport.json(call, signal)).etag);
}

export function bundleJson({ sealed, identity }: AccountBundle): { readonly sealed: string; readonly identity: string } {
  return { sealed: toBase64Url(sealed), identity: toBase64Url(identity) };
}

export function requireEtag(etag: string | undefined): string {
  if (etag === undefined) throw new SdkError('damaged');
  return etag;
}

/** Hardening keeps the thread busy for long: that the server closed an idle connection meanwhile must be seen before it is used again. */
export async function afterHardening(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
}

function bundleOf(body: JsonObject, etag: string | undefined): KeptBundle {
  const [sealed, identity] = [fromBase64Url(body.text('sealed')), fromBase64Url(body.text('identity'))];
  if (sealed === undefined || identity === undefined) throw new SdkError('damaged');
  return { sealed, identity, etag: requireEtag(etag) };
}
