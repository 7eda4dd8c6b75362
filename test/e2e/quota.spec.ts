import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addAccount, initAdmin, makeToken } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { exchange, responseOf } from '../support/raw-http.js';
import { TestServer } from '../support/server.js';

const KB = 1000;
const AT_ONCE = 32;

let server: TestServer;
let admin: Client;

/** An account, and what uses it. */
interface Tenant {
  readonly id: string;
  readonly client: Client;
  readonly token: string;
}

interface UsedJson {
  readonly usedBytes: number;
  readonly usedFiles: number;
}

beforeAll(async () => {
  server = await TestServer.start();
  admin = new Client(server.url, undefined, await initAdmin(server.url, server.storage));
});

afterAll(async () => {
  await server.remove();
});

async function account(name: string, quota: Readonly<Record<string, unknown>>): Promise<Tenant> {
  const id = await addAccount(admin, { name, ...quota });
  const { token } = await makeToken(admin, { accountId: id });
  return { id, client: new Client(server.url, undefined, token), token };
}

/** Puts a body that does not say how long it is, over a connection on which the answer may come before the body has ended. */
async function putChunked(token: string, bytes: number): Promise<Response> {
  const head = `PUT /files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const body = `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n0\r\n\r\n`;
  return responseOf(await exchange(server.url, head + body));
}

async function used(id: string): Promise<UsedJson> {
  return (await (await admin.call(`/accounts/${id}`)).json()) as UsedJson;
}

async function outcome(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  if (response.ok) return String(response.status);
  return `${response.status} ${((await response.json()) as { code: string }).code}`;
}

function count(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const each of outcomes) counts[each] = (counts[each] ?? 0) + 1;
  return counts;
}

describe('quotas', () => {
  it.each([
    ['with their lengths', (to: Tenant): Promise<Response> => to.client.tryPut('file', new Uint8Array(90 * KB))],
    ['without', (to: Tenant): Promise<Response> => putChunked(to.token, 90 * KB)],
  ])('hold in bytes, to the last file that fits, under 32 uploads at once: %s', async (how, put) => {
    const tenant = await account(how.replaceAll(' ', '-'), { quotaBytes: 1000 * KB });
    const { id } = tenant;
    const uploads = Array.from({ length: AT_ONCE }, () => outcome(put(tenant)));
    const outcomes = count(await Promise.all(uploads));
    const stored = outcomes['201'] ?? 0;
    expect(outcomes).toEqual({ 201: stored, '507 quota-exceeded': AT_ONCE - stored });
    expect(await used(id)).toMatchObject({ usedBytes: stored * 90 * KB, usedFiles: stored });
    // Those that grow may hold each other up; afterwards there is room for 11 all the same, and for no more.
    expect(stored).toBeLessThanOrEqual(11);
    for (let at = stored; at < 11; at += 1) expect(await outcome(put(tenant))).toBe('201');
    expect(await outcome(put(tenant))).toBe('507 quota-exceeded');
  });

  it('hold in files, under 32 uploads at once', async () => {
    const { id, client } = await account('by-files', { quotaFiles: 10 });
    const uploads = Array.from({ length: AT_ONCE }, (_, at) => outcome(client.tryPut(`file ${at}`, 'x')));
    expect(count(await Promise.all(uploads))).toEqual({ 201: 10, '507 quota-exceeded': 22 });
    expect(await used(id)).toMatchObject({ usedFiles: 10 });
    const [first] = (await client.list()).items;
    await client.remove(first!.id);
    expect(await outcome(client.tryPut('one more', 'x'))).toBe('201');
  });

  it('refuse what alone is larger than all of it as too large', async () => {
    const { client, token } = await account('tiny', { quotaBytes: 10 });
    expect(await outcome(client.tryPut('large', new Uint8Array(11)))).toBe('413 body-too-large');
    expect(await outcome(putChunked(token, 100 * KB))).toBe('413 body-too-large');
    expect(await outcome(client.tryPut('fits', new Uint8Array(10)))).toBe('201');
    expect(await outcome(client.tryPut('empty', ''))).toBe('201');
  });

  it('count of a replaced file the difference', async () => {
    const { id, client } = await account('replaces', { quotaBytes: 1000 });
    const file = await client.put('one', new Uint8Array(800));
    expect(await outcome(client.replace(file.id, new Uint8Array(1000)))).toBe('200');
    expect(await outcome(client.replace(file.id, new Uint8Array(1001)))).toBe('413 body-too-large');
    expect(await outcome(client.tryPut('two', new Uint8Array(1)))).toBe('507 quota-exceeded');
    expect(await outcome(client.replace(file.id, new Uint8Array(400)))).toBe('200');
    expect(await outcome(client.tryPut('two', new Uint8Array(600)))).toBe('201');
    // Two at once on one file: none can count on what the other leaves.
    const both = await Promise.all([300, 350].map((bytes) => outcome(client.replace(file.id, new Uint8Array(bytes)))));
    expect(both).toContain('200');
    expect((await used(id)).usedBytes).toBeLessThanOrEqual(1000);
  });

  it('get back what an upload held that failed', async () => {
    const { client } = await account('fails', { quotaBytes: 1000, quotaFiles: 1 });
    const wrong = { 'Repr-Digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:` };
    for (let at = 0; at < 3; at += 1)
      expect(await outcome(client.tryPut('wrong', new Uint8Array(1000), wrong))).toBe('400 invalid-digest');
    expect(await outcome(client.tryPut('right', new Uint8Array(1000)))).toBe('201');
  });

  it('change at once', async () => {
    const { id, client } = await account('changes', { quotaBytes: 0 });
    expect(await outcome(client.tryPut('x', 'x'))).toBe('413 body-too-large');
    expect(await outcome(admin.json('PATCH', `/accounts/${id}`, { quotaBytes: 1 }))).toBe('200');
    expect(await outcome(client.tryPut('x', 'x'))).toBe('201');
    expect(await outcome(admin.json('PATCH', `/accounts/${id}`, { quotaBytes: null }))).toBe('200');
    expect(await outcome(client.tryPut('y', 'yyy'))).toBe('201');
  });
});
