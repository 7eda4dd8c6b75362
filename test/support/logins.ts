import { setTimeout as sleep } from 'node:timers/promises';
import { beginLogin, beginRegistration, type LoginFactor, type LoginSecret } from '../../src/sdk/opaque-login.js';
import { Client } from './client.js';

export interface BundleJson {
  readonly sealed: string;
  readonly identity: string;
}

export interface SessionJson {
  readonly session: string;
  readonly kind: string;
  readonly expiresAt: string;
  readonly name: string;
  readonly bundle: BundleJson;
  readonly bundleEtag: string;
}

export const BUNDLE: BundleJson = { sealed: 'c2VhbGVk', identity: 'aWRlbnRpdHk' };

/** The answer of a call that must not fail. */
export async function answerOf(call: Promise<Response>): Promise<Record<string, string>> {
  const response = await call;
  if (!response.ok) throw new Error(`it answered ${response.status}: ${await response.text()}`);
  const text = await response.text();
  return (text === '' ? {} : JSON.parse(text)) as Record<string, string>;
}

/** `200`, or the status and the code of a problem. */
export async function codeOf(call: Promise<Response>): Promise<string> {
  const response = await call;
  if (response.ok) return String(response.status);
  return `${response.status} ${((await response.json()) as { code: string }).code}`;
}

/** Somebody with a password, by way of the client's half of the SDK. */
export class Person {
  exportKey: Uint8Array | undefined;
  serverKey: string | undefined;
  private readonly anybody: Client;

  constructor(
    readonly url: string,
    readonly userName: string,
    public password: string,
    /** The recovery code; without one, registering takes half the time. */
    public code = '',
  ) {
    this.anybody = new Client(url);
  }

  secret(factor: LoginFactor, secret = factor === 'password' ? this.password : this.code): LoginSecret {
    return { userName: this.userName, factor, secret, serverKey: this.serverKey };
  }

  async register(invitation?: string, bundle = BUNDLE): Promise<void> {
    const finish = await this.beginRegistration(invitation);
    await answerOf(this.anybody.json('POST', '/auth/register/finish', { ...finish, bundle }));
  }

  async beginRegistration(invitation?: string): Promise<Record<string, string>> {
    const password = await beginRegistration(this.secret('password'));
    const recovery = await beginRegistration(this.secret('recovery'));
    const requests = { registrationRequest: password.registrationRequest, recoveryRequest: recovery.registrationRequest };
    const start = { name: this.userName, ...requests, ...(invitation !== undefined && { invitation }) };
    const answer = await answerOf(this.anybody.json('POST', '/auth/register/start', start));
    const registered = password.finish(answer['registrationResponse']!);
    this.exportKey = registered.exportKey;
    this.serverKey = registered.serverKey;
    const { registrationRecord } = registered;
    const recovered = this.code === '' ? registered : recovery.finish(answer['recoveryResponse']!);
    await settle();
    return { exchange: answer['exchange']!, registrationRecord, recoveryRecord: recovered.registrationRecord };
  }

  /** The begin of a login and what the second half has to send. */
  async beginLogin(factor: LoginFactor = 'password'): Promise<{ exchange: string; finishLoginRequest: string }> {
    const { startLoginRequest, finish } = await beginLogin(this.secret(factor));
    const start = { name: this.userName, startLoginRequest };
    const { exchange, loginResponse } = await answerOf(this.anybody.json('POST', `/auth/${WAYS[factor]}/start`, start));
    const proven = finish(loginResponse!);
    if (factor === 'password') this.exportKey = proven.exportKey;
    await settle();
    return { exchange: exchange!, finishLoginRequest: proven.finishLoginRequest };
  }

  async logIn(factor: LoginFactor = 'password'): Promise<{ readonly client: Client; readonly session: SessionJson }> {
    const finish = await this.beginLogin(factor);
    const answer = await answerOf(this.anybody.json('POST', `/auth/${WAYS[factor]}/finish`, finish));
    const session = answer as unknown as SessionJson;
    return { session, client: new Client(this.url, undefined, session.session) };
  }

  /** Changes the password, with the proof by the one of now if there is one. The answer of the second half. */
  async change(
    client: Client,
    password: string,
    more: { readonly isProven: boolean; readonly bundle?: BundleJson },
  ): Promise<Response> {
    const finish = await this.beginChange(client, password, more.isProven);
    const answer = await client.json('POST', '/auth/password/finish', { ...finish, bundle: more.bundle ?? BUNDLE });
    if (answer.ok) this.password = password;
    return answer;
  }

  async beginChange(client: Client, password: string, isProven: boolean): Promise<Record<string, string>> {
    const proof = isProven ? await beginLogin(this.secret('password')) : undefined;
    const next = await beginRegistration(this.secret('password', password));
    const start = { startLoginRequest: proof?.startLoginRequest, registrationRequest: next.registrationRequest };
    const answer = await answerOf(client.json('POST', '/auth/password/start', start));
    const proven = proof && { finishLoginRequest: proof.finish(answer['loginResponse']!).finishLoginRequest };
    const { registrationRecord } = next.finish(answer['registrationResponse']!);
    await settle();
    return { exchange: answer['exchange']!, registrationRecord, ...proven };
  }
}

/** Hardening a password keeps this thread busy for long: what the server closed meanwhile must be seen before the next request takes it. */
async function settle(): Promise<void> {
  await sleep(5);
}

const WAYS = { password: 'login', recovery: 'recover' } as const;
