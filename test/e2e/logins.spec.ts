import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { beginLogin } from '../../src/sdk/opaque-login.js';
import { addAccount, initAdmin } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { answerOf, BUNDLE, codeOf, Person, type SessionJson } from '../support/logins.js';
import { runCli } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';

const PASSWORD = 'a password nobody else has: quokka-71';
const GUESSES = 5;
const GENEROUS = { failed_attempts_max: 1000, login_attempts_max: 1000 };
const CODE = 'recovery-code-of-ada-0123456789abcdef';

let server: TestServer;
let admin: Client;
let anybody: Client;
let ada: Person;

async function invite(account: string): Promise<string> {
  return (await answerOf(admin.json('POST', '/auth/invitations', { account })))['invitation']!;
}

async function accountOf(name: string): Promise<string> {
  const { items } = (await (await admin.call('/accounts')).json()) as { items: { id: string; name: string }[] };
  return items.find((account) => account.name === name)!.id;
}

/** Somebody new, who has registered. */
async function newPerson(name: string, code?: string): Promise<Person> {
  const person = new Person(server.url, name, `${PASSWORD} of ${name}`, code);
  await person.register(await invite(await addAccount(admin, { name })));
  return person;
}

/** Everything that the server keeps and says, as text. */
async function everything(): Promise<string> {
  const entries = await readdir(server.directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return [server.logs(), ...(await Promise.all(files.map((file) => readFile(file, 'latin1'))))].join('\n');
}

/** A secret in the forms in which it could have been written. */
function forms(secret: string | Uint8Array): string[] {
  const bytes = Buffer.from(secret as string);
  return [
    bytes.toString('latin1'),
    bytes.toString('hex'),
    bytes.toString('base64').slice(0, -4),
    bytes.toString('base64url').slice(0, -4),
  ];
}

beforeAll(async () => {
  server = await TestServer.start({ config: { log_level: 'trace', limits: GENEROUS } });
  anybody = new Client(server.url);
});

afterAll(async () => {
  await server.remove();
});

describe('registering', () => {
  it('is not possible before there is an administrator', async () => {
    const eve = new Person(server.url, 'eve', 'x');
    await expect(eve.beginRegistration()).rejects.toThrow('registration-refused');
    admin = new Client(server.url, undefined, await initAdmin(server.url, server.storage));
    await expect(eve.beginRegistration()).rejects.toThrow('registration-refused');
  });

  it('takes an invitation, which is good for one account and once', async () => {
    const adaId = await addAccount(admin, { name: 'ada' });
    await addAccount(admin, { name: 'eve' });
    const invitation = await invite(adaId);
    ada = new Person(server.url, 'Ada', PASSWORD, CODE);
    const eve = new Person(server.url, 'eve', 'x');
    for (const wrong of [undefined, 'dci_x', `${invitation.slice(0, -2)}AA`, invitation.replace('dci', 'dct')])
      await expect(ada.beginRegistration(wrong)).rejects.toThrow('registration-refused');
    await expect(eve.beginRegistration(invitation)).rejects.toThrow('registration-refused');
    await ada.register(invitation);
    await expect(ada.beginRegistration(invitation)).rejects.toThrow('registration-refused');
    expect(await codeOf(admin.json('POST', '/auth/invitations', { account: adaId }))).toBe('409 user-name-taken');
    expect(await codeOf(anybody.json('POST', '/auth/invitations', { account: adaId }))).toBe('401 unauthenticated');
  });

  it('leaves nothing if the second half never comes, and is there once if it comes twice', async () => {
    const account = await addAccount(admin, { name: 'bob' });
    const [one, two] = [await invite(account), await invite(account)];
    const bob = new Person(server.url, 'bob', 'first');
    await bob.beginRegistration(one);
    const mallory = new Person(server.url, 'bob', 'second');
    const finishes = [await bob.beginRegistration(one), await mallory.beginRegistration(two)];
    const codes = await Promise.all(
      finishes.map((finish) => codeOf(anybody.json('POST', '/auth/register/finish', { ...finish, bundle: BUNDLE }))),
    );
    expect(codes.toSorted()).toEqual(['204', '409 user-name-taken']);
    const again = anybody.json('POST', '/auth/register/finish', { ...finishes[0], bundle: BUNDLE });
    expect(await codeOf(again)).toBe('400 login-expired');
    const winner = codes[0] === '204' ? bob : mallory;
    expect((await winner.logIn()).session.name).toBe('bob');
  });

  it('makes the login setup in the key ring, and shows that it is there', async () => {
    const { stdout } = await runCli(['keys', 'show', '--config', server.configFile]);
    expect(stdout).toContain('login setup (of all accounts)');
    const ring = JSON.parse(await readFile(join(server.storage, 'key-ring.json'), 'utf8')) as { login: { setup: string } };
    expect(ring.login.setup).toHaveLength(172);
    expect(stdout).not.toContain(ring.login.setup.slice(0, 10));
  });
});

describe('logging in', () => {
  let session: SessionJson;
  let client: Client;

  it('gives a session and the bundle, and the same key as the registration', async () => {
    const before = ada.exportKey!;
    ({ session, client } = await ada.logIn());
    expect(Buffer.from(ada.exportKey!).equals(before)).toBe(true);
    expect(session).toMatchObject({ kind: 'login', name: 'ada', bundle: BUNDLE });
    expect(session.session).toMatch(/^dcs_[0-9a-f]{32}_[\w-]{43}$/);
    expect(await (await client.call('/whoami')).json()).toMatchObject({ name: 'ada', scopes: ['read', 'write'] });
    await client.put('of ada', 'hello');
    expect((await client.list()).items).toHaveLength(1);
    expect(await codeOf(client.call('/accounts'))).toBe('403 forbidden');
    expect(await codeOf(client.json('POST', '/auth/invitations', { account: '01920000-0000-7000-8000-00000000ffff' }))).toBe(
      '403 forbidden',
    );
  });

  it('fails in one way for a wrong password and for who is not there', async () => {
    const answers = [];
    for (const userName of ['ada', 'nobody']) {
      for (const way of ['login', 'recover']) {
        const wrong = await beginLogin({ userName, factor: 'password', secret: 'wrong', serverKey: undefined });
        const start = { name: userName, startLoginRequest: wrong.startLoginRequest };
        const response = await anybody.json('POST', `/auth/${way}/start`, start);
        const body = (await response.json()) as Record<string, string>;
        expect(() => wrong.finish(body['loginResponse']!)).toThrow(expect.objectContaining({ kind: 'wrong-key' }));
        const finish = { exchange: body['exchange']!, finishLoginRequest: 'A'.repeat(86) };
        const failed = await anybody.json('POST', `/auth/${way}/finish`, finish);
        const { detail, code } = (await failed.json()) as Record<string, string>;
        const lengths = Object.entries(body).map(([key, value]) => [key, value.length]);
        const names = [...response.headers.keys()].toSorted();
        answers.push(JSON.stringify({ status: response.status, lengths, names, failed: failed.status, code, detail, way }));
      }
    }
    expect(answers[0]).toBe(answers[2]);
    expect(answers[1]).toBe(answers[3]);
    expect(answers[0]).toContain('"login-failed"');
  });

  it('takes about as long for who is not there', async () => {
    const { startLoginRequest } = await beginLogin({ userName: 'ada', factor: 'password', secret: 'x', serverKey: undefined });
    const times: Record<string, number[]> = { ada: [], nobody: [] };
    for (let round = 0; round < 60; round += 1) {
      for (const name of ['ada', 'nobody']) {
        const began = performance.now();
        await answerOf(anybody.json('POST', '/auth/login/start', { name, startLoginRequest }));
        times[name]!.push(performance.now() - began);
      }
    }
    const median = (name: string): number => times[name]!.toSorted((one, other) => one - other)[30]!;
    const ratio = median('ada') / median('nobody');
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });

  it('takes each proof once, and none for another way or by another exchange', async () => {
    const finish = await ada.beginLogin();
    expect(await codeOf(anybody.json('POST', '/auth/recover/finish', finish))).toBe('400 login-expired');
    expect(await codeOf(anybody.json('POST', '/auth/login/finish', finish))).toBe('400 login-expired');
    const [one, two] = [await ada.beginLogin(), await ada.beginLogin()];
    const mixed = { exchange: one.exchange, finishLoginRequest: two.finishLoginRequest };
    expect(await codeOf(anybody.json('POST', '/auth/login/finish', mixed))).toBe('401 login-failed');
    expect(await codeOf(anybody.json('POST', '/auth/login/finish', two))).toBe('200');
    expect(await codeOf(anybody.json('POST', '/auth/login/finish', two))).toBe('400 login-expired');
  });

  it('is over with the session: by logging out, or from another device', async () => {
    const [one, two] = [await ada.logIn(), await ada.logIn()];
    const list = async (): Promise<{ id: string; isOwn: boolean }[]> => {
      const { sessions } = (await (await two.client.call('/auth/sessions')).json()) as {
        sessions: { id: string; isOwn: boolean }[];
      };
      return sessions;
    };
    const before = await list();
    expect(before.filter(({ isOwn }) => isOwn)).toHaveLength(1);
    expect(await codeOf(one.client.call('/auth/session', { method: 'DELETE' }))).toBe('204');
    expect(await codeOf(one.client.call('/whoami'))).toBe('401 unauthenticated');
    expect(await list()).toHaveLength(before.length - 1);
    const other = before.find(({ id }) => session.session.includes(id.replaceAll('-', '')))!;
    expect(await codeOf(two.client.call(`/auth/sessions/${other.id}`, { method: 'DELETE' }))).toBe('204');
    expect(await codeOf(client.call('/files'))).toBe('401 unauthenticated');
    expect(await codeOf(two.client.call(`/auth/sessions/${other.id}`, { method: 'DELETE' }))).toBe('404 session-not-found');
    const [, digits] = (await (await newPerson('carol')).logIn()).session.session.split('_');
    const foreign = digits!.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    expect(await codeOf(two.client.call(`/auth/sessions/${foreign}`, { method: 'DELETE' }))).toBe('404 session-not-found');
  });

  it('is not what an API token is for', async () => {
    for (const [method, path] of [
      ['GET', '/auth/bundle'],
      ['GET', '/auth/sessions'],
      ['DELETE', '/auth/session'],
    ] as const)
      expect(await codeOf(admin.call(path, { method }))).toBe('403 forbidden');
  });
});

describe('a bundle', () => {
  it('is replaced by who knows which one it replaces', async () => {
    const { client, session } = await ada.logIn();
    const put = (ifMatch: string | undefined, sealed: string): Promise<Response> =>
      client.call('/auth/bundle', {
        method: 'PUT',
        body: JSON.stringify({ ...BUNDLE, sealed }),
        headers: { 'Content-Type': 'application/json', ...(ifMatch !== undefined && { 'If-Match': ifMatch }) },
      });
    expect(await codeOf(put(undefined, 'AAAA'))).toBe('428 precondition-required');
    expect(await codeOf(put('*', 'AAAA'))).toBe('412 precondition-failed');
    const both = await Promise.all([codeOf(put(session.bundleEtag, 'AAAA')), codeOf(put(session.bundleEtag, 'BBBB'))]);
    expect(both.toSorted()).toEqual(['204', '412 precondition-failed']);
    const answer = await client.call('/auth/bundle');
    expect(await answer.json()).toEqual({ ...BUNDLE, sealed: both[0] === '204' ? 'AAAA' : 'BBBB' });
    const large = 'A'.repeat(10_924);
    expect(await codeOf(put(answer.headers.get('etag')!, large.slice(1)))).toBe('204');
    expect(await codeOf(put('"x"', large))).toBe('400 invalid-request');
    expect(await codeOf(put('"x"', 'A'.repeat(30_000)))).toBe('413 body-too-large');
    expect(await codeOf(put('"x"', 'A+/='))).toBe('400 invalid-request');
  });

  it('shows others its public half, and nobody who is not known', async () => {
    const { client } = await (await newPerson('dora')).logIn();
    expect(await (await client.call('/auth/users/ADA/bundle')).json()).toEqual({ identity: BUNDLE.identity });
    expect(await codeOf(client.call('/auth/users/nobody/bundle'))).toBe('404 user-not-found');
    expect(await codeOf(client.call('/auth/users/eve/bundle'))).toBe('404 user-not-found');
    expect(await codeOf(client.call(`/auth/users/${encodeURIComponent('аdа')}/bundle`))).toBe('400 invalid-user-name');
    expect(await codeOf(anybody.call('/auth/users/ada/bundle'))).toBe('401 unauthenticated');
  });
});

describe('a new password', () => {
  it('takes the old one for a proof, comes with its bundle, and ends all other sessions', async () => {
    const eva = await newPerson('eva');
    const [own, other] = [await eva.logIn(), await eva.logIn()];
    const rightPassword = eva.password;
    eva.password = 'wrong';
    await expect(eva.change(own.client, 'new', { isProven: true })).rejects.toMatchObject({ kind: 'wrong-key' });
    eva.password = rightPassword;
    const unproven = { registrationRequest: 'up3DVKR19SEtEgOM0Eso6t1svMmvgcNzfBmdvWfuLTo' };
    expect(await codeOf(own.client.json('POST', '/auth/password/start', unproven))).toBe('400 invalid-request');
    const bad = await eva.beginChange(own.client, 'new', true);
    const forged = { ...bad, finishLoginRequest: 'A'.repeat(86), bundle: BUNDLE };
    expect(await codeOf(own.client.json('POST', '/auth/password/finish', forged))).toBe('401 login-failed');
    const ofOther = { ...(await eva.beginChange(own.client, 'new', true)), bundle: BUNDLE };
    expect(await codeOf(other.client.json('POST', '/auth/password/finish', ofOther))).toBe('400 login-expired');
    expect(await codeOf(other.client.call('/whoami'))).toBe('200');

    const pending = await eva.beginLogin();
    const bundle = { sealed: 'bmV3', identity: BUNDLE.identity };
    expect((await eva.change(own.client, 'new', { isProven: true, bundle })).status).toBe(204);
    expect(await codeOf(own.client.call('/whoami'))).toBe('200');
    expect(await codeOf(other.client.call('/whoami'))).toBe('401 unauthenticated');
    expect(await (await own.client.call('/auth/bundle')).json()).toEqual(bundle);
    // What was begun with the old password ends with it.
    expect(await codeOf(anybody.json('POST', '/auth/login/finish', pending))).toBe('409 login-changed');
    expect((await eva.logIn()).session.bundle).toEqual(bundle);
    eva.password = rightPassword;
    await expect(eva.logIn()).rejects.toMatchObject({ kind: 'wrong-key' });
  });

  it('is made of what it was begun with: of two that were begun, the second to end changes nothing', async () => {
    const finn = await newPerson('finn');
    const { client } = await finn.logIn();
    const finishes = [await finn.beginChange(client, 'one', true), await finn.beginChange(client, 'two', true)];
    const codes = [];
    for (const finish of finishes)
      codes.push(await codeOf(client.json('POST', '/auth/password/finish', { ...finish, bundle: BUNDLE })));
    expect(codes).toEqual(['204', '409 login-changed']);
    finn.password = 'one';
    expect((await finn.logIn()).session.kind).toBe('login');
  });

  it('is set after a recovery, which opens nothing else', async () => {
    const gina = await newPerson('gina', `${CODE} of gina`);
    const before = await gina.logIn();
    const { client, session } = await gina.logIn('recovery');
    expect(session).toMatchObject({ kind: 'recovery', bundle: BUNDLE });
    for (const [method, path] of [
      ['GET', '/files'],
      ['PUT', '/files?name=x'],
      ['GET', '/accounts'],
      ['GET', '/auth/sessions'],
      ['GET', '/auth/users/ada/bundle'],
    ] as const)
      expect(await codeOf(client.call(path, { method }))).toBe('403 forbidden');
    const put = { method: 'PUT', body: JSON.stringify(BUNDLE), headers: { 'Content-Type': 'application/json', 'If-Match': '*' } };
    expect(await codeOf(client.call('/auth/bundle', put))).toBe('403 forbidden');
    expect(await codeOf(client.json('POST', '/tokens', {}))).toMatch(/^40[03] /);
    expect(await (await client.call('/auth/bundle')).json()).toEqual(BUNDLE);
    expect((await gina.change(client, 'after recovery', { isProven: false })).status).toBe(204);
    for (const ended of [client, before.client]) expect(await codeOf(ended.call('/whoami'))).toBe('401 unauthenticated');
    expect((await gina.logIn()).session.kind).toBe('login');
    gina.code = 'wrong';
    await expect(gina.logIn('recovery')).rejects.toMatchObject({ kind: 'wrong-key' });
  });
});

describe('bad input', () => {
  it.each([
    ['/auth/login/start', { name: 'ada', startLoginRequest: '' }, '400 invalid-login-message'],
    ['/auth/login/start', { name: 'ada', startLoginRequest: 'AAAA' }, '400 invalid-login-message'],
    ['/auth/login/start', { name: 'nobody', startLoginRequest: 'AAAA' }, '400 invalid-login-message'],
    ['/auth/login/start', { name: 'ada', startLoginRequest: 'A+/=' }, '400 invalid-request'],
    ['/auth/login/start', { name: 'ada', startLoginRequest: 'A'.repeat(2000) }, '400 invalid-request'],
    ['/auth/login/start', { name: 7, startLoginRequest: 'AAAA' }, '400 invalid-request'],
    ['/auth/login/start', { name: 'a b', startLoginRequest: 'AAAA' }, '400 invalid-user-name'],
    ['/auth/login/start', { name: 'ada#recovery', startLoginRequest: 'AAAA' }, '400 invalid-user-name'],
    ['/auth/login/start', { name: 'ada', startLoginRequest: 'AAAA', more: 1 }, '400 invalid-request'],
    ['/auth/login/finish', { exchange: 'x', finishLoginRequest: 'AAAA' }, '400 login-expired'],
    [
      '/auth/register/finish',
      { exchange: 'x', registrationRecord: 'AAAA', recoveryRecord: 'AAAA', bundle: BUNDLE },
      '400 login-expired',
    ],
    ['/auth/register/finish', { exchange: 'x', registrationRecord: 'AAAA', recoveryRecord: 'AAAA' }, '400 invalid-request'],
    ['/auth/register/start', { name: 'ada', registrationRequest: 'AAAA', recoveryRequest: 'AAAA' }, '400 invalid-login-message'],
  ])('%s %j is answered %s', async (path, body, code) => {
    expect(await codeOf(anybody.json('POST', path, body))).toBe(code);
  });

  it('is no registration record', async () => {
    const account = await addAccount(admin, { name: 'hugo' });
    const invitation = await invite(account);
    const hugo = new Person(server.url, 'hugo', 'x');
    const finish = await hugo.beginRegistration(invitation);
    const damaged = { ...finish, recoveryRecord: 'A'.repeat(256), bundle: BUNDLE };
    expect(await codeOf(anybody.json('POST', '/auth/register/finish', damaged))).toBe('400 invalid-login-message');
    await hugo.register(invitation); // nothing was kept of it
    expect((await hugo.logIn()).session.name).toBe('hugo');
  });
});

describe('an account', () => {
  it('that is disabled is told so by its own password, and to nobody else', async () => {
    const ivy = await newPerson('ivy');
    const { client } = await ivy.logIn();
    const id = await accountOf('ivy');
    expect((await admin.json('PATCH', `/accounts/${id}`, { disabled: true })).ok).toBe(true);
    expect(await codeOf(client.call('/whoami'))).toBe('401 unauthenticated');
    const finish = await ivy.beginLogin();
    expect(await codeOf(anybody.json('POST', '/auth/login/finish', finish))).toBe('403 forbidden');
  });

  it('that is made anew under the name of one that was removed, is another', async () => {
    const jan = await newPerson('jan');
    const { client } = await jan.logIn();
    expect(await codeOf(admin.call(`/accounts/${await accountOf('jan')}`, { method: 'DELETE' }))).toBe('204');
    expect(await codeOf(client.call('/whoami'))).toBe('401 unauthenticated');
    await expect(jan.logIn()).rejects.toMatchObject({ kind: 'wrong-key' });
    const again = new Person(server.url, 'jan', 'other');
    await again.register(await invite(await addAccount(admin, { name: 'jan' })));
    expect((await again.logIn()).session.name).toBe('jan');
  });
});

describe('what is kept', () => {
  it('outlives a restart, sessions too, and holds no secret', async () => {
    const { client, session } = await ada.logIn();
    await ada.logIn('recovery');
    const exportKey = ada.exportKey!;
    const secret = session.session.slice(-43); // it may have a `_` itself
    expect(
      await codeOf(anybody.json('POST', '/auth/login/start', { name: 'ada', startLoginRequest: `wrong${PASSWORD}` })),
    ).toContain('400');
    const { url, directory } = server;
    const logs = server.logs();
    await server.stop();
    server = await TestServer.start({
      directory,
      config: { port: Number(new URL(url).port), log_level: 'trace', limits: { ...GENEROUS, login_attempts_max: GUESSES } },
    });
    Object.assign(server, { ownsDirectory: true });
    expect(await codeOf(client.call('/whoami'))).toBe('200');
    expect((await ada.logIn()).session.name).toBe('ada');
    const kept = logs + (await everything());
    // The control: what is looked for would be found.
    expect(kept.includes('key-ring')).toBe(true);
    expect(kept.includes('/auth/login/start')).toBe(true);
    for (const found of [PASSWORD, CODE, exportKey, Buffer.from(secret, 'base64url'), secret])
      for (const form of forms(found)) expect(kept.includes(form)).toBe(false);
    expect(/\/auth\/users\/(?![*:]).{9}/.exec(logs)).toBeNull();
  });
});

describe('guessing', () => {
  it('is held up under each name, whether it is there or not, by login and recovery together', async () => {
    const { startLoginRequest } = await beginLogin({ userName: 'ada', factor: 'password', secret: 'x', serverKey: undefined });
    const refused = [];
    for (const name of ['bob', 'nobody']) {
      const guess = (way: string): Promise<Response> => anybody.json('POST', `/auth/${way}/start`, { name, startLoginRequest });
      const codes = await Promise.all(
        Array.from({ length: GUESSES }, (_, index) => codeOf(guess(index % 2 ? 'login' : 'recover'))),
      );
      expect(codes).toEqual(Array<string>(GUESSES).fill('200'));
      for (const way of ['login', 'recover']) {
        const answer = await guess(way);
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
        const headers = [...answer.headers.keys()].toSorted();
        refused.push({ status: answer.status, headers, body: await answer.json() });
      }
    }
    expect(refused[0]!.status).toBe(429);
    expect(new Set(refused.map((answer) => JSON.stringify(answer))).size).toBe(1);
    // Who knows the password uses nothing up.
    for (let count = 0; count <= GUESSES; count += 1) expect((await ada.logIn()).session.name).toBe('ada');
  });
});
