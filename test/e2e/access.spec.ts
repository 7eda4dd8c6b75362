import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addAccount, initAdmin, makeToken, type TokenJson } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { TestServer } from '../support/server.js';

const UNKNOWN = '01920000-0000-7000-8000-00000000ffff';

let server: TestServer;
let admin: Client;
/** Two accounts, and the token of each. */
let ada: Client;
let bob: Client;
let adaId: string;

async function codeOf(answer: Promise<Response> | Response): Promise<string> {
  const response = await answer;
  if (response.ok) return String(response.status);
  return `${response.status} ${((await response.json()) as { code: string }).code}`;
}

/** What an answer says, with the id that was asked for blotted out. */
async function whole(response: Response, id: string): Promise<unknown> {
  const headers = [...response.headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
  return { status: response.status, headers, body: (await response.text()).replaceAll(id, '*') };
}

/** The two ways in: straight, and through the controller, which gets what is written in another way. */
const WAYS = [
  { way: 'straight', at: (id: string) => `/files/${id}` },
  { way: 'through the controller', at: (id: string) => `/files/${id.toUpperCase()}/` },
];

async function readAll(directory: string): Promise<string> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('\n');
}

beforeAll(async () => {
  server = await TestServer.start({ config: { limits: { failed_attempts_max: 1000 } } });
});

afterAll(async () => {
  await server.remove();
});

describe('a store without accounts', () => {
  it('is open to its own machine, and says who that is', async () => {
    const anybody = new Client(server.url);
    const file = await anybody.put('before accounts', 'old');
    expect(await (await anybody.call('/whoami')).json()).toEqual({
      name: 'store',
      scopes: ['read', 'write', 'admin'],
      prefix: '',
      account: null,
    });
    expect((await anybody.list()).items.map(({ id }) => id)).toEqual([file.id]);
    // A token means nothing yet, and does no harm.
    expect(await codeOf(new Client(server.url, undefined, 'dct_none').call('/nodes'))).toBe('200');
    expect(await codeOf(anybody.json('POST', '/accounts', { name: 'ada' }))).toBe('403 forbidden');
    expect(await codeOf(anybody.json('POST', '/tokens', {}))).toBe('403 forbidden');
  });

  it('lets make the first administrator only who can read the storage directory', async () => {
    const secret = join(server.storage, 'admin-init-secret');
    expect(statSync(secret).mode & 0o777).toBe(0o600);
    const wrong = 'A'.repeat(43);
    for (const token of [undefined, 'x', wrong])
      expect(await codeOf(new Client(server.url, undefined, token).json('POST', '/admin/init', { name: 'eve' }))).toBe(
        '401 unauthenticated',
      );
    const shown = readFileSync(secret, 'utf8').trim();
    expect(await codeOf(new Client(server.url, undefined, shown).json('POST', '/admin/init', { name: 'No Name' }))).toBe(
      '400 invalid-request',
    );
    admin = new Client(server.url, undefined, await initAdmin(server.url, server.storage));
    expect(existsSync(secret)).toBe(false);
    expect(await codeOf(new Client(server.url, undefined, shown).json('POST', '/admin/init', { name: 'eve' }))).toBe(
      '403 forbidden',
    );
  });
});

describe('a store with accounts', () => {
  beforeAll(async () => {
    adaId = await addAccount(admin, { name: 'ada' });
    const bobId = await addAccount(admin, { name: 'bob' });
    ada = new Client(server.url, undefined, (await makeToken(admin, { accountId: adaId })).token);
    bob = new Client(server.url, undefined, (await makeToken(admin, { accountId: bobId })).token);
  });

  it('answers nobody that it does not know, but about its health and its API', async () => {
    const anybody = new Client(server.url);
    const closed = [
      ['GET', '/files/list'],
      ['GET', '/files'],
      ['PUT', '/files?name=x'],
      ['GET', `/files/${UNKNOWN}`],
      ['HEAD', `/files/${UNKNOWN}`],
      ['GET', `/files/${UNKNOWN}/info`],
      ['PATCH', `/files/${UNKNOWN}`],
      ['DELETE', `/files/${UNKNOWN}`],
      ['GET', '/nodes'],
      ['GET', '/nodes/1'],
      ['POST', '/nodes/1/drain'],
      ['GET', '/repair'],
      ['POST', '/scrub'],
      ['POST', '/rebalance'],
      ['POST', '/reload'],
      ['GET', '/metrics'],
      ['GET', '/whoami'],
      ['GET', '/accounts'],
      ['POST', '/tokens'],
      ['GET', '/there-is-no-such-route'],
      ['GET', '//health'],
      ['GET', '/health-of-others'],
    ] as const;
    for (const [method, path] of closed) {
      const response = await anybody.call(path, { method });
      expect([method, path, response.status, response.headers.get('www-authenticate')]).toEqual([
        method,
        path,
        401,
        'Bearer realm="DistributedCloud"',
      ]);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
    }
    for (const path of ['/health', '/health/live', '/health/ready', '/docs', '/openapi.json', '/openapi.yaml'])
      expect([path, (await anybody.call(path)).status]).toEqual([path, 200]);
  });

  it('gives what was stored before to the first administrator', async () => {
    expect((await admin.list()).items.map(({ name }) => name)).toEqual(['before accounts']);
    expect((await ada.list()).items).toEqual([]);
  });

  it.each(WAYS)('shows each account its own files alone: $way', async ({ at }) => {
    const file = await ada.put('mine', 'of ada');
    const other = await bob.put('mine', 'of bob');
    const own = await ada.call(at(file.id));
    expect([own.status, await own.text()]).toEqual([200, 'of ada']);
    const attempts: readonly [string, RequestInit][] = [
      [at('{id}'), {}],
      [at('{id}'), { headers: { Range: 'bytes=0-1' } }],
      [at('{id}'), { headers: { 'If-None-Match': file.etag } }],
      [at('{id}'), { method: 'HEAD' }],
      [at('{id}'), { method: 'DELETE' }],
      [at('{id}'), { method: 'PUT', body: 'taken' }],
      [at('{id}'), { method: 'PUT', body: 'taken', headers: { 'If-Match': file.etag } }],
      [at('{id}'), { method: 'PATCH', body: '{"name":"taken"}', headers: { 'Content-Type': 'application/json' } }],
      ['/files/{id}/info', {}],
    ];
    for (const [path, init] of attempts) {
      const ask = (id: string): Promise<Response> => bob.call(path.replace(at('{id}'), at(id)).replace('{id}', id), init);
      const foreign = await whole(await ask(file.id), file.id);
      expect(foreign).toEqual(await whole(await ask(UNKNOWN), UNKNOWN));
      expect(foreign).toMatchObject({ status: 404 });
    }
    expect(await (await ada.call(at(file.id))).text()).toBe('of ada');
    for (const query of ['', '?order=createdAt', '?prefix=mi', '?order=-name&limit=1']) {
      const ids = [await ada.list(query), await bob.list(query)].map(({ items }) => items.map(({ id }) => id));
      expect(ids).toEqual([[file.id], [other.id]]);
    }
    await ada.remove(file.id);
    await bob.remove(other.id);
  });

  it.each(WAYS)('lets a token do what its scopes say: $way', async ({ at }) => {
    const file = await ada.put('scoped', 'x');
    const reader = new Client(server.url, undefined, (await makeToken(ada, { scopes: ['read'] })).token);
    const writer = new Client(server.url, undefined, (await makeToken(ada, { scopes: ['write'] })).token);
    expect(await codeOf(reader.call(at(file.id)))).toBe('200');
    expect(await codeOf(reader.call('/files/list'))).toBe('200');
    expect(await codeOf(reader.call('/nodes'))).toBe('200');
    for (const method of ['PUT', 'DELETE'] as const)
      expect(await codeOf(reader.call(at(file.id), { method }))).toBe('403 forbidden');
    expect(await codeOf(reader.call('/files?name=new', { method: 'PUT', body: 'x' }))).toBe('403 forbidden');
    expect(await codeOf(reader.json('PATCH', at(file.id), { name: 'other' }))).toBe('403 forbidden');
    expect(await codeOf(writer.call(at(file.id)))).toBe('403 forbidden');
    expect((await writer.call(at(file.id), { method: 'HEAD' })).status).toBe(403);
    expect(await codeOf(writer.call('/files/list'))).toBe('403 forbidden');
    expect(await codeOf(writer.call(at(file.id), { method: 'PUT', body: 'y' }))).toBe('200');
    for (const path of ['/repair', '/scrub', '/rebalance', '/metrics', '/accounts']) {
      expect([path, await codeOf(ada.call(path))]).toEqual([path, '403 forbidden']);
      expect([path, (await admin.call(path)).status]).toEqual([path, 200]);
    }
    for (const path of ['/scrub', '/rebalance', '/reload', '/nodes/1/drain', '/nodes/1/replace'])
      expect([path, await codeOf(ada.call(path, { method: 'POST' }))]).toEqual([path, '403 forbidden']);
    expect(await codeOf(ada.remove(file.id))).toBe('204');
  });

  it.each(WAYS)('keeps a token within its prefix: $way', async ({ at }) => {
    const inside = await ada.put('photos/a', 'in');
    const outside = await ada.put('letters/a', 'out');
    const token = new Client(server.url, undefined, (await makeToken(ada, { prefix: 'photos/' })).token);
    expect(await codeOf(token.call(at(inside.id)))).toBe('200');
    const hidden = await whole(await token.call(at(outside.id)), outside.id);
    expect(hidden).toEqual(await whole(await token.call(at(UNKNOWN)), UNKNOWN));
    for (const method of ['PUT', 'DELETE'])
      expect(await codeOf(token.call(at(outside.id), { method }))).toBe('404 file-not-found');
    expect(await codeOf(token.call(`/files/${outside.id}/info`))).toBe('404 file-not-found');
    expect(await codeOf(token.json('PATCH', at(outside.id), { name: 'photos/b' }))).toBe('404 file-not-found');
    expect(await codeOf(token.json('PATCH', at(inside.id), { name: 'letters/b' }))).toBe('403 forbidden');
    expect(await codeOf(token.tryPut('letters/c', 'x'))).toBe('403 forbidden');
    expect(await codeOf(token.call('/files', { method: 'PUT', body: 'x' }))).toBe('403 forbidden');
    expect(await codeOf(token.call(`${at(inside.id)}?name=letters/d`, { method: 'PUT', body: 'x' }))).toBe('403 forbidden');
    expect((await token.list()).items.map(({ id }) => id)).toEqual([inside.id]);
    expect((await token.list('?prefix=ph')).items.map(({ id }) => id)).toEqual([inside.id]);
    expect((await token.list('?prefix=photos/b')).items).toEqual([]);
    expect(await codeOf(token.call('/files/list?prefix=letters/'))).toBe('403 forbidden');
    expect(await codeOf(token.call('/files/list?order=createdAt'))).toBe('400 invalid-request');
    expect(await codeOf(token.remove(inside.id))).toBe('204');
    await ada.remove(outside.id);
  });

  it('ends a token when it is revoked, at once, and those that it has made', async () => {
    const made = await makeToken(ada);
    const client = new Client(server.url, undefined, made.token);
    const child = new Client(server.url, undefined, (await makeToken(client, { scopes: ['read'] })).token);
    for (const each of [client, child]) expect(await codeOf(each.call('/files/list'))).toBe('200');
    expect(await codeOf(bob.call(`/tokens/${made.id}`, { method: 'DELETE' }))).toBe('404 token-not-found');
    expect(await codeOf(ada.call(`/tokens/${made.id}`, { method: 'DELETE' }))).toBe('204');
    for (const each of [client, child]) expect(await codeOf(each.call('/files/list'))).toBe('401 unauthenticated');
    expect(await codeOf(ada.call('/files/list'))).toBe('200');
  });

  it('ends a token when its time has come', async () => {
    const expiresAt = new Date(Date.now() + 1500).toISOString();
    const client = new Client(server.url, undefined, (await makeToken(ada, { expiresAt })).token);
    expect(await codeOf(client.call('/files/list'))).toBe('200');
    const child = await makeToken(client, { expiresAt: null });
    expect(child.expiresAt).toBe(expiresAt); // it makes none that outlives it
    await new Promise((resolve) => setTimeout(resolve, Date.parse(expiresAt) - Date.now() + 20));
    expect(await codeOf(client.call('/files/list'))).toBe('401 unauthenticated');
  });

  it('makes no token of which it does not understand when it ends: that would be never', async () => {
    for (const expiresAt of ['2026-300', '2026-W10-1', '2099-12-01T10', '20991201'])
      expect(await codeOf(ada.json('POST', '/tokens', { expiresAt }))).toBe('400 invalid-request');
    expect(await codeOf(ada.json('POST', '/tokens', { expiresAt: '2099-12-01' }))).toBe('201');
  });

  it('lets a token make only what is no more than itself', async () => {
    const reader = new Client(server.url, undefined, (await makeToken(ada, { scopes: ['read', 'write'], prefix: 'a/' })).token);
    for (const wish of [
      { scopes: ['read'], prefix: '' },
      { scopes: ['read'], prefix: 'b/' },
      { scopes: ['admin'], prefix: 'a/' },
    ])
      expect(await codeOf(reader.json('POST', '/tokens', wish))).toBe('403 forbidden');
    expect(await codeOf(reader.json('POST', '/tokens', { scopes: ['read'], prefix: 'a/b' }))).toBe('201');
    expect(await codeOf(ada.json('POST', '/tokens', { scopes: ['admin'] }))).toBe('403 forbidden');
    expect(await codeOf(admin.json('POST', '/tokens', { accountId: adaId, scopes: ['admin'] }))).toBe('403 forbidden');
    const me = (await (await admin.call('/whoami')).json()) as { account: { id: string } };
    expect(await codeOf(ada.json('POST', '/tokens', { accountId: me.account.id }))).toBe('403 forbidden');
    expect(await codeOf(ada.call(`/tokens?accountId=${me.account.id}`))).toBe('403 forbidden');
  });

  it('ends what an account may do when it is disabled, at once, and begins it again', async () => {
    expect(await codeOf(ada.call('/files/list'))).toBe('200');
    expect(await codeOf(admin.json('PATCH', `/accounts/${adaId}`, { disabled: true }))).toBe('200');
    expect(await codeOf(ada.call('/files/list'))).toBe('401 unauthenticated');
    expect(await codeOf(admin.json('PATCH', `/accounts/${adaId}`, { disabled: false }))).toBe('200');
    expect(await codeOf(ada.call('/files/list'))).toBe('200');
  });

  it('is never left without an administrator', async () => {
    const { account } = (await (await admin.call('/whoami')).json()) as { account: { id: string } };
    for (const change of [{ disabled: true }, { role: 'user' }])
      expect(await codeOf(admin.json('PATCH', `/accounts/${account.id}`, change))).toBe('409 last-administrator');
    expect(await codeOf(admin.call(`/accounts/${account.id}`, { method: 'DELETE' }))).toMatch(/^409 /);
  });

  it('removes an account that has no files, with its tokens', async () => {
    const id = await addAccount(admin, { name: 'cleo' });
    expect(await codeOf(admin.json('POST', '/accounts', { name: 'cleo' }))).toBe('409 account-exists');
    const cleo = new Client(server.url, undefined, (await makeToken(admin, { accountId: id })).token);
    const file = await cleo.put('left behind', 'x');
    expect(await codeOf(admin.call(`/accounts/${id}`, { method: 'DELETE' }))).toBe('409 account-not-empty');
    await cleo.remove(file.id);
    expect(await codeOf(admin.call(`/accounts/${id}`, { method: 'DELETE' }))).toBe('204');
    expect(await codeOf(cleo.call('/files/list'))).toBe('401 unauthenticated');
    expect(await codeOf(admin.call(`/accounts/${id}`))).toBe('404 account-not-found');
  });

  it("does not remove an account that is storing a file, which would be nobody's", async () => {
    const id = await addAccount(admin, { name: 'dora' });
    const { token } = await makeToken(admin, { accountId: id });
    const upload = request(`${server.url}/files?name=slow`, {
      method: 'PUT',
      headers: { Authorization: `Bearer ${token}`, 'Content-Length': 200_000, Expect: '100-continue' },
    });
    upload.flushHeaders();
    await once(upload, 'continue'); // it is let in
    const remove = (): Promise<string> => codeOf(admin.call(`/accounts/${id}`, { method: 'DELETE' }));
    expect(await remove()).toBe('409 account-not-empty');
    upload.end(Buffer.alloc(200_000));
    const [answer] = (await once(upload, 'response')) as [IncomingMessage];
    const file = (await json(answer)) as { id: string };
    expect(answer.statusCode).toBe(201);
    await new Client(server.url, undefined, token).remove(file.id);
    expect(await remove()).toBe('204');
  });

  it('keeps accounts and tokens over a restart, and nowhere a token as it is', async () => {
    const { token } = await makeToken(ada, { label: 'kept' });
    const file = await ada.put('kept', 'still there');
    const secret = token.split('_').slice(2).join('_');
    await server.stop();
    const stored = await readAll(server.storage);
    expect([stored.includes(secret), server.logs().includes(secret)]).toEqual([false, false]);
    const again = await TestServer.start({ directory: server.directory });
    try {
      const client = new Client(again.url, undefined, token);
      expect((await client.bytes(file.id)).toString()).toBe('still there');
      expect(await codeOf(new Client(again.url).call('/files/list'))).toBe('401 unauthenticated');
      const { items } = (await (await client.call('/tokens')).json()) as { items: readonly (TokenJson & { label: string })[] };
      expect(items.find(({ label }) => label === 'kept')).not.toHaveProperty('token');
    } finally {
      await again.stop();
    }
  });
});
