import { beforeEach, describe, expect, it, jest, afterEach } from '@jest/globals';
import { MemoryDocumentStore } from '../../test/support/memory.document-store.js';
import { AccountDirectory } from '../auth/account-directory.js';
import type { Credential } from '../auth/credential-source.js';
import { hashOf, parseCredential } from '../auth/token.js';
import type { FileId } from '../common/ids.js';
import type { UserName } from '../common/user-name.js';
import type { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { AccountLimits } from '../http/account-limits.js';
import { Logins, type StoredLogin } from './logins.js';
import { SessionsService } from './sessions.service.js';

const HOUR_MS = 3_600_000;
const { signal } = new AbortController();
const config = { limits: { ...LIMITS, account_sessions_max: 3 } } as unknown as AppConfig;
const NAME = 'ada' as UserName;

let documents: MemoryDocumentStore;
let accounts: AccountDirectory;
let logins: Logins;
let sessions: SessionsService;
let stored: StoredLogin;

/** The sessions of a process that starts now. */
async function start(): Promise<void> {
  accounts = new AccountDirectory(config, documents, new AccountLimits());
  await accounts.load(signal);
  logins = new Logins(documents, accounts);
  sessions = new SessionsService(config, documents, accounts, logins);
}

async function begin(kind: 'login' | 'recovery' = 'login'): Promise<{ id: FileId; text: string }> {
  const { session, text } = await sessions.begin(stored, kind, signal);
  return { id: session.id, text };
}

/** As the authenticator asks. */
async function ask(id: FileId): Promise<Credential | undefined> {
  const credential = sessions.known(id) ?? (await sessions.find(id, signal));
  if (credential !== undefined && credential.expiresAt > Date.now()) sessions.accepted(id, credential);
  return credential;
}

async function isOn(id: FileId): Promise<boolean> {
  const credential = await ask(id);
  return credential !== undefined && credential.expiresAt > Date.now();
}

async function changePassword(keptSession?: FileId): Promise<void> {
  stored = await logins.replace(stored, { ...stored.login, epoch: stored.login.epoch + 1, keptSession }, signal);
}

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'], now: Date.UTC(2026, 10, 25) });
  documents = new MemoryDocumentStore();
  await start();
  const { id } = await accounts.createFirst('ada', signal);
  const login = {
    account: id,
    setup: new Uint8Array(8),
    password: 'AAAA',
    recovery: 'AAAA',
    epoch: 0,
    keptSession: undefined,
    bundle: { sealed: new Uint8Array(1), identity: new Uint8Array(1) },
  };
  stored = await logins.create(NAME, login, signal);
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a session', () => {
  it('is known by its secret, of which only the hash is kept', async () => {
    const { id, text } = await begin();
    const { secret } = parseCredential(text)!;
    const credential = await ask(id);
    expect(Buffer.from(credential!.hash).equals(hashOf(secret))).toBe(true);
    expect(credential!.principal).toMatchObject({ name: 'ada', prefix: '', credentialId: id, owner: 'store' });
    expect([...credential!.principal.scopes]).toEqual(['read', 'write', 'admin']);
    const { documents: kept } = await documents.list('sessions', { prefix: '', limit: 10 }, signal);
    expect(kept.map(({ bytes }) => Buffer.from(bytes).toString()).join()).not.toContain(secret);
  });

  it('is over when it was not used for an hour, also after it was asked for then', async () => {
    const { id } = await begin();
    for (let hour = 0; hour < 5; hour += 1) {
      expect(await isOn(id)).toBe(true);
      jest.setSystemTime(Date.now() + HOUR_MS - 1);
    }
    expect(await isOn(id)).toBe(true);
    jest.setSystemTime(Date.now() + HOUR_MS);
    expect(await isOn(id)).toBe(false);
    expect(await isOn(id)).toBe(false);
    await start();
    expect(await isOn(id)).toBe(false);
  });

  it('is over after twelve hours, however much it is used', async () => {
    const { id } = await begin();
    for (let half = 0; half < 24; half += 1) {
      expect(await isOn(id)).toBe(true);
      jest.setSystemTime(Date.now() + HOUR_MS / 2);
    }
    expect(await isOn(id)).toBe(false);
  });

  it('of a recovery opens nothing and is short', async () => {
    const { id } = await begin('recovery');
    expect((await ask(id))!.principal.scopes.size).toBe(0);
    jest.setSystemTime(Date.now() + HOUR_MS);
    expect(await isOn(id)).toBe(false);
  });

  it('outlives a restart', async () => {
    const { id } = await begin();
    await start();
    expect(await isOn(id)).toBe(true);
  });

  it('ends at once, and for its own account only', async () => {
    const [one, two] = [await begin(), await begin()];
    expect([await isOn(one.id), await isOn(two.id)]).toEqual([true, true]);
    await expect(sessions.end('01920000-0000-7000-8000-000000000001' as FileId, one.id, signal)).rejects.toMatchObject({
      code: 'session-not-found',
    });
    await sessions.end(stored.login.account, one.id, signal);
    expect([await isOn(one.id), await isOn(two.id)]).toEqual([false, true]);
  });

  it('that ends while it is looked up is not taken in', async () => {
    const { id } = await begin();
    const credential = (await sessions.find(id, signal))!;
    await sessions.end(stored.login.account, id, signal);
    sessions.accepted(id, credential);
    expect(sessions.known(id)).toBeUndefined();
    expect(await isOn(id)).toBe(false);
  });

  it('ends with the password, but the one that changed it; also if the process died right after the change', async () => {
    const [own, other] = [await begin(), await begin()];
    expect([await isOn(own.id), await isOn(other.id)]).toEqual([true, true]);
    await changePassword(own.id);
    await start();
    expect([await isOn(own.id), await isOn(other.id)]).toEqual([true, false]);
    await sessions.endOthers(stored.login.account, own.id, signal);
    expect((await sessions.list(stored.login.account, signal)).map(({ session }) => session.id)).toEqual([own.id]);
    await changePassword();
    await sessions.endOthers(stored.login.account, undefined, signal);
    expect(await isOn(own.id)).toBe(false);
  });

  it('does not begin by a login that was changed meanwhile', async () => {
    const before = stored;
    await changePassword();
    await expect(sessions.begin(before, 'login', signal)).rejects.toMatchObject({ code: 'login-changed' });
    expect(await sessions.list(stored.login.account, signal)).toEqual([]);
  });

  it('gives way to newer ones when there are too many', async () => {
    const all = [];
    for (let count = 0; count < 5; count += 1) {
      all.push(await begin());
      jest.setSystemTime(Date.now() + 1);
    }
    const on = [];
    for (const { id } of all) on.push(await isOn(id));
    expect(on).toEqual([false, false, true, true, true]);
  });

  it('follows what its account may do', async () => {
    const { id } = await begin();
    expect(await isOn(id)).toBe(true);
    const second = await accounts.create({ name: 'eve', role: 'admin', quota: { bytes: null, files: null } }, signal);
    expect(second.role).toBe('admin');
    await accounts.change(stored.login.account, { role: 'user' }, signal);
    expect([...(await ask(id))!.principal.scopes]).toEqual(['read', 'write']);
    await accounts.change(stored.login.account, { isDisabled: true }, signal);
    expect(await isOn(id)).toBe(false);
    await expect(begin()).rejects.toMatchObject({ code: 'forbidden' });
  });
});
