/**
 * Uploads and downloads in their usual form are answered without Express, in any other form through it. Which of the two it was must not be
 * seen: each case here is asked both ways.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { someBytes } from '../support/bytes.js';
import { Client, type FileJson } from '../support/client.js';
import { expectProblem } from '../support/problems.js';
import { exchange, openSocket, readToEnd, responseOf } from '../support/raw-http.js';
import { TestServer } from '../support/server.js';
import { shardPaths } from '../support/storage-files.js';

const UNKNOWN = '01920000-0000-7000-8000-00000000000a';

let server: TestServer;
let client: Client;
let file: FileJson;

beforeAll(async () => {
  server = await TestServer.start({ config: { size_per_slice: 100_000 } });
  client = new Client(server.url);
  file = await client.put('naïve.txt', '0123456789', { 'content-type': 'text/digits' });
});

afterAll(async () => {
  await server.remove();
});

interface Ask {
  readonly method: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request as text, so that nothing tidies its address up. */
function textOf({ method, target, headers = {}, body }: Ask): string {
  const lines = Object.entries({
    host: 'localhost',
    ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...headers,
  });
  return `${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body ?? ''}`;
}

async function ask(request: Ask): Promise<Response> {
  return responseOf(await exchange(server.url, textOf({ ...request, headers: { connection: 'close', ...request.headers } })));
}

/** Everything of an answer that is the same each time: names and values of its headers, and its body if it is not a new record. */
async function essence(response: Response): Promise<object> {
  const everyTime = [
    'date',
    'x-request-id',
    ...(response.status < 300 ? ['location', 'etag', 'last-modified', 'content-length'] : []),
  ];
  const headers = [...response.headers].map(([name, value]) => (everyTime.includes(name) ? name : `${name}: ${value}`));
  return { status: response.status, headers, body: response.status === 201 ? '' : await response.text() };
}

/** Other ways to write the same address. */
const sameAddress: readonly (readonly [string, (target: string) => string])[] = [
  ['in capitals', (target) => target.replace(/^[^?]*/, (path) => path.toUpperCase())],
  ['with a slash at its end', (target) => target.replace(/^[^?]*/, '$&/')],
  ['in its absolute form', (target) => `http://x${target}`],
  [
    'with an escape',
    (target) => target.replace('files', 'fil%65s').replace('fil%65s/0', 'files/%30').replace('fil%65s', 'files'),
  ],
  ['with an empty part of a query', (target) => `${target}${target.includes('?') ? '&' : '?'}`],
];

describe.each(sameAddress)('an address %s', (_what, other) => {
  const reads: readonly [string, Ask['headers'] & object][] = [
    ['all', {}],
    ['a range', { range: 'bytes=2-5' }],
    ['a range of this version', { range: 'bytes=2-5', 'if-range': 'ETAG' }],
    ['a range of another version', { range: 'bytes=2-5', 'if-range': '"x"' }],
    ['a range outside', { range: 'bytes=99-' }],
    ['what is not modified', { 'if-none-match': 'ETAG' }],
    ['another version', { 'if-match': '"x"' }],
    ['a request with an id that is too long for a log', { 'x-request-id': 'x'.repeat(65) }],
  ];
  it.each(reads)('answers GET and HEAD of %s as the usual one does', async (_read, headers) => {
    const withTag = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('ETAG', file.etag)]));
    for (const method of ['GET', 'HEAD']) {
      for (const id of [file.id, UNKNOWN]) {
        const target = `/files/${id}`;
        const [usual, unusual] = [target, other(target)].map((address) => ask({ method, target: address, headers: withTag }));
        expect(await essence(await unusual!)).toEqual(await essence(await usual!));
      }
    }
  });

  const writes: readonly [string, string, Ask['headers'] & object][] = [
    ['a name', '?name=a%20b+c=d', {}],
    ['no name', '', {}],
    ['a name in a header', '', { 'content-disposition': 'attachment; filename="x"' }],
    ['an empty name', '?name=', {}],
    ['a name that is not percent-encoded', '?name=%', {}],
    ['a name with a control character', '?name=%00', {}],
    ['another digest', '?name=d', { 'repr-digest': `sha-256=:${createHash('sha256').digest('base64')}:` }],
    ['a bad type', '?name=t', { 'content-type': 'nonsense' }],
    ['a coding', '?name=t', { 'content-encoding': 'gzip' }],
    ['a part of a file', '?name=t', { 'content-range': 'bytes 0-1/5' }],
    ['a form that is none', '', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['a condition that does not hold', '', { 'if-match': '"x"' }],
  ];
  it.each(writes)('answers PUT with %s as the usual one does', async (_write, query, headers) => {
    const own = await client.put('own', 'x');
    for (const path of ['/files', `/files/${own.id}`, `/files/${UNKNOWN}`]) {
      const target = `${path}${query}`;
      const put = { method: 'PUT', headers, body: 'bytes' };
      const usual = await ask({ ...put, target });
      const unusual = await ask({ ...put, target: other(target) });
      if (usual.status === 200) {
        const records = [(await usual.json()) as FileJson, (await unusual.json()) as FileJson];
        expect(records[0]).toEqual({
          ...records[1],
          versionId: expect.any(String),
          etag: expect.any(String),
          updatedAt: expect.any(String),
        });
      } else expect(await essence(unusual)).toEqual(await essence(usual));
    }
  });
});

describe('an address that is nearly usual', () => {
  it.each([
    ['PUT', '/files?name=a&name=b', 'invalid-request'],
    ['PUT', '/files?nam=a', 'invalid-request'],
    ['PUT', '/files?name=a&x=b', 'invalid-request'],
    ['PUT', `/files/${UNKNOWN}0?name=a`, 'invalid-id'],
    ['PUT', '/files//?name=a', 'route-not-found'],
    ['PUT', '/files/00000000-0000-f000-0000-000000000001', 'invalid-id'],
    ['GET', '/files/00000000-0000-f000-0000-000000000001', 'invalid-id'],
    ['GET', `/files/${UNKNOWN}/`, 'file-not-found'],
    ['GET', `/files/${UNKNOWN}?name=a`, 'file-not-found'],
    ['GET', `/files/${UNKNOWN}/info/x`, 'route-not-found'],
    ['POST', '/files?name=a', 'method-not-allowed'],
  ] as const)('%s %s is answered %s', async (method, target, code) => {
    await expectProblem(await ask({ method, target, ...(method === 'PUT' ? { body: 'x' } : {}) }), code);
  });

  it('decodes a name once', async () => {
    for (const [query, name] of [
      ['name=%2541', '%41'],
      ['name=a+b%2Bc', 'a b+c'],
      ['name=a=b?c/d', 'a=b?c/d'],
      ['name=na%C3%AFve', 'naïve'],
    ] as const) {
      const stored = (await (await ask({ method: 'PUT', target: `/files?${query}`, body: 'x' })).json()) as FileJson;
      expect(stored.name).toBe(name);
    }
  });
});

describe('a connection with several requests', () => {
  it('answers them in their order, though they were sent at once', async () => {
    const get = textOf({ method: 'GET', target: `/files/${file.id}` });
    const requests = [
      get,
      textOf({ method: 'PUT', target: '/files?name=piped', body: 'piped' }),
      textOf({ method: 'HEAD', target: `/files/${file.id}` }),
      textOf({ method: 'GET', target: `/files/${UNKNOWN}` }),
      textOf({ method: 'GET', target: '/files?limit=1', headers: { connection: 'close' } }),
    ];
    const { text, isClosed } = await exchange(server.url, requests.join(''));
    expect(isClosed).toBe(true);
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '201', '200', '404', '200']);
  });

  it('goes on after an error that is seen behind the body', async () => {
    const headers = { 'repr-digest': `sha-256=:${createHash('sha256').digest('base64')}:` };
    const bad = textOf({ method: 'PUT', target: '/files?name=digest', headers, body: 'x'.repeat(1000) });
    const last = textOf({ method: 'GET', target: `/files/${file.id}`, headers: { connection: 'close' } });
    const { text } = await exchange(server.url, bad + last);
    expect(text).toMatch(/^HTTP\/1\.1 400 [^]*HTTP\/1\.1 200 [^]*0123456789$/);
  });

  it('ends after an error whose body has not arrived', async () => {
    const bad = 'PUT /files?name=%00 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nxx';
    const answer = await exchange(server.url, bad);
    expect(answer.isClosed).toBe(true);
    expect(answer.text).toMatch(/^HTTP\/1\.1 400 [^]*\r\nconnection: close\r\n/i);
  });
});

describe('a small body', () => {
  const bytes = someBytes(5000);

  it('is the same whether it comes at once, in pieces, in chunks or after an invitation', async () => {
    const head = `PUT /files?name=small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
    const ways: readonly (readonly [string, readonly Uint8Array[]])[] = [
      ['Content-Length: 5000', [bytes]],
      ['Content-Length: 5000', [bytes.subarray(0, 1), bytes.subarray(1, 3000), bytes.subarray(3000)]],
      ['Expect: 100-continue\r\nContent-Length: 5000', [bytes]],
      ['Transfer-Encoding: chunked', [Buffer.from('1388\r\n'), bytes, Buffer.from('\r\n0\r\n\r\n')]],
    ];
    for (const [lines, pieces] of ways) {
      const socket = await openSocket(server.url);
      socket.write(`${head}${lines}\r\n\r\n`);
      for (const piece of pieces) {
        await sleep(20);
        socket.write(piece);
      }
      const { text } = await readToEnd(socket);
      expect(text.startsWith('HTTP/1.1 100 Continue\r\n\r\n')).toBe(lines.startsWith('Expect'));
      const { id, size } = JSON.parse(text.slice(text.lastIndexOf('\r\n\r\n'))) as FileJson;
      expect(size).toBe(5000);
      expect((await client.bytes(id)).equals(bytes)).toBe(true);
    }
  });

  it('whose client leaves in the middle leaves nothing, and the log tells of it', async () => {
    const before = (await shardPaths(server.storage)).length;
    const socket = await openSocket(server.url);
    socket.write(
      'PUT /files?name=gone HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: has-left\r\nContent-Length: 5000\r\n\r\nhalf',
    );
    await sleep(100);
    socket.destroy();
    for (let deadline = Date.now() + 3000; Date.now() < deadline && !server.logs().includes('has-left');) await sleep(20);
    expect(lineOf('has-left')).toMatchObject({ msg: 'request aborted' });
    expect((await shardPaths(server.storage)).length).toBe(before);
    expect((await client.list('?prefix=gone')).items).toEqual([]);
  });
});

/** The line that tells the end of a request. */
function lineOf(id: string): Record<string, unknown> | undefined {
  const lines = server
    .logs()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .find(({ req }) => (req as { id?: string } | undefined)?.id === id);
}

describe('the log', () => {
  it('has the same line of a request whichever way it took', async () => {
    const asks: readonly (readonly [string, string, string | undefined])[] = [
      ['GET', `/files/${file.id}`, undefined],
      ['GET', `/files/${UNKNOWN}`, undefined],
      ['PUT', '/files?name=logged', 'x'],
      ['PUT', '/files?name=%00', 'x'],
    ];
    for (const [at, [method, target, body]] of asks.entries()) {
      const lines: unknown[] = [];
      for (const [way, address] of [target, `http://x${target}`].entries()) {
        const id = `logged-${at}-${way}`;
        const headers = { 'x-request-id': id };
        expect(
          (await ask({ method, target: address, headers, ...(body === undefined ? {} : { body }) })).headers.get('x-request-id'),
        ).toBe(id);
        for (let deadline = Date.now() + 3000; Date.now() < deadline && lineOf(id) === undefined;) await sleep(20);
        const { time, responseTime, req, reqId, ...rest } = lineOf(id)!;
        expect([typeof time, typeof responseTime, reqId]).toEqual(['number', 'number', id]);
        expect(Object.keys(lineOf(id)!)).toEqual([
          'level',
          'time',
          'pid',
          'hostname',
          'reqId',
          'req',
          'res',
          'responseTime',
          'msg',
        ]);
        lines.push({ ...rest, keys: Object.keys(req as object) });
      }
      expect(lines[0]).toEqual(lines[1]);
    }
  });
});
