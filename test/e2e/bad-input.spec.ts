import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { ErrorCode } from '../../src/common/errors.js';
import { someBytes } from '../support/bytes.js';
import { Client, type FileJson } from '../support/client.js';
import { BOUNDARY, form, FORM_HEADERS } from '../support/multipart.js';
import { expectProblem } from '../support/problems.js';
import { exchange, openSocket, readToEnd, responseOf } from '../support/raw-http.js';
import { TestServer } from '../support/server.js';
import { shardPaths } from '../support/storage-files.js';

const CONTROL = someBytes(250_000, 77);
const UNKNOWN = '01920000-0000-7000-8000-000000000001';
const MiB = 1024 * 1024;

let server: TestServer;
let client: Client;
let control: FileJson;
let shardsOfControl: readonly string[];
let seenOfLog = 0;

beforeAll(async () => {
  server = await TestServer.start({ config: { size_per_slice: 100_000, pack_below: 0 } });
  client = new Client(server.url);
  control = await client.put('control', CONTROL, { 'content-type': 'text/control' });
  shardsOfControl = (await shardPaths(server.storage)).toSorted();
});

/** After everything that was tried: the server lives, has the one file as it was and nothing else, and met no error that it did not know. */
afterEach(async () => {
  const listed = await client.listAll();
  const expected = control;
  // One test that fails must not make all others fail.
  for (const { id } of listed) if (id !== control.id) await client.remove(id);
  control = listed.find(({ id }) => id === control.id)!;
  const errors = server
    .logs()
    .slice(seenOfLog)
    .split('\n')
    .filter((line) => line.includes('"level":50'));
  seenOfLog = server.logs().length;
  expect(listed).toEqual([expected]);
  expect((await client.bytes(control.id)).equals(CONTROL)).toBe(true);
  await expectOnlyControlShards();
  expect(errors).toEqual([]);
});

afterAll(async () => {
  await server.remove();
});

/** Garbage is collected behind the answer, so it may take a moment. */
async function expectOnlyControlShards(): Promise<void> {
  const deadline = Date.now() + 3000;
  for (;;) {
    const paths = (await shardPaths(server.storage)).toSorted();
    if (paths.length === shardsOfControl.length || Date.now() > deadline) {
      expect(paths).toEqual(shardsOfControl);
      return;
    }
    await sleep(50);
  }
}

function send(method: string, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${server.url}${path}`, { method, ...init });
}

/** Not with fetch, which would tidy the path up. */
async function sendAsIs(method: string, path: string): Promise<Response> {
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  return responseOf(await exchange(server.url, head));
}

function patch(body: string | Uint8Array<ArrayBuffer>, contentType = 'application/json'): Promise<Response> {
  return send('PATCH', `/files/${control.id}`, { body, headers: { 'content-type': contentType } });
}

describe('a PATCH', () => {
  it.each<[string, string, ErrorCode]>([
    ['garbage', '{"name', 'invalid-json'],
    ['nothing between the quotes', '', 'invalid-json'],
    ['a text', '"name"', 'invalid-json'],
    ['null', 'null', 'invalid-json'],
    ['a list', '[]', 'invalid-request'],
    ['a list of changes', '[{"name":"x"}]', 'invalid-request'],
    ['an unknown key', '{"name":"x","size":1}', 'invalid-request'],
    ['a key that every object has', '{"constructor":{"name":"x"}}', 'invalid-request'],
    ['a prototype', '{"__proto__":{"name":"x"}}', 'invalid-request'],
    ['a name that is a number', '{"name":5}', 'invalid-request'],
    ['a name that is null', '{"name":null}', 'invalid-request'],
    ['a name that is an object', '{"name":{"length":1}}', 'invalid-request'],
    ['a content type that is a list', '{"contentType":["a/b"]}', 'invalid-request'],
    ['an empty name', '{"name":""}', 'invalid-name'],
    ['an unpaired surrogate', '{"name":"\\ud800"}', 'invalid-name'],
    ['an unpaired surrogate in the middle', '{"name":"a\\udc00b"}', 'invalid-name'],
    ['NUL in the name', '{"name":"a\\u0000b"}', 'invalid-name'],
    ['a line break in the name', '{"name":"a\\r\\nX-Evil: 1"}', 'invalid-name'],
    ['a C1 control character in the name', '{"name":"a\\u0085b"}', 'invalid-name'],
    ['a name of 1,025 bytes', JSON.stringify({ name: 'x'.repeat(1025) }), 'invalid-name'],
    ['a name of 1,026 bytes in 513 characters', JSON.stringify({ name: 'é'.repeat(513) }), 'invalid-name'],
    ['a good name with a bad type', '{"name":"x","contentType":"nonsense"}', 'invalid-content-type'],
    ['a type with a line break', '{"contentType":"text/plain\\r\\nX-Evil: 1"}', 'invalid-content-type'],
    ['a type with Unicode', '{"contentType":"text/plain; name=é"}', 'invalid-content-type'],
    ['a type of 256 bytes', JSON.stringify({ contentType: `text/${'x'.repeat(251)}` }), 'invalid-content-type'],
    ['1 MiB', JSON.stringify({ name: 'x'.repeat(MiB) }), 'body-too-large'],
  ])('with %s is refused', async (_what, body, code) => {
    await expectProblem(await patch(body), code);
  });

  it('of another media type, or none, is refused', async () => {
    await expectProblem(await patch('{"name":"x"}', 'text/plain'), 'unsupported-media-type');
    await expectProblem(await patch('{"name":"x"}', 'application/json-patch+json'), 'unsupported-media-type');
    await expectProblem(await patch('{"name":"x"}', 'application/json; charset=koi8-r'), 'unsupported-encoding');
    await expectProblem(await send('PATCH', `/files/${control.id}`), 'unsupported-media-type');
    const headers = { 'content-type': 'application/json', 'content-encoding': 'compress' };
    await expectProblem(await send('PATCH', `/files/${control.id}`, { body: '{}', headers }), 'unsupported-encoding');
  });

  it('that is compressed to fit the limit is refused by what it becomes', async () => {
    const body = new Response(JSON.stringify({ name: 'x'.repeat(MiB) })).body!.pipeThrough(new CompressionStream('gzip'));
    const bytes = await new Response(body).bytes();
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    await expectProblem(await send('PATCH', `/files/${control.id}`, { body: bytes, headers }), 'body-too-large');
  });
});

describe('a query', () => {
  it.each<[string, string, ErrorCode]>([
    ['GET', '/files/list?limitt=1', 'invalid-request'],
    ['GET', '/files?limit=1&limit=1', 'invalid-request'],
    ['GET', '/files?prefix[]=a', 'invalid-request'],
    ['GET', '/files?prefix=%E0%A4%A', 'invalid-request'],
    ['GET', '/files?prefix=%ff', 'invalid-request'],
    ['GET', '/files?%zz=1', 'invalid-request'],
    ['GET', '/files?__proto__=1', 'invalid-request'],
    ['GET', '/files?constructor=1', 'invalid-request'],
    ['PUT', '/files?nam=x', 'invalid-request'],
    ['PUT', '/files?name=a&name=b', 'invalid-request'],
    ['PUT', '/files?name=%', 'invalid-request'],
    ['PUT', '/files?name=%ED%A0%80', 'invalid-request'],
    ['PUT', '/files?name=', 'invalid-name'],
    ['PUT', '/files?name', 'invalid-name'],
    ['PUT', '/files?name=%00', 'invalid-name'],
    ['PUT', '/files?name=a%0D%0AX-Evil:1', 'invalid-name'],
    ['PUT', '/files?name=%7F', 'invalid-name'],
    ['PUT', '/files?name=%C2%85', 'invalid-name'],
  ])('%s %s is refused', async (method, path, code) => {
    await expectProblem(await send(method, path, method === 'PUT' ? { body: 'x' } : {}), code);
    if (method === 'PUT')
      await expectProblem(await send('PUT', path.replace('/files', `/files/${control.id}`), { body: 'x' }), code);
  });
});

describe('names', () => {
  it('of more than 1,024 bytes are refused, however few characters that are', async () => {
    for (const name of ['x'.repeat(1025), `${'😀'.repeat(256)}x`, 'é'.repeat(513)]) {
      await expectProblem(await client.tryPut(name, 'x'), 'invalid-name');
    }
    const file = await client.put('😀'.repeat(256), 'x');
    await client.remove(file.id);
  });

  it.each(['../../../../tmp/escape', '/etc/passwd', '..', 'node_1', 'C:\\x', 'con', '$(touch x)', '<script>'])(
    '%s is stored as a name, and nothing lies elsewhere',
    async (name) => {
      const before = (await shardPaths(server.storage)).length;
      const file = await client.put(name, 'x');
      expect(file.name).toBe(name);
      expect((await client.list(`?prefix=${encodeURIComponent(name)}`)).items[0]).toEqual(file);
      expect((await shardPaths(server.storage)).length).toBe(before + 2);
      expect((await client.remove(file.id)).status).toBe(204);
    },
  );
});

describe('an address', () => {
  const verbs: readonly (readonly [string, string])[] = [
    ['GET', ''],
    ['HEAD', ''],
    ['PUT', ''],
    ['PATCH', ''],
    ['DELETE', ''],
    ['GET', '/info'],
  ];
  const attempt = (method: string, path: string): Promise<Response> =>
    send(method, path, {
      ...(method === 'PUT' ? { body: 'x' } : {}),
      ...(method === 'PATCH' ? { body: '{"name":"x"}', headers: { 'content-type': 'application/json' } } : {}),
    });

  it.each(verbs)('%s with an id that is no UUID, or that no file has, is refused', async (method, suffix) => {
    for (const id of [
      '1',
      'abc',
      `${UNKNOWN}0`,
      UNKNOWN.replaceAll('-', ''),
      `{${UNKNOWN}}`,
      '..%2f..%2fetc',
      `${UNKNOWN}%00`,
      '😀',
    ]) {
      const response = await attempt(method, `/files/${encodeURI(decodeURI(id))}${suffix}`);
      expect([id, response.status]).toEqual([id, 400]);
      if (method !== 'HEAD') await expectProblem(response, 'invalid-id');
    }
    const unknown = await attempt(method, `/files/${UNKNOWN}${suffix}`);
    if (method === 'HEAD') expect(unknown.status).toBe(404);
    else await expectProblem(unknown, 'file-not-found');
  });

  it('takes an id in capitals for the same id', async () => {
    expect((await client.bytes(control.id.toUpperCase())).equals(CONTROL)).toBe(true);
  });

  it.each<[string, string, ErrorCode]>([
    ['POST', '/files', 'method-not-allowed'],
    ['POST', `/files/${UNKNOWN}`, 'method-not-allowed'],
    ['DELETE', '/files', 'method-not-allowed'],
    ['PUT', '/files/list', 'invalid-id'],
    ['DELETE', '/files/list', 'invalid-id'],
    ['GET', '/', 'route-not-found'],
    ['GET', '/filess', 'route-not-found'],
    ['GET', '/files/a/b/c', 'route-not-found'],
    ['GET', '/files/%E0%A4%A', 'invalid-request'],
    ['PUT', '/nodes/1', 'method-not-allowed'],
    ['DELETE', '/nodes', 'method-not-allowed'],
    ['GET', '/files/%2e%2e', 'invalid-id'],
    ['GET', '/nodes/%00', 'node-not-found'],
    ['GET', '/../../etc/passwd', 'route-not-found'],
    ['GET', '/docs/../../package.json', 'route-not-found'],
    ['GET', '/docs/..%2f..%2fpackage.json', 'route-not-found'],
  ])('%s %s is refused', async (method, path, code) => {
    await expectProblem(await sendAsIs(method, path), code);
  });
});

describe('a method that an address does not take', () => {
  it.each([
    ['POST', '/files', 'GET, HEAD, PUT'],
    ['POST', '/files/list', 'GET, HEAD'],
    ['POST', `/files/${UNKNOWN}`, 'DELETE, GET, HEAD, PATCH, PUT'],
    ['TRACE', '/nodes/1/', 'DELETE, GET, HEAD'],
    ['GET', '/nodes/1/drain?x', 'DELETE, POST'],
    ['DELETE', '/health', 'GET, HEAD'],
    ['POST', '/docs', 'GET, HEAD'],
  ])('%s %s: it takes %s', async (method, path, allowed) => {
    const response = await sendAsIs(method, path);
    expect(response.headers.get('allow')).toBe(allowed);
    await expectProblem(response, 'method-not-allowed');
  });

  it('is said of HEAD without a body', async () => {
    const response = await send('HEAD', '/reload');
    expect([response.status, response.headers.get('allow'), await response.text()]).toEqual([405, 'POST', '']);
  });

  it('is not said of OPTIONS', async () => {
    const response = await send('OPTIONS', '/files');
    expect(response.headers.get('allow')).toBeNull();
    await expectProblem(response, 'route-not-found');
  });
});

describe('an upload', () => {
  const bad: readonly [string, Record<string, string>, ErrorCode][] = [
    ['a part of a file', { 'content-range': 'bytes 0-3/10' }, 'partial-upload'],
    ['a coding', { 'content-encoding': 'gzip' }, 'unsupported-encoding'],
    ['two codings', { 'content-encoding': 'identity, br' }, 'unsupported-encoding'],
    ['the digest of other bytes', { 'repr-digest': `sha-256=:${digest('other')}:` }, 'invalid-digest'],
    ['the content digest of other bytes', { 'content-digest': `sha-256=:${digest('other')}:` }, 'invalid-digest'],
    ['a digest in hexadecimal digits', { 'repr-digest': `sha-256=${'ab'.repeat(32)}` }, 'invalid-digest'],
    ['a digest of a form', { 'repr-digest': `sha-256=:${digest('body')}:`, ...FORM_HEADERS }, 'invalid-digest'],
    ['a content type that is none', { 'content-type': 'nonsense' }, 'invalid-content-type'],
    ['a content type of 300 bytes', { 'content-type': `text/${'x'.repeat(300)}` }, 'invalid-content-type'],
    ['an empty name', { 'content-disposition': 'attachment; filename=""' }, 'invalid-name'],
    ['a control character in its name', { 'content-disposition': "attachment; filename*=UTF-8''a%00b" }, 'invalid-name'],
    ['too long a name', { 'content-disposition': `attachment; filename="${'x'.repeat(1025)}"` }, 'invalid-name'],
  ];
  it.each(bad)('with %s is refused', async (_what, headers, code) => {
    for (const path of ['/files', `/files/${control.id}`]) {
      await expectProblem(await send('PUT', path, { body: Buffer.from('body'), headers }), code);
    }
  });

  it('of which the digest turns out wrong after many slices leaves nothing', async () => {
    const headers = { 'repr-digest': `sha-256=:${digest('other')}:` };
    await expectProblem(await client.tryPut('big', someBytes(2_000_000), headers), 'invalid-digest');
    await expectProblem(await client.replace(control.id, someBytes(2_000_000), headers), 'invalid-digest');
  });

  it.each([
    [`PUT /files?name=short HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n`, 300_000],
    [`PUT /files?name=short HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n`, 300_000],
    [`PUT /files?name=short HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n`, 0],
  ])('that ends early is answered as incomplete or not at all, and leaves nothing: %j', async (head, bytes) => {
    for (const line of [head, head.replace('/files', `/files/${control.id}`)]) {
      const answer = await exchange(server.url, Buffer.concat([Buffer.from(line), someBytes(bytes)]), { half: true });
      expect(answer.isClosed).toBe(true);
      if (answer.text !== '') expect(responseOf(answer).status).toBe(400);
    }
  });

  it('that is longer than announced is refused, or stored as announced and the rest refused', async () => {
    const head = 'PUT /files?name=long HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n';
    const answer = await exchange(server.url, `${head}hello, and this was not announced\r\n\r\n`);
    expect(answer.isClosed).toBe(true);
    const statuses = answer.text.split('HTTP/1.1').map((text) => text.slice(1, 4));
    expect(statuses.at(-1)).toBe('400');
    const stored = (await client.listAll()).filter(({ name }) => name === 'long');
    if (statuses.includes('201')) expect(stored).toHaveLength(1);
    for (const { id } of stored) {
      expect((await client.bytes(id)).toString()).toBe('hello');
      await client.remove(id);
    }
  });

  it('that stops in the middle of 20 MB leaves nothing, on a new file and on one that it would replace', async () => {
    for (const path of ['/files?name=gone', `/files/${control.id}`]) {
      const socket = await openSocket(server.url);
      socket.write(`PUT ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n`);
      const piece = someBytes(MiB);
      for (let sent = 0; sent < 10; sent += 1) {
        if (!socket.write(piece)) await new Promise((resolve) => socket.once('drain', resolve));
      }
      // Some of it has arrived: there is something to be left behind.
      const deadline = Date.now() + 5000;
      while ((await shardPaths(server.storage)).length <= shardsOfControl.length + 10 && Date.now() < deadline) await sleep(10);
      expect((await shardPaths(server.storage)).length).toBeGreaterThan(shardsOfControl.length + 10);
      socket.destroy();
      await expectOnlyControlShards();
    }
  });
});

describe('a form', () => {
  const good = { disposition: 'name="file"; filename="a.txt"', contentType: 'text/plain', body: someBytes(150_000) };
  const forms: readonly [string, Buffer][] = [
    ['without a part', form()],
    ['with a field and no file', form({ disposition: 'name="file"', body: 'x' })],
    ['with two files', form(good, good)],
    ['with two files, the second of another name', form(good, { ...good, disposition: 'name="other"; filename="b"' })],
    ['with a part of another name', form({ ...good, disposition: 'name="upload"; filename="b"' })],
    ['with a field before the file', form({ disposition: 'name="title"', body: 'x' }, good)],
    ['with a field behind the file', form(good, { disposition: 'name="title"', body: 'x' })],
    ['with 1,000 fields', form(...Array.from({ length: 1000 }, () => ({ disposition: 'name="x"', body: 'x' })))],
    ['cut off in the file', form(good).subarray(0, 70_000)],
    ['cut off in the headers of the part', form(good).subarray(0, 60)],
    ['cut off before the last boundary', form(good).subarray(0, -BOUNDARY.length - 6)],
    ['cut off in the last boundary', form(good).subarray(0, -6)],
    ['of nothing', Buffer.alloc(0)],
    ['of garbage', someBytes(100_000)],
    ['with another boundary', Buffer.from(form(good).toString('latin1').replaceAll(BOUNDARY, 'other'), 'latin1')],
    ['with headers without an end', Buffer.from(`--${BOUNDARY}\r\n${'X-A: b\r\n'.repeat(20_000)}`)],
  ];

  it.each(forms)('%s is refused', async (_what, body) => {
    for (const path of ['/files', `/files/${control.id}`, '/files?name=x']) {
      await expectProblem(await send('PUT', path, { body: new Uint8Array(body), headers: FORM_HEADERS }), 'invalid-multipart');
    }
  });

  it('without a boundary is refused', async () => {
    for (const type of ['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; charset=utf-8']) {
      const response = await send('PUT', '/files', { body: new Uint8Array(form(good)), headers: { 'content-type': type } });
      await expectProblem(response, 'invalid-multipart');
    }
  });

  it.each([
    ['a tab', 'a\tb'],
    ['1,025 bytes', 'x'.repeat(1025)],
    ['a C1 control character', '\u0085'],
  ])('with %s in the name is refused', async (_what, name) => {
    const body = form({ ...good, disposition: `name="file"; filename="${name}"` });
    await expectProblem(await send('PUT', '/files', { body, headers: FORM_HEADERS }), 'invalid-name');
    // Cut off as well: a part that nobody reads any more must not end the process.
    await expectProblem(await send('PUT', '/files', { body: body.subarray(0, 100_000), headers: FORM_HEADERS }), 'invalid-name');
  });

  it('whose client leaves in the middle leaves nothing', async () => {
    const socket = await openSocket(server.url);
    const head = `PUT /files HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM_HEADERS['content-type']}\r\nContent-Length: 9000000\r\n\r\n`;
    socket.write(head);
    socket.write(form({ ...good, body: someBytes(5_000_000) }).subarray(0, 4_000_000));
    const deadline = Date.now() + 5000;
    while ((await shardPaths(server.storage)).length <= shardsOfControl.length && Date.now() < deadline) await sleep(10);
    expect((await shardPaths(server.storage)).length).toBeGreaterThan(shardsOfControl.length);
    socket.destroy();
    await expectOnlyControlShards();
  });
});

describe('a connection', () => {
  it('with 64 KiB of headers gets 431', async () => {
    const head = `GET /files HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'a'.repeat(64 * 1024)}\r\n\r\n`;
    await expectProblem(responseOf(await exchange(server.url, head)), 'headers-too-large');
    const many = `GET /files HTTP/1.1\r\nHost: localhost\r\n${'X-Many: 1\r\n'.repeat(6000)}\r\n`;
    await expectProblem(responseOf(await exchange(server.url, many)), 'headers-too-large');
  });

  it.each([
    ['a greeting', 'hello\r\n\r\n'],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex')],
    ['noise', someBytes(1000)],
    ['an unknown method', 'BREW /files HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['an unknown version', 'GET /files HTTP/9.9\r\nHost: localhost\r\n\r\n'],
    ['two lengths', 'PUT /files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
    [
      'a length and chunks',
      'PUT /files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a length below 0', 'PUT /files HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n'],
    ['a length that is no number', 'PUT /files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1e3\r\n\r\n'],
    ['a header with NUL', 'GET /files HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n'],
  ])('that sends %s gets 400 and is closed', async (_what, bytes) => {
    const answer = await exchange(server.url, bytes);
    expect(answer.isClosed).toBe(true);
    await expectProblem(responseOf(answer), 'invalid-request');
  });

  it.each([
    ['a chunk without a size', 'PUT /files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello'],
    ['no host', 'GET /files HTTP/1.1\r\n\r\n'],
    ['a method for proxies', 'CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    [
      'an expectation that nobody meets',
      'PUT /files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\nx',
    ],
  ])('that sends %s gets a 4xx, or nothing, and is closed', async (_what, bytes) => {
    const answer = await exchange(server.url, bytes);
    expect(answer.isClosed).toBe(true);
    expect(answer.text).toMatch(/^$|^HTTP\/1\.1 4\d\d /);
  });

  it.each<[string, string, string, ErrorCode]>([
    ['no file', `PUT /files/${UNKNOWN}`, 'Content-Length: 5', 'file-not-found'],
    ['another version', 'PUT /files/ID', 'Content-Length: 5\r\nIf-Match: "x"', 'precondition-failed'],
    ['a bad name', 'PUT /files?name=%00', 'Content-Length: 5', 'invalid-name'],
    ['a bad type', 'PUT /files', 'Content-Length: 5\r\nContent-Type: nonsense', 'invalid-content-type'],
    ['a form without a boundary', 'PUT /files', 'Content-Length: 5\r\nContent-Type: multipart/form-data', 'invalid-multipart'],
    ['an encoding', 'PUT /files', 'Content-Length: 5\r\nContent-Encoding: gzip', 'unsupported-encoding'],
    ['no JSON', 'PATCH /files/ID', 'Content-Length: 5\r\nContent-Type: text/plain', 'unsupported-media-type'],
    ['long JSON', 'PATCH /files/ID', 'Content-Length: 9999999\r\nContent-Type: application/json', 'body-too-large'],
    ['no route', 'PUT /nodes/1', 'Content-Length: 5', 'method-not-allowed'],
  ])(
    'that asks first (Expect: 100-continue) and has %s is refused without being told to go on',
    async (...[, line, head, code]) => {
      const start = `${line.replace('ID', control.id)} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue`;
      const answer = await exchange(server.url, `${start}\r\n${head}\r\n\r\n`);
      expect(answer.isClosed).toBe(true);
      expect(answer.text).not.toContain('100 Continue');
      await expectProblem(responseOf(answer), code);
    },
  );

  it('that sends garbage in the middle of a download never finds an error among the bytes of the file', async () => {
    const bytes = someBytes(16_000_000, 4);
    const big = await client.put('big', bytes);
    const socket = await openSocket(server.url);
    socket.write(`GET /files/${big.id} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await new Promise((resolve) => socket.once('readable', resolve));
    socket.write('this is no HTTP\r\n\r\n');
    await sleep(200);
    const pieces: Buffer[] = [];
    try {
      for await (const chunk of socket) pieces.push(chunk as Buffer);
    } catch {
      // reset: what came before it counts
    }
    const all = Buffer.concat(pieces);
    const body = all.subarray(all.indexOf('\r\n\r\n') + 4);
    expect(body.length).toBeGreaterThan(0);
    expect(body.length).toBeLessThan(bytes.length);
    expect(body.equals(bytes.subarray(0, body.length))).toBe(true);
    expect((await client.remove(big.id)).status).toBe(204);
  });

  it('that leaves in the middle of a download does no harm', async () => {
    const big = await client.put('big', someBytes(16_000_000, 3));
    for (let round = 0; round < 5; round += 1) {
      const socket = await openSocket(server.url);
      socket.write(`GET /files/${big.id} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      await new Promise((resolve) => socket.once('readable', resolve));
      socket.destroy();
    }
    expect((await client.bytes(big.id)).equals(someBytes(16_000_000, 3))).toBe(true);
    // Its shards can be deleted: none of the readers that left still holds the version.
    expect((await client.remove(big.id)).status).toBe(204);
    await expectOnlyControlShards();
  });
});

describe('connections that send nothing, or too slowly', () => {
  const HEADERS_MS = 3000;
  let small: TestServer;

  beforeAll(async () => {
    small = await TestServer.start({
      config: { node_count: 2, pack_below: 0, limits: { headers_ms_max: HEADERS_MS, idle_ms_max: 2000 } },
    });
  });

  afterAll(async () => {
    await small.remove();
  });

  it('10,000 of them neither stop a request nor stay', async () => {
    const { hostname, port } = new URL(small.url);
    const script = join(process.cwd(), 'test', 'support', 'idle-connections.mjs');
    const child = spawn(process.execPath, [script, hostname, port, '10000'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const counts = JSON.parse((await lines.next()).value as string) as { readonly opened: number; readonly open: number };
      // A machine that allows fewer open files still proves the same with those.
      expect(counts.opened).toBeGreaterThan(900);
      expect(counts.open).toBeGreaterThan(0);
      const began = Date.now();
      const other = new Client(small.url);
      const file = await other.put('meanwhile', 'served');
      expect((await other.bytes(file.id)).toString()).toBe('served');
      expect(Date.now() - began).toBeLessThan(2000);
      expect(JSON.parse((await lines.next()).value as string)).toEqual({ open: 0 });
      expect((await other.bytes(file.id)).toString()).toBe('served');
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('headers that come byte by byte are ended with 408, however often something comes', async () => {
    const socket = await openSocket(small.url);
    const drip = setInterval(() => socket.write('a'), 200);
    try {
      socket.write('GET /files HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
      const answer = await readToEnd(socket, HEADERS_MS + 3000);
      expect(answer.isClosed).toBe(true);
      await expectProblem(responseOf(answer), 'request-timeout');
    } finally {
      clearInterval(drip);
      socket.destroy();
    }
  });

  it('a body that stops coming is given up, and leaves nothing', async () => {
    const before = (await shardPaths(small.storage)).length;
    const socket = await openSocket(small.url);
    try {
      socket.write('PUT /files?name=stalled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n');
      socket.write(someBytes(2_500_000));
      expect((await readToEnd(socket, 6000)).isClosed).toBe(true);
    } finally {
      socket.destroy();
    }
    await sleep(500);
    expect((await shardPaths(small.storage)).length).toBe(before);
    expect((await new Client(small.url).listAll()).map(({ name }) => name)).not.toContain('stalled');
  });
});

describe('limits of the configuration', () => {
  it('refuse a body that is too large, whether it says so or not, and leave nothing', async () => {
    const bounded = await TestServer.start({ config: { node_count: 2, limits: { body_bytes_max: 100_000 } } });
    try {
      const other = new Client(bounded.url);
      await expectProblem(await other.tryPut('announced', someBytes(100_001)), 'body-too-large');
      const asking = 'PUT /files HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n';
      await expectProblem(responseOf(await exchange(bounded.url, asking)), 'body-too-large'); // and not 100 first
      const stream = new ReadableStream({
        start: (controller) => {
          for (let sent = 0; sent < 10; sent += 1) controller.enqueue(someBytes(20_000));
          controller.close();
        },
      });
      await expectProblem(await other.tryPut('streamed', stream), 'body-too-large');
      const body = form({ disposition: 'name="file"; filename="x"', body: someBytes(100_001) });
      await expectProblem(await other.tryPut('form', body, FORM_HEADERS), 'body-too-large');
      expect((await other.put('fits', someBytes(100_000))).size).toBe(100_000);
      expect((await other.listAll()).map(({ name }) => name)).toEqual(['fits']);
    } finally {
      await bounded.remove();
    }
  });
});

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
