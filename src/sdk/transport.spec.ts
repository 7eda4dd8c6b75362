import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { failureOf } from '../../test/support/e2ee-world.js';
import { SdkError } from './errors.js';
import { serverOrigin, Transport, type Call } from './transport.js';

const { signal } = new AbortController();
const GET: Call = { method: 'GET', path: '/thing' };
const POST: Call = { method: 'POST', path: '/thing', json: { secret: 'in the body' } };

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let origin: string;
let answers: Answering[];
let requests: IncomingMessage[];
let waits: number[];

/** The first answers, each once; the last one goes on. */
function answering(...list: Answering[]): Transport {
  answers = list;
  const sleep = (ms: number): Promise<void> => Promise.resolve(void waits.push(ms));
  return new Transport(origin, { sleep, idleMs: 300 });
}

const problem =
  (status: number, code: string, headers: Record<string, string> = {}): Answering =>
  (_, response) =>
    response.writeHead(status, headers).end(JSON.stringify({ code, detail: 'hunter2' }));
const ok: Answering = (_, response) => response.writeHead(200, { ETag: '"1"' }).end('{"text":"yes"}');
const lost: Answering = ({ socket }) => socket.destroy();

beforeEach(async () => {
  [requests, waits] = [[], []];
  server = createServer((request, response) => {
    requests.push(request);
    request.resume();
    request.once('end', () => (answers.length > 1 ? answers.shift()! : answers[0]!)(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

describe('a request', () => {
  it('is repeated if that is safe: what only reads, after a lost connection and while the server is busy', async () => {
    const transport = answering(
      lost,
      problem(503, 'index-unavailable', { 'Retry-After': '2' }),
      problem(429, 'too-many-attempts', { 'Retry-After': '1' }),
      ok,
    );
    const { body, etag } = await transport.json(GET, signal);
    expect([body.text('text'), etag]).toEqual(['yes', '"1"']);
    expect(requests).toHaveLength(4);
    expect(waits[1]).toBeGreaterThanOrEqual(2000);
  });

  it('that changes something is sent once: whether it was done is not known', async () => {
    expect(await failureOf(answering(lost, ok).json(POST, signal))).toBe('in-doubt');
    expect(await failureOf(answering(problem(503, 'not-enough-nodes'), ok).json(POST, signal))).toBe('unavailable');
    expect(requests).toHaveLength(2);
    await answering(problem(503, 'too-busy'), ok).json(POST, signal); // the server had not begun
    await answering(lost, ok).json({ ...POST, isRepeatable: true }, signal);
    expect(requests).toHaveLength(6);
  });

  it('is not repeated for ever, nor when a person should wait', async () => {
    expect(await failureOf(answering(lost).json(GET, signal))).toBe('unavailable');
    expect(requests).toHaveLength(5);
    const error = await answering(problem(429, 'too-many-attempts', { 'Retry-After': '900' }))
      .json(GET, signal)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'too-many-attempts', retryAfterSeconds: 900 });
    expect(requests).toHaveLength(6);
  });

  it('that nobody takes was not sent', async () => {
    const transport = answering(ok);
    server.close();
    server.closeAllConnections();
    expect(await failureOf(transport.json(POST, signal))).toBe('unavailable');
    expect(waits).toHaveLength(4);
  });

  it('follows nobody elsewhere, with its credential', async () => {
    const transport = answering((_, response) => response.writeHead(307, { Location: `${origin}/elsewhere` }).end()).as(
      'dcs_secret',
    );
    expect(await failureOf(transport.json(GET, signal))).toBe('unavailable');
    expect(requests.every(({ url, headers }) => url === '/thing' && headers.authorization === 'Bearer dcs_secret')).toBe(true);
  });

  it('ends with its signal, with the reason of it, and when nothing comes for too long', async () => {
    const quiet: Answering = () => undefined;
    const ending = new AbortController();
    setTimeout(() => ending.abort(new Error('enough')), 50);
    await expect(answering(quiet).json(POST, ending.signal)).rejects.toThrow('enough');
    expect(await failureOf(answering(quiet).json(POST, signal))).toBe('in-doubt');
    await expect(answering(ok).json(GET, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  });
});

describe('an error', () => {
  it.each([
    [401, 'unauthenticated', 'session-over'],
    [403, 'forbidden', 'forbidden'],
    [404, 'node-not-found', 'not-found'],
    [404, 'link-not-found', 'link-over'],
    [409, 'name-taken', 'exists'],
    [409, 'id-not-issued', 'conflict'],
    [412, 'precondition-failed', 'conflict'],
    [507, 'quota-exceeded', 'quota-exceeded'],
    [400, 'invalid-id', 'invalid-id'],
    [400, 'invalid-record', 'server-refused'],
    [418, '__proto__', 'server-refused'],
    [500, 'internal', 'server-failed'],
  ] as const)('%i %s is %s', async (status, code, kind) => {
    expect(await failureOf(answering(problem(status, code)).json(POST, signal))).toBe(kind);
  });

  it('has nothing in it that the server, or a user, wrote', async () => {
    for (const answer of [
      problem(400, 'hunter2'),
      problem(409, 'name-taken'),
      lost,
      (_: unknown, response: ServerResponse) => response.end('hunter2'),
    ]) {
      const error = await answering(answer)
        .as('dcs_hunter2')
        .json({ ...POST, json: 'hunter2' }, signal)
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(SdkError);
      const { message, stack, cause, code } = error as SdkError;
      expect([message, stack, String(cause), JSON.stringify(cause), code].join()).not.toContain('hunter2');
    }
  });
});

describe('a body', () => {
  it('comes as a stream, and says when it breaks off', async () => {
    const half: Answering = (_, response) => {
      response.writeHead(200, { 'Content-Length': '10' });
      response.write('12345', () => setTimeout(() => response.destroy(), 20));
    };
    const { body, size } = await answering(half).stream(GET, signal);
    expect(size).toBe(10);
    let text = '';
    const read = async (): Promise<void> => {
      for await (const chunk of body) text += Buffer.from(chunk).toString();
    };
    expect(await failureOf(read())).toBe('unavailable');
    expect(text).toBe('12345');
  });

  it('that does not go on for too long is broken off; who reads slowly is not', async () => {
    const slow: Answering = (_, response) => {
      response.writeHead(200);
      response.write('1');
      if (requests.length > 1) response.end('2');
    };
    const stuck = (await answering(slow).stream(GET, signal)).body;
    expect(await failureOf(Array.fromAsync(stuck))).toBe('unavailable');
    const chunks: number[] = [];
    for await (const chunk of (await answering(slow).stream(GET, signal)).body) {
      await new Promise((resolve) => setTimeout(resolve, 400));
      chunks.push(...chunk);
    }
    expect(Buffer.from(chunks).toString()).toBe('12');
  });
});

it('an address of a server is nothing but that', () => {
  expect(serverOrigin('https://Host.example:443/')).toBe('https://host.example');
  for (const address of [
    'host',
    'ftp://host',
    'https://host/path',
    'https://u:p@host',
    'https://host/?a',
    'https://host/#a',
    'file:///etc',
  ])
    expect(() => serverOrigin(address)).toThrow(expect.objectContaining({ kind: 'invalid-address' }));
});
