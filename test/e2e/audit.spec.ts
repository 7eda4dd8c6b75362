import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { initAdmin, makeToken } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { exchange } from '../support/raw-http.js';
import { runCli } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';

let server: TestServer;

afterEach(() => server.remove());

interface Line {
  readonly who: string;
  readonly what: string;
  readonly id?: string;
  readonly result: string;
  readonly request: string;
}

function path(): string {
  return join(server.storage, 'audit.log');
}

/** The lines on record, as soon as there are so many. */
async function lines(count: number): Promise<readonly Line[]> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const text = existsSync(path()) ? await readFile(path(), 'utf8') : '';
    const found = text.split('\n').slice(1, -1);
    if (found.length >= count) return found.map((line) => JSON.parse(line) as Line);
    if (Date.now() > deadline) throw new Error(`${found.length} lines and not ${count}:\n${text}`);
    await sleep(50);
  }
}

/** A line can be read a moment before it is durable, and counts only then. */
async function untilMetric(line: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    if (text.split('\n').includes(line)) return;
    if (Date.now() > deadline) throw new Error(`there is no ${line}`);
    await sleep(50);
  }
}

describe('the audit log of a server', () => {
  it('has what changes something, by whichever way it came, and no names', async () => {
    server = await TestServer.start({ config: { audit: 'changes' } });
    const client = new Client(server.url);
    const { id } = await client.put('a-secret-name', 'content', { 'X-Request-Id': 'mine' });
    await client.bytes(id);
    const json = { 'Content-Type': 'application/json' };
    await fetch(`${server.url}/files/${id}`, {
      method: 'PATCH',
      headers: json,
      body: JSON.stringify({ name: 'another-secret-name' }),
    });
    await client.replace(id, 'other content');
    await client.replace(id, 'x', { 'If-Match': '"no-such-version"' });
    await fetch(`${server.url}/files/${id.toUpperCase()}?name=a-secret-name`, { method: 'PUT', body: 'by the controller' });
    await fetch(`${server.url}/files/a-secret-name`, { method: 'PUT', body: 'x' });
    await fetch(`${server.url}/a-secret-name?a-secret-name`, { method: 'DELETE' });
    await fetch(`${server.url}/nodes/2/drain`, { method: 'POST' });
    await client.remove(id);
    await client.remove(id);
    await client.list('?prefix=a-secret-name');
    const found = await lines(9);
    expect(found.map(({ who, what, id: of, result }) => [who, what, of, result])).toEqual([
      ['store', 'PUT /files', id, '201'],
      ['store', 'PATCH /files/{id}', id, '200'],
      ['store', 'PUT /files/{id}', id, '200'],
      ['store', 'PUT /files/{id}', id, 'precondition-failed'],
      ['store', 'PUT /files/{id}', id, '200'],
      ['store', 'PUT /files/{id}', undefined, 'invalid-id'],
      ['store', 'POST /nodes/{node}/drain', '2', '202'],
      ['store', 'DELETE /files/{id}', id, '204'],
      ['store', 'DELETE /files/{id}', id, 'file-not-found'],
    ]);
    expect(found[0]?.request).toBe('mine');
    const [changed] = /\{.*"PATCH".*\}/.exec(server.logs()) ?? [];
    expect((JSON.parse(changed!) as { reqId: string }).reqId).toBe(found[1]?.request);
    expect(await readFile(path(), 'utf8')).not.toContain('secret-name');
    await untilMetric('dcloud_audit_lines_total 9');
    await untilMetric('dcloud_audit_dropped_total 0');
  });

  it('has reads too if it is to have all, and what was broken off', async () => {
    server = await TestServer.start({ config: { audit: 'all' } });
    const client = new Client(server.url);
    const { id } = await client.put('name', 'content');
    await client.bytes(id);
    await fetch(`${server.url}/files/${id}/info`);
    await client.list();
    await fetch(`${server.url}/health/live`);
    await fetch(`${server.url}/docs/`);
    await fetch(`${server.url}/nowhere`);
    const short = `PUT /files?name=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nten bytes.`;
    await exchange(server.url, short, { half: true });
    const found = await lines(5);
    expect(found.map(({ what, id: of, result }) => [what, of, result])).toEqual([
      ['PUT /files', id, '201'],
      ['GET /files/{id}', id, '200'],
      ['GET /files/{id}/info', id, '200'],
      ['GET /files/list', undefined, '200'],
      ['PUT /files', undefined, expect.stringMatching(/^(?:aborted|incomplete-body)$/)],
    ]);
  });

  it('is not made for an open store that does not ask for it', async () => {
    server = await TestServer.start();
    await new Client(server.url).put('name', 'content');
    await server.stop();
    expect(existsSync(path())).toBe(false);
    expect(await runCli(['audit', 'verify', '--config', server.configFile])).toMatchObject({ code: 0 });
  });

  it('is durable when the server stops, goes on after that, and is proved by the command line', async () => {
    server = await TestServer.start({ config: { audit: 'changes', limits: { audit_file_bytes_max: 2000, audit_files_max: 3 } } });
    const client = new Client(server.url);
    await Promise.all(Array.from({ length: 30 }, (_, at) => client.put(`name ${at}`, 'content')));
    expect(await server.stop()).toBe(0);
    const verify = (...args: string[]): ReturnType<typeof runCli> =>
      runCli(['audit', 'verify', '--config', server.configFile, ...args]);
    const whole = await verify();
    expect(whole).toMatchObject({ code: 0, stdout: expect.stringMatching(/to 30, which has the hash.*\nthe chain is whole\n/s) });
    const [, hash = ''] = /hash (\w{64})/.exec(whole.stdout) ?? [];
    expect(await verify('--expect', hash)).toMatchObject({ code: 0 });
    const text = await readFile(path(), 'utf8');
    await writeFile(path(), text.replace(/^.*"n":30.*\n/m, ''));
    expect(await verify()).toMatchObject({ code: 0 });
    expect(await verify('--expect', hash)).toMatchObject({ code: 1, stdout: expect.stringContaining('were cut off') });
    await writeFile(path(), text.replace('"who":"store"', '"who":"other"'));
    expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringMatching(/^audit\.log, line \d+: line/) });
  });

  it('is kept once there are accounts, and says by which token each thing was done, and who was refused', async () => {
    server = await TestServer.start();
    const { url } = server;
    const anybody = new Client(url);
    await anybody.put('before accounts', 'content');
    const admin = new Client(url, undefined, await initAdmin(url, server.storage));
    const reader = await makeToken(admin, { scopes: ['read'] });
    const { id } = await admin.put('a-secret-name', 'content');
    const read = new Client(url, undefined, reader.token);
    await read.bytes(id);
    await read.remove(id);
    await read.tryPut('a-secret-name', 'x');
    await anybody.get(id);
    await fetch(`${url}/nodes`, { headers: { Authorization: `Bearer ${reader.token}x` } });
    const found = await lines(7);
    const adminToken = found[1]?.who;
    expect(adminToken).toMatch(/^[0-9a-f-]{36}$/);
    expect(found.map(({ who, what, id: of, result }) => [who, what, of, result])).toEqual([
      ['anonymous', 'POST /admin/init', undefined, '201'],
      [adminToken, 'POST /tokens', undefined, '201'],
      [adminToken, 'PUT /files', id, '201'],
      [reader.id, 'DELETE /files/{id}', id, 'forbidden'],
      [reader.id, 'PUT /files', undefined, 'forbidden'],
      ['anonymous', 'GET /files/{id}', id, 'unauthenticated'],
      ['anonymous', 'GET *', undefined, 'unauthenticated'],
    ]);
    const text = await readFile(path(), 'utf8');
    for (const secret of ['secret-name', reader.token, reader.token.slice(-20)]) expect(text).not.toContain(secret);
  });
});
