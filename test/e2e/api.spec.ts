import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse as parseYaml } from 'yaml';
import { someBytes } from '../support/bytes.js';
import { Client, type FileJson, type PageJson } from '../support/client.js';
import { form, FORM_HEADERS } from '../support/multipart.js';
import { expectProblem } from '../support/problems.js';
import { exchange, responseOf } from '../support/raw-http.js';
import { TestServer } from '../support/server.js';
import { shardPaths, shardsOf } from '../support/storage-files.js';
import { randomOf } from '../support/storage-node.shards.js';

const SLICE = 100_000;
const SEGMENT = 65_536;
const PLAIN_SEGMENT = 65_504;
/** No multiple of a slice or a segment. */
const MODEL = someBytes(3_300_017);

let server: TestServer;
let client: Client;
let model: FileJson;

beforeAll(async () => {
  server = await TestServer.start({ config: { size_per_slice: SLICE, pack_below: 0 } });
  client = new Client(server.url);
  model = await client.put('model.bin', MODEL, { 'content-type': 'application/x-model' });
});

afterAll(async () => {
  await server.remove();
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64');
}

async function json<Type>(path: string, init: RequestInit = {}): Promise<Type> {
  const response = await fetch(`${server.url}${path}`, init);
  expect(response.status).toBe(200);
  return (await response.json()) as Type;
}

/** When a file was changed, as HTTP says it, and a second before. */
async function datesOf(id: string): Promise<{ readonly earlier: string; readonly same: string }> {
  const same = (await client.get(id)).headers.get('last-modified')!;
  return { earlier: new Date(Date.parse(same) - 1000).toUTCString(), same };
}

/** Preconditions beside If-Match that a change of a file must fail by. */
function refusedOnce({ etag }: FileJson, earlier: string): readonly Record<string, string>[] {
  return [
    { 'if-unmodified-since': earlier },
    { 'if-unmodified-since': earlier, 'if-none-match': '"x"' },
    ...['*', etag, `W/${etag}`, `"x", ${etag}`].map((tags) => ({ 'if-none-match': tags })),
    { 'if-none-match': etag, 'if-match': etag },
  ];
}

describe('PUT /files with raw bytes', () => {
  it('answers 201 with the record and where it is', async () => {
    const response = await client.tryPut('a.txt', Buffer.from('hello'), { 'content-type': 'text/x-greeting; charset=utf-8' });
    expect(response.status).toBe(201);
    const file = (await response.json()) as FileJson;
    expect(response.headers.get('location')).toBe(`/files/${file.id}`);
    expect(response.headers.get('etag')).toBe(file.etag);
    expect(file).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      name: 'a.txt',
      size: 5,
      contentType: 'text/x-greeting; charset=utf-8',
      versionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      etag: `"${file.versionId}"`,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: file.createdAt,
    });
    expect(Math.abs(Date.parse(file.createdAt) - Date.now())).toBeLessThan(10_000);
  });

  it.each([
    ['a quoted string', 'attachment; filename="plain name.txt"', 'plain name.txt'],
    ['a quoted string with escapes', 'attachment; filename="a \\"quoted\\" \\\\ name"', 'a "quoted" \\ name'],
    ['a token', 'inline; filename=token.txt', 'token.txt'],
    ['RFC 8187', "attachment; filename*=UTF-8''na%C3%AFve%20%F0%9F%98%80.txt", 'naïve 😀.txt'],
    ['RFC 8187, which wins over the fallback', `attachment; filename="x"; filename*=UTF-8''%E2%82%AC`, '€'],
    ['raw UTF-8, as clients send it that do not know RFC 8187', 'attachment; filename="naïve 😀.txt"', 'naïve 😀.txt'],
    ['a path, which is a name', 'attachment; filename="../../etc/passwd"', '../../etc/passwd'],
  ])('takes the name of Content-Disposition in %s', async (_what, header, name) => {
    const answer = await exchange(
      server.url,
      `PUT /files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Disposition: ${header}\r\nContent-Length: 1\r\n\r\nx`,
    );
    expect(JSON.parse(await responseOf(answer).text())).toMatchObject({ name, size: 1 });
  });

  it('prefers the name of the query, and takes the id when there is none', async () => {
    const disposition = { 'content-disposition': 'attachment; filename="header"' };
    expect((await client.put('query', 'x', disposition)).name).toBe('query');
    const file = (await (await fetch(`${server.url}/files`, { method: 'PUT', body: 'x' })).json()) as FileJson;
    expect(file.name).toBe(file.id);
  });

  it.each([
    ['application/json', '{ "a" : 1 }\n\n'],
    ['application/json', '{"broken'],
    ['application/x-www-form-urlencoded', 'a=1&b=%zz'],
    ['text/plain', 'text\r\n'],
    ['multipart/mixed; boundary=x', '--x\r\n\r\nnot a form\r\n--x--'],
  ])('stores %s byte for byte', async (contentType, text) => {
    const file = await client.put('typed', text, { 'content-type': contentType });
    const response = await client.get(file.id);
    expect(response.headers.get('content-type')).toBe(contentType);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from(text));
  });

  it('takes a body without a length, an empty one too, and calls bytes without a type octet-stream', async () => {
    for (const chunks of [[], ['ab', 'c']]) {
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          for (const chunk of chunks) controller.enqueue(Buffer.from(chunk));
          controller.close();
        },
      });
      const file = await client.put('chunked', body);
      expect(file).toMatchObject({ size: chunks.join('').length, contentType: 'application/octet-stream' });
      expect((await client.bytes(file.id)).toString()).toBe(chunks.join(''));
    }
  });

  it('tells a client that asks first (Expect: 100-continue) to go on', async () => {
    const head =
      'PUT /files?name=e HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n';
    const { text } = await exchange(server.url, `${head}ok`);
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
  });

  it('tells a client with a form to go on once, and one with JSON', async () => {
    const body = form({ disposition: 'name="file"; filename="e"', body: 'ok' }).toString('latin1');
    const type = `Content-Type: ${FORM_HEADERS['content-type']}\r\nContent-Length: ${body.length}`;
    const head = 'HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue';
    const stored = await exchange(server.url, `PUT /files ${head}\r\n${type}\r\n\r\n${body}`);
    expect(stored.text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
    const { id } = await client.put('e', 'x');
    const json = 'Content-Type: application/json\r\nContent-Length: 13';
    const patched = await exchange(server.url, `PATCH /files/${id} ${head}\r\n${json}\r\n\r\n{"name":"e2"}`);
    expect(patched.text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  it('takes a body that is sent only after 100 Continue', async () => {
    const answer = await new Promise<[string, number | undefined]>((resolve, reject) => {
      let order = '';
      const request = httpRequest(`${server.url}/files?name=patient`, { method: 'PUT', headers: { expect: '100-continue' } });
      request.once('continue', () => {
        order += 'continue';
        request.end('body');
      });
      request.once('error', reject);
      request.once('response', (response) => {
        response.resume();
        resolve([order, response.statusCode]);
      });
      request.flushHeaders();
    });
    expect(answer).toEqual(['continue', 201]);
  });

  it('takes a digest of the body and stores what has it', async () => {
    for (const header of ['repr-digest', 'content-digest']) {
      const digests = `sha-512=:AAAA:, sha-256=:${sha256(Buffer.from('digested'))}:`;
      expect((await client.put('digested', 'digested', { [header]: digests })).size).toBe(8);
    }
  });
});

describe('PUT /files with a form', () => {
  it.each([
    ['as curl writes it', 'name="file"; filename="photo.jpg"', 'photo.jpg'],
    ['in Unicode', 'name="file"; filename="Füße 写真 😀.jpg"', 'Füße 写真 😀.jpg'],
    ['like a path', 'name="file"; filename="../a/b/../c.jpg"', '../a/b/../c.jpg'],
    ['like a path of Windows', 'name="file"; filename="C:\\fakepath\\d.jpg"', 'C:\\fakepath\\d.jpg'],
    ['with a semicolon', 'name="file"; filename="a;b=c.jpg"', 'a;b=c.jpg'],
    ['with a quote as browsers write it', 'name="file"; filename="12%22 disk.jpg"', '12" disk.jpg'],
    ['with a quote as old curls write it', 'name="file"; filename="12\\" disk.jpg"', '12" disk.jpg'],
    ['with a percent sign, which browsers do not escape', 'name="file"; filename="100%.jpg"', '100%.jpg'],
  ])('takes a name %s', async (_what, disposition, name) => {
    const body = form({ disposition, contentType: 'image/jpeg', body: 'pixels' });
    const response = await fetch(`${server.url}/files`, { method: 'PUT', headers: FORM_HEADERS, body });
    const file = (await response.json()) as FileJson;
    expect(response.status).toBe(201);
    expect(file).toMatchObject({ name, size: 6, contentType: 'image/jpeg' });
    expect((await client.bytes(file.id)).toString()).toBe('pixels');
  });

  it('stores what FormData of a browser sends, byte for byte, beyond one slice', async () => {
    const bytes = someBytes(333_333, 2);
    const body = new FormData();
    body.set('file', new Blob([bytes], { type: 'image/png' }), 'übergroß.png');
    const file = (await (await fetch(`${server.url}/files`, { method: 'PUT', body })).json()) as FileJson;
    expect(file).toMatchObject({ name: 'übergroß.png', size: bytes.length, contentType: 'image/png' });
    expect(sha256(await client.bytes(file.id))).toBe(sha256(bytes));
  });

  it('keeps bytes that look like the boundary, takes the name of the query, and an empty file', async () => {
    const bytes = Buffer.from(`\r\n--${FORM_HEADERS['content-type'].split('=')[1]!.slice(0, -1)}\r\n--\r\n`);
    const upload = async (body: Uint8Array, query: string): Promise<FileJson> => {
      const part = form({ disposition: 'name="file"; filename=""', body });
      const init = { method: 'PUT', headers: FORM_HEADERS, body: part };
      return (await (await fetch(`${server.url}/files${query}`, init)).json()) as FileJson;
    };
    const file = await upload(bytes, '?name=tricky');
    expect(file.name).toBe('tricky');
    expect(await client.bytes(file.id)).toEqual(bytes);
    const empty = await upload(Buffer.alloc(0), '');
    expect(empty).toMatchObject({ name: empty.id, size: 0 });
  });
});

describe('sizes', () => {
  const sealed = (plain: number): number => plain + 32 * Math.max(1, Math.ceil(plain / PLAIN_SEGMENT));
  const plainOfSealed = (size: number): number => size - 32 * Math.ceil(size / SEGMENT);
  const sizes = [0, 1, 65_503, 65_504, 65_505, 2 * PLAIN_SEGMENT, SLICE - 1, SLICE, SLICE + 1];
  const bySeal = [SLICE - 1, SLICE, SLICE + 1, 2 * SLICE].map(plainOfSealed);

  it.each([...sizes, ...bySeal])('%d bytes come back equal, whole and by their ends', async (size) => {
    const bytes = someBytes(size, size + 7);
    const file = await client.put(`size ${size}`, bytes);
    expect(file.size).toBe(size);
    expect((await client.bytes(file.id)).equals(bytes)).toBe(true);
    if (size > 0) {
      expect(await client.bytes(file.id, { range: 'bytes=-1' })).toEqual(bytes.subarray(-1));
      expect(await client.bytes(file.id, { range: 'bytes=0-0' })).toEqual(bytes.subarray(0, 1));
    }
    const info = await json<InfoJson>(`/files/${file.id}/info`);
    expect(info.layout).toMatchObject({ sealedSize: sealed(size), stripes: Math.ceil(sealed(size) / SLICE) });
  });

  it('covers a sealed body of a slice less a byte, a slice, and a slice and a byte', () => {
    expect(bySeal.map(sealed)).toEqual([SLICE - 1, SLICE, SLICE + 1, 2 * SLICE]);
  });
});

describe('PUT /files/{id}', () => {
  it('replaces the content, and the name and type only if they are given', async () => {
    const file = await client.put('keep.txt', 'one', { 'content-type': 'text/one' });
    const second = await client.replace(file.id, Buffer.from('second'));
    const replaced = (await second.json()) as FileJson;
    expect(second.status).toBe(200);
    expect(second.headers.get('etag')).toBe(replaced.etag);
    expect(replaced).toMatchObject({
      id: file.id,
      name: 'keep.txt',
      contentType: 'text/one',
      size: 6,
      createdAt: file.createdAt,
    });
    expect(replaced.versionId).not.toBe(file.versionId);
    expect(Date.parse(replaced.updatedAt)).toBeGreaterThanOrEqual(Date.parse(file.updatedAt));
    expect((await client.bytes(file.id)).toString()).toBe('second');

    const init = { method: 'PUT', body: '3', headers: { 'content-type': 'text/three' } };
    const third = (await (await fetch(`${server.url}/files/${file.id}?name=new`, init)).json()) as FileJson;
    expect(third).toMatchObject({ id: file.id, name: 'new', contentType: 'text/three', size: 1 });
  });

  it('takes a form too', async () => {
    const file = await client.put('old', 'old');
    const body = form({ disposition: 'name="file"; filename="from form"', contentType: 'text/form', body: 'new' });
    expect(await (await client.replace(file.id, body, FORM_HEADERS)).json()).toMatchObject({
      name: 'from form',
      contentType: 'text/form',
    });
    expect((await client.bytes(file.id)).toString()).toBe('new');
  });

  it('honours If-Match', async () => {
    const file = await client.put('guarded', 'one');
    for (const tag of ['"other"', `W/${file.etag}`, `"${file.id}"`]) {
      await expectProblem(await client.replace(file.id, 'bad', { 'if-match': tag }), 'precondition-failed');
    }
    expect((await client.bytes(file.id)).toString()).toBe('one');
    expect((await client.replace(file.id, 'two', { 'if-match': `"other", ${file.etag}` })).status).toBe(200);
    await expectProblem(await client.replace(file.id, 'three', { 'if-match': file.etag }), 'precondition-failed');
    expect((await client.replace(file.id, 'four', { 'if-match': '*' })).status).toBe(200);
    expect((await client.bytes(file.id)).toString()).toBe('four');
  });

  it('honours If-Unmodified-Since and If-None-Match', async () => {
    const file = await client.put('guarded', 'one');
    const { earlier, same } = await datesOf(file.id);
    for (const headers of refusedOnce(file, earlier))
      await expectProblem(await client.replace(file.id, 'bad', headers), 'precondition-failed');
    expect((await client.bytes(file.id)).toString()).toBe('one');
    const later = new Date(Date.parse(same) + 60_000).toUTCString();
    for (const headers of [
      { 'if-unmodified-since': later },
      { 'if-unmodified-since': 'nonsense' },
      { 'if-unmodified-since': earlier, 'if-match': '*' },
      { 'if-none-match': `"other", ${file.etag}` }, // it is at another version by now
    ])
      expect([headers, (await client.replace(file.id, 'two', headers)).status]).toEqual([headers, 200]);
  });

  it.each<[string, (file: FileJson) => Record<string, string>]>([
    ['If-None-Match', () => ({ 'if-none-match': '"other"' })],
    [
      'If-Unmodified-Since',
      ({ updatedAt }) => ({ 'if-unmodified-since': new Date(Date.parse(updatedAt) + 60_000).toUTCString() }),
    ],
  ])('is refused at its end if the file changed since %s was looked at', async (_what, headersOf) => {
    const file = await client.put('raced', 'one');
    const before = new Set(await shardPaths(server.storage));
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const replacing = client.replace(file.id, readable, headersOf(file));
    await writer.write(someBytes(8_000_000, 5)); // more than is kept in memory before it is stored
    while ((await shardPaths(server.storage)).every((path) => before.has(path))) await sleep(10); // its preconditions were met
    expect((await client.replace(file.id, 'won')).status).toBe(200);
    await writer.close();
    await expectProblem(await replacing, 'precondition-failed');
    expect((await client.bytes(file.id)).toString()).toBe('won');
  });

  it('serves the old content until the new one is acknowledged', async () => {
    const file = await client.put('slow', 'old content');
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const replacing = client.replace(file.id, readable);
    await writer.write(someBytes(250_000, 5));
    expect((await client.bytes(file.id)).toString()).toBe('old content');
    expect((await client.get(file.id)).headers.get('etag')).toBe(file.etag);
    await writer.write(someBytes(250_000, 6));
    await writer.close();
    expect((await replacing).status).toBe(200);
    expect(sha256(await client.bytes(file.id))).toBe(sha256(Buffer.concat([someBytes(250_000, 5), someBytes(250_000, 6)])));
  });

  it('lets exactly one of many concurrent replacements with one If-Match win', async () => {
    const file = await client.put('contested', 'start');
    const bodies = Array.from({ length: 8 }, (_, at) => someBytes(150_000, 100 + at));
    const answers = await Promise.all(bodies.map((body) => client.replace(file.id, body, { 'if-match': file.etag })));
    const winners = answers.flatMap(({ status }, at) => (status === 200 ? [at] : []));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 7 }, () => 412)]);
    expect(sha256(await client.bytes(file.id))).toBe(sha256(bodies[winners[0]!]!));
  });

  it('lets a reader that has begun read the old version to its end', async () => {
    const bytes = someBytes(16_000_000, 9);
    const file = await client.put('read slowly', bytes);
    const response = await client.get(file.id);
    const reader = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    const pieces = [(await reader.read()).value!];
    await client.replace(file.id, 'replaced');
    expect((await client.bytes(file.id)).toString()).toBe('replaced');
    for (let next = await reader.read(); !next.done; next = await reader.read()) pieces.push(next.value);
    expect(sha256(Buffer.concat(pieces))).toBe(sha256(bytes));
  });
});

describe('GET /files/{id} with a range', () => {
  const end = MODEL.length;
  const boundaries = [SLICE, 2 * SLICE, PLAIN_SEGMENT, 2 * PLAIN_SEGMENT, 10 * SEGMENT, end - (end % PLAIN_SEGMENT)];
  const random = randomOf(20_26);
  const someRange = (): [number, number] => {
    const from = Math.floor(random() * end);
    return [from, Math.min(end, from + 1 + Math.floor(random() ** 3 * 700_000))];
  };
  const ranges: readonly (readonly [number, number])[] = [
    [0, 1],
    [0, 1000],
    [0, end],
    [1_234_567, 1_240_000],
    [end - 1, end],
    ...boundaries.flatMap((at) => [[at - 1, at + 1] as const, [at, at + 1] as const, [at - 1, at] as const]),
    ...Array.from({ length: 25 }, someRange),
  ];

  it('gives exactly those bytes, wherever slices and segments begin', async () => {
    for (const [from, to] of ranges) {
      const response = await client.get(model.id, { range: `bytes=${from}-${to - 1}` });
      const label = `${from}-${to}`;
      expect([label, response.status, response.headers.get('content-range')]).toEqual([
        label,
        206,
        `bytes ${from}-${to - 1}/${end}`,
      ]);
      expect(response.headers.get('content-length')).toBe(String(to - from));
      const bytes = Buffer.from(await response.arrayBuffer());
      expect([label, Buffer.compare(bytes, MODEL.subarray(from, to))]).toEqual([label, 0]);
    }
  });

  it.each([
    ['bytes=1000-', 1000, end],
    ['bytes=-500', end - 500, end],
    [`bytes=-${end + 1}`, 0, end], // RFC 9110 §14.1.2: shorter than the suffix, so all of it
    ['bytes=-99999999999999999999', 0, end],
    [`bytes=${end - 10}-99999999999999999999`, end - 10, end],
    [`BYTES=${end - 1}-`, end - 1, end],
  ])('understands %s', async (range, from, to) => {
    const response = await client.get(model.id, { range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${from}-${to - 1}/${end}`);
    expect(Buffer.compare(Buffer.from(await response.arrayBuffer()), MODEL.subarray(from, to))).toBe(0);
  });

  it.each([`bytes=${end}-`, `bytes=${end}-${end}`, 'bytes=99999999999999999999-', 'bytes=-0'])(
    'answers 416 to %s, with the size',
    async (range) => {
      const response = await client.get(model.id, { range });
      expect(response.headers.get('content-range')).toBe(`bytes */${end}`);
      await expectProblem(response, 'range-not-satisfiable');
    },
  );

  it('answers 416 to any range of an empty file', async () => {
    const empty = await client.put('empty', Buffer.alloc(0));
    for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-1']) {
      const response = await client.get(empty.id, { range });
      expect([range, response.status, response.headers.get('content-range')]).toEqual([range, 416, 'bytes */0']);
    }
  });

  it.each(['bytes=0-1,4-5', 'bytes=0-0,-1', 'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=5-3', 'bytes=1.5-2', 'lines=1-2', '0-5'])(
    'answers %s with the whole file',
    async (range) => {
      const file = await client.put('small', '0123456789');
      const response = await client.get(file.id, { range });
      expect([response.status, response.headers.get('content-range')]).toEqual([200, null]);
      expect(await response.text()).toBe('0123456789');
    },
  );

  it('keeps to If-Range: the part for the tag of this version, the whole for another or for a date', async () => {
    const file = await client.put('if-range', '0123456789');
    const modified = (await client.get(file.id)).headers.get('last-modified')!;
    const status = async (ifRange: string): Promise<number> =>
      (await client.get(file.id, { range: 'bytes=2-3', 'if-range': ifRange })).status;
    expect(await status(file.etag)).toBe(206);
    // A date has whole seconds, in which two versions have room.
    for (const other of [modified, '"other"', `W/${file.etag}`, 'Thu, 01 Jan 1970 00:00:00 GMT', 'nonsense'])
      expect(await status(other)).toBe(200);
  });
});

describe('which slices a read touches', () => {
  /** Slices of the sealed body that hold the segments of a range, by the formulas of CRYPTO.md. */
  const slicesOf = (from: number, to: number): ReadonlySet<number> => {
    const begin = Math.floor(from / PLAIN_SEGMENT) * SEGMENT;
    const behind = (Math.floor((to - 1) / PLAIN_SEGMENT) + 1) * SEGMENT;
    const found = new Set<number>();
    for (let slice = Math.floor(begin / SLICE); slice * SLICE < behind; slice += 1) found.add(slice);
    return found;
  };

  it('reads a range of which only the needed slices are left, and answers a coded error for the whole', async () => {
    const file = await client.put('thinned', MODEL);
    const [from, to] = [1_000_000, 1_070_000];
    const needed = slicesOf(from, to);
    const shards = await shardsOf(server.storage, file.versionId);
    expect(shards).toHaveLength(2 * 34);
    for (const { path, stripe } of shards) if (!needed.has(stripe)) await rm(path);

    expect(Buffer.compare(await client.bytes(file.id, { range: `bytes=${from}-${to - 1}` }), MODEL.subarray(from, to))).toBe(0);
    await expectProblem(await client.get(file.id), 'data-damaged');
    await expectProblem(await client.get(file.id, { range: 'bytes=-1' }), 'data-damaged');
    expect((await fetch(`${server.url}/files/${file.id}`, { method: 'HEAD' })).status).toBe(200);

    const [one] = needed;
    for (const { path, stripe } of shards) if (stripe === one) await rm(path);
    await expectProblem(await client.get(file.id, { range: `bytes=${from}-${to - 1}` }), 'data-damaged');
  });

  it('destroys the connection when it fails in the middle: never a body that looks complete', async () => {
    const file = await client.put('torn', MODEL);
    for (const { path, stripe } of await shardsOf(server.storage, file.versionId)) if (stripe === 30) await rm(path);
    const got: Buffer[] = [];
    const outcome = await new Promise<{
      readonly status: number | undefined;
      readonly complete: boolean;
      readonly error: boolean;
    }>((resolve) => {
      httpRequest(`${server.url}/files/${file.id}`, (response) => {
        let error = false;
        const read = async (): Promise<void> => {
          try {
            for await (const chunk of response) got.push(chunk as Buffer);
          } catch {
            error = true;
          }
          resolve({ status: response.statusCode, complete: response.complete, error });
        };
        void read();
      }).end();
    });
    expect(outcome).toEqual({ status: 200, complete: false, error: true });
    const bytes = Buffer.concat(got);
    expect(bytes.length).toBeLessThan(30 * SLICE);
    expect(bytes.length).toBeGreaterThan(0);
    expect(Buffer.compare(bytes, MODEL.subarray(0, bytes.length))).toBe(0);
    expect((await client.bytes(file.id, { range: 'bytes=-1000' })).equals(MODEL.subarray(-1000))).toBe(true);
  });
});

describe('GET and HEAD /files/{id}', () => {
  it('send the headers of the version, and HEAD no body', async () => {
    for (const method of ['GET', 'HEAD']) {
      const response = await fetch(`${server.url}/files/${model.id}`, { method });
      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-length': String(MODEL.length),
        'content-type': 'application/x-model',
        'accept-ranges': 'bytes',
        etag: model.etag,
        'last-modified': new Date(model.updatedAt).toUTCString(),
        'repr-digest': `sha-256=:${sha256(MODEL)}:`,
        'content-disposition': 'attachment; filename=model.bin',
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining('sandbox'),
      });
      expect((await response.arrayBuffer()).byteLength).toBe(method === 'GET' ? MODEL.length : 0);
    }
  });

  it('send the digest of the whole file with a part of it', async () => {
    const response = await client.get(model.id, { range: 'bytes=5-9' });
    expect([response.status, (await response.bytes()).length]).toEqual([206, 5]);
    expect(response.headers.get('repr-digest')).toBe(`sha-256=:${sha256(MODEL)}:`);
  });

  it.each(['bytes=5-9', 'bytes=-1', `bytes=${MODEL.length}-`])('HEAD ignores the range %s', async (range) => {
    const response = await fetch(`${server.url}/files/${model.id}`, { method: 'HEAD', headers: { range } });
    expect([response.status, response.headers.get('content-range')]).toEqual([200, null]);
    expect(response.headers.get('content-length')).toBe(String(MODEL.length));
  });

  it('answer 304 to who has this version', async () => {
    const file = await client.put('cached', 'cached');
    const modified = (await client.get(file.id)).headers.get('last-modified')!;
    const before = new Date(Date.parse(modified) - 1000).toUTCString();
    const status = async (headers: Record<string, string>): Promise<number> => (await client.get(file.id, headers)).status;
    for (const tags of [file.etag, `W/${file.etag}`, `"x", ${file.etag}`, '*'])
      expect(await status({ 'if-none-match': tags })).toBe(304);
    expect(await status({ 'if-none-match': '"x"' })).toBe(200);
    expect(await status({ 'if-modified-since': modified })).toBe(304);
    expect(await status({ 'if-modified-since': before })).toBe(200);
    expect(await status({ 'if-modified-since': 'nonsense' })).toBe(200);
    // If-None-Match decides alone if it is there (RFC 9110 §13.1.3).
    expect(await status({ 'if-none-match': '"x"', 'if-modified-since': modified })).toBe(200);
    const response = await client.get(file.id, { 'if-none-match': file.etag });
    expect([response.headers.get('etag'), await response.text()]).toEqual([file.etag, '']);
  });

  it('honour If-Match and If-Unmodified-Since', async () => {
    const file = await client.put('demanded', 'x');
    const modified = (await client.get(file.id)).headers.get('last-modified')!;
    const before = new Date(Date.parse(modified) - 1000).toUTCString();
    await expectProblem(await client.get(file.id, { 'if-match': '"x"' }), 'precondition-failed');
    await expectProblem(await client.get(file.id, { 'if-unmodified-since': before }), 'precondition-failed');
    expect((await client.get(file.id, { 'if-match': file.etag })).status).toBe(200);
    expect((await client.get(file.id, { 'if-unmodified-since': modified })).status).toBe(200);
  });

  it('have an ETag that tells nothing of the content', async () => {
    const text = 'the same bytes twice';
    const [one, two] = [await client.put('twice', text), await client.put('twice', text)];
    expect(one.etag).not.toBe(two.etag);
    const digests = ['md5', 'sha1', 'sha256', 'sha384', 'sha512'].map((name) => createHash(name).update(text).digest());
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32(text));
    const tag = one.etag.replaceAll(/["-]/g, '');
    for (const digest of [...digests, crc]) {
      expect(tag).not.toContain(digest.subarray(0, 4).toString('hex'));
      expect(one.etag).not.toContain(digest.toString('base64').slice(0, 6));
    }
  });

  it.each([
    'plain.txt',
    'naïve 😀 写真.txt',
    '€',
    'with "quotes" and \\ backslash',
    "it's 100% * (done)",
    '%41 is not A',
    '../../etc/passwd',
    'a/b\\c:d',
    ' leading and trailing ',
    '.',
    'semi;colon, comma=equals',
    "UTF-8''%41",
    'e\u0301 is not \u00e9',
    '\u202eexe.txt',
    '\u{10ffff}\ufffd\ufeff',
    'x'.repeat(1024),
    '😀'.repeat(256),
  ])('give back the name %j in Content-Disposition, so that it can be sent again', async (name) => {
    const file = await client.put(name, 'x');
    expect(file.name).toBe(name);
    const disposition = (await client.get(file.id)).headers.get('content-disposition')!;
    expect(disposition).toMatch(/^attachment; [\x20-\x7e]*$/);
    const init = { method: 'PUT', body: 'x', headers: { 'content-disposition': disposition } };
    const again = (await (await fetch(`${server.url}/files`, init)).json()) as FileJson;
    expect(again.name).toBe(name);
  });
});

interface InfoJson extends FileJson {
  readonly survives: number;
  readonly layout: {
    readonly sealedSize: number;
    readonly stripes: number;
    readonly nodes: readonly { readonly node: number; readonly shards: number; readonly bytes: number }[];
    readonly places: readonly { readonly stripe: number; readonly nodes: readonly number[] }[];
  };
}

describe('GET /files/{id}/info', () => {
  it('tells the record, where the shards lie and what the file survives', async () => {
    const info = await json<InfoJson>(`/files/${model.id}/info`);
    const { layout, survives, ...record } = info;
    expect(record).toEqual(model);
    expect(survives).toBe(1);
    const sealedSize = MODEL.length + 32 * Math.ceil(MODEL.length / PLAIN_SEGMENT);
    expect(layout).toMatchObject({ scheme: 'replicate', k: 1, m: 1, sealedSize, sizePerSlice: SLICE, stripes: 34 });
    expect(layout.nodes.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(2 * sealedSize);
    expect(layout.nodes.reduce((sum, { shards }) => sum + shards, 0)).toBe(2 * 34);

    const onDisk = (await shardsOf(server.storage, model.versionId)).map(
      ({ path, stripe, index }) => `${stripe}.${index} on ${/node_(\d+)/.exec(path)![1]!}`,
    );
    const told = layout.places.flatMap(({ stripe, nodes }) => nodes.map((node, index) => `${stripe}.${index} on ${node}`));
    expect(told.toSorted()).toEqual(onDisk.toSorted());
  });
});

describe('PATCH /files/{id}', () => {
  const patch = (id: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${server.url}/files/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  it('renames and changes the type, each alone, and leaves the content and its version', async () => {
    const file = await client.put('before', 'content', { 'content-type': 'text/before' });
    expect(await (await patch(file.id, { name: 'after 😀' })).json()).toMatchObject({
      name: 'after 😀',
      contentType: 'text/before',
    });
    const both = (await (await patch(file.id, { contentType: 'text/after' })).json()) as FileJson;
    expect(both).toMatchObject({ name: 'after 😀', contentType: 'text/after', etag: file.etag, size: 7 });
    const response = await client.get(file.id);
    expect(response.headers.get('content-type')).toBe('text/after');
    expect(await response.text()).toBe('content');
    expect((await client.list('?prefix=after%20')).items.map(({ id }) => id)).toEqual([file.id]);
    expect((await client.list('?prefix=before')).items).toEqual([]);
  });

  it('takes merge patches and honours If-Match', async () => {
    const file = await client.put('patched', 'x');
    await expectProblem(await patch(file.id, { name: 'no' }, { 'if-match': '"x"' }), 'precondition-failed');
    const headers = { 'content-type': 'application/merge-patch+json', 'if-match': file.etag };
    expect(await (await patch(file.id, { name: 'yes' }, headers)).json()).toMatchObject({ name: 'yes' });
  });

  it('keeps the etag, so that only a date guards against another one', async () => {
    const file = await client.put('patched', 'x');
    const { same } = await datesOf(file.id);
    await sleep(1100); // dates of HTTP have whole seconds
    const renamed = await patch(file.id, { name: 'by another one' });
    expect([renamed.headers.get('etag'), ((await renamed.json()) as FileJson).etag]).toEqual([file.etag, file.etag]);
    await expectProblem(await patch(file.id, { name: 'no' }, { 'if-unmodified-since': same }), 'precondition-failed');
    expect((await patch(file.id, { name: 'yes' }, { 'if-match': file.etag })).status).toBe(200);
  });

  it('honours If-Unmodified-Since and If-None-Match', async () => {
    const file = await client.put('patched', 'x');
    const { earlier, same } = await datesOf(file.id);
    for (const headers of refusedOnce(file, earlier))
      await expectProblem(await patch(file.id, { name: 'no' }, headers), 'precondition-failed');
    expect((await patch(file.id, { name: 'yes' }, { 'if-unmodified-since': same, 'if-none-match': '"x"' })).status).toBe(200);
  });
});

describe('GET /files/list', () => {
  const names = Array.from({ length: 25 }, (_, at) => `list/${String(24 - at).padStart(2, '0')}`);
  const odd = ['list/\uff5e', 'list/😀', 'list/Z', 'list/é', 'list/00'];
  let files: readonly FileJson[];

  beforeAll(async () => {
    const stored: FileJson[] = [];
    for (const name of [...names, ...odd]) stored.push(await client.put(name, name));
    files = stored;
    await client.put('lisu', 'behind the prefix');
  });

  const walk = async (query: string, limit: number): Promise<readonly FileJson[]> => {
    const items: FileJson[] = [];
    let cursor = '';
    for (;;) {
      const page: PageJson = await client.list(`?limit=${limit}&${query}${cursor}`);
      expect(page.items.length).toBeLessThanOrEqual(limit);
      items.push(...page.items);
      if (page.nextCursor === null) return items;
      expect(page.items).toHaveLength(limit);
      cursor = `&cursor=${page.nextCursor}`;
    }
  };

  const byName = (a: FileJson, b: FileJson): number =>
    Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)) || (a.id < b.id ? -1 : 1);

  it.each([1, 7, 10, 30, 31, 1000])('pages through a prefix by the bytes of the names, %d at a time', async (limit) => {
    expect(await walk('prefix=list/', limit)).toEqual(files.toSorted(byName));
    expect(await walk('prefix=list/&order=-name', limit)).toEqual(files.toSorted(byName).toReversed());
  });

  it('lists by creation, forth and back, and the same at /files', async () => {
    const all = await walk('order=createdAt', 40);
    expect(all.filter(({ name }) => name.startsWith('list/'))).toEqual(files);
    expect(await walk('order=-createdAt', 17)).toEqual(all.toReversed());
    expect(await json('/files?prefix=list/&limit=3')).toEqual(await json('/files/list?prefix=list/&limit=3'));
    const head = await fetch(`${server.url}/files/list`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('takes prefixes that end inside a name, that nothing has, and with a wildcard that is none', async () => {
    expect((await client.list('?prefix=list/0')).items.map(({ name }) => name)).toEqual([
      'list/00',
      ...Array.from({ length: 10 }, (_, at) => `list/0${at}`),
    ]);
    for (const prefix of ['list/9', 'list/%25', 'list/*', '%00', 'list/%F0%9F%98%81']) {
      expect((await client.list(`?prefix=${prefix}`)).items).toEqual([]);
    }
    expect((await client.list(`?prefix=${encodeURIComponent('list/😀')}`)).items.map(({ name }) => name)).toEqual(['list/😀']);
  });

  it('lists a file as soon as it is acknowledged, and not after its deletion', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id } = await client.put('now/here', 'x');
      expect((await client.list('?prefix=now/')).items.map((file) => file.id)).toEqual([id]);
      expect((await client.remove(id)).status).toBe(204);
      expect((await client.list('?prefix=now/')).items).toEqual([]);
    }
  });

  it('goes on behind a cursor whose file was deleted', async () => {
    for (const name of ['gone/a', 'gone/b', 'gone/c']) await client.put(name, 'x');
    const page = await client.list('?prefix=gone/&limit=2');
    await client.remove(page.items[1]!.id);
    const rest = await client.list(`?prefix=gone/&limit=2&cursor=${page.nextCursor!}`);
    expect(rest.items.map(({ name }) => name)).toEqual(['gone/c']);
  });

  it('has at most 1,000 on a page, 100 if nothing is said', async () => {
    expect((await client.list('?limit=1000')).items.length).toBeGreaterThan(100);
    expect((await client.list()).items).toHaveLength(100);
    for (const limit of ['0', '1001', '9999', '10000', '-1', '1.5', 'x', '', '1e2']) {
      await expectProblem(await fetch(`${server.url}/files/list?limit=${limit}`), 'invalid-request');
    }
  });

  it('refuses cursors of other orders and made-up ones, unknown orders, and a prefix without an order by name', async () => {
    const { nextCursor } = await client.list('?limit=1&order=name');
    for (const order of ['-name', 'createdAt', '-createdAt']) {
      await expectProblem(await fetch(`${server.url}/files/list?order=${order}&cursor=${nextCursor!}`), 'invalid-cursor');
    }
    for (const cursor of ['AAAA', 'x', `${nextCursor!}AAAA`]) {
      await expectProblem(await fetch(`${server.url}/files/list?cursor=${cursor}`), 'invalid-cursor');
    }
    for (const query of [
      'cursor=',
      'cursor=a%20b',
      'order=size',
      'order=',
      'order=createdAt&prefix=x',
      `prefix=${'x'.repeat(1025)}`,
    ]) {
      await expectProblem(await fetch(`${server.url}/files/list?${query}`), 'invalid-request');
    }
  });
});

describe('DELETE /files/{id}', () => {
  it('answers 204, and then the file is nowhere', async () => {
    const file = await client.put('doomed', someBytes(250_000, 3));
    await expectProblem(await client.remove(file.id, { 'if-match': '"x"' }), 'precondition-failed');
    const response = await client.remove(file.id, { 'if-match': file.etag });
    expect([response.status, await response.text()]).toEqual([204, '']);
    await expectProblem(await client.get(file.id), 'file-not-found');
    await expectProblem(await fetch(`${server.url}/files/${file.id}/info`), 'file-not-found');
    await expectProblem(await client.remove(file.id), 'file-not-found');
    await expectProblem(await client.replace(file.id, 'x'), 'file-not-found');
    const deadline = Date.now() + 3000;
    while ((await shardsOf(server.storage, file.versionId)).length > 0 && Date.now() < deadline);
    expect(await shardsOf(server.storage, file.versionId)).toEqual([]);
  });

  it('honours If-Unmodified-Since and If-None-Match', async () => {
    const file = await client.put('kept', 'x');
    const { earlier, same } = await datesOf(file.id);
    for (const headers of refusedOnce(file, earlier))
      await expectProblem(await client.remove(file.id, headers), 'precondition-failed');
    expect((await client.remove(file.id, { 'if-unmodified-since': same, 'if-none-match': '"x"' })).status).toBe(204);
  });
});

describe('what is beside the files', () => {
  interface NodeJson {
    readonly node: number;
    readonly state: string;
    readonly files: number;
    readonly bytes: number;
  }

  it('GET /nodes and /nodes/{n} tell the states and loads', async () => {
    const { nodes } = await json<{ readonly nodes: readonly NodeJson[] }>('/nodes');
    expect(nodes).toHaveLength(4);
    for (const [at, node] of nodes.entries()) {
      expect(node).toMatchObject({ node: at + 1, name: `node_${at + 1}`, state: 'up', lastError: null });
      expect(node).toMatchObject({ bytesFree: expect.any(Number), bytesTotal: expect.any(Number), since: expect.any(String) });
    }
    const before = await json<NodeJson>('/nodes/2');
    expect(before.node).toBe(2);
    const added = await json<InfoJson>(`/files/${(await client.put('counted', MODEL)).id}/info`);
    const share = added.layout.nodes.find(({ node }) => node === 2)!;
    expect(await json('/nodes/2')).toMatchObject({ files: before.files + share.shards, bytes: before.bytes + share.bytes });
    for (const node of ['0', '5', '02', 'x', '-1', '1.0'])
      await expectProblem(await fetch(`${server.url}/nodes/${node}`), 'node-not-found');
  });

  it('GET /health, /health/live and /health/ready are in the format of Terminus', async () => {
    expect(await json('/health/live')).toMatchObject({ status: 'ok' });
    for (const path of ['/health', '/health/ready']) {
      expect(await json(path)).toMatchObject({
        status: 'ok',
        details: { index: { status: 'up' }, nodes: { status: 'up', up: 4, needed: 2 } },
      });
    }
  });

  it('GET /metrics is what Prometheus reads', async () => {
    const response = await fetch(`${server.url}/metrics`);
    const text = await response.text();
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    for (const node of [1, 2, 3, 4]) expect(text).toContain(`dcloud_node_up{node="${node}"} 1\n`);
    expect(text).toContain('dcloud_node_state{node="1",state="up"} 1\n');
    expect(text).toContain('dcloud_node_transitions_total{node="1",to="up"} 1\n');
    expect(text).toMatch(/^dcloud_node_shards\{node="1"\} [1-9]\d*$/m);
    for (const line of text.split('\n')) expect(line).toMatch(/^(#.*|[a-zA-Z_:][\w:]*(\{[^}]*\})? \S+)?$/);
  });

  it('GET /docs, /openapi.json and /openapi.yaml describe all of this', async () => {
    const docs = await fetch(`${server.url}/docs`);
    expect(docs.headers.get('content-type')).toContain('text/html');
    expect(await docs.text()).toContain('swagger-ui');
    const document = await json<{ readonly openapi: string; readonly paths: Record<string, Record<string, unknown>> }>(
      '/openapi.json',
    );
    expect(document.openapi).toMatch(/^3\./);
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(operations).toEqual(
      expect.arrayContaining([
        'put /files',
        'get /files/list',
        'put /files/{id}',
        'get /files/{id}',
        'head /files/{id}',
        'patch /files/{id}',
        'delete /files/{id}',
        'get /files/{id}/info',
        'get /nodes',
        'get /nodes/{node}',
        'get /health',
        'get /health/live',
        'get /health/ready',
      ]),
    );
    expect(parseYaml(await (await fetch(`${server.url}/openapi.yaml`)).text())).toEqual(document);
  });
});
