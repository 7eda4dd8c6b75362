import { request as send, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { initAdmin } from '../support/accounts.js';
import { TestServer } from '../support/server.js';

const PAGE = 'http://drive.example.org';

let server: TestServer;

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** As a browser does it, which sends `Host` and `Origin` as it sees fit. */
function ask(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = send(new URL(path, server.url), { method, headers }, (response) => {
      const answered = text(response).then((body) => ({ status: response.statusCode, headers: response.headers, body }));
      answered.then(resolve, reject);
    });
    request.on('error', reject);
    request.end();
  });
}

beforeAll(async () => {
  server = await TestServer.start({ config: { cors_origins: [PAGE] } });
});

afterAll(async () => {
  await server.remove();
});

describe('a page of another origin', () => {
  const preflight = { 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'authorization' };

  it('is let in if its origin is named', async () => {
    const asked = await ask('OPTIONS', '/files', { Origin: PAGE, ...preflight });
    expect(asked.status).toBe(204);
    expect(asked.headers).toMatchObject({ 'access-control-allow-origin': PAGE, vary: 'Origin' });
    expect(asked.headers['access-control-allow-headers']).toContain('Authorization');
    for (const path of ['/files', '/health', '/files/none', '/nothing']) {
      const { headers } = await ask('GET', path, { Origin: PAGE });
      expect(headers).toMatchObject({ 'access-control-allow-origin': PAGE });
      expect(headers['access-control-expose-headers']).toContain('ETag');
    }
  });

  it.each(['http://evil.example', 'null', 'https://drive.example.org', `${PAGE}:80`, `${PAGE}.evil.example`])(
    'is told nothing else: %s',
    async (origin) => {
      for (const [method, more] of [
        ['OPTIONS', preflight],
        ['GET', {}],
      ] as const) {
        const { status, headers } = await ask(method, '/files', { Origin: origin, ...more });
        expect(headers['access-control-allow-origin']).toBeUndefined();
        expect(headers.vary).toBe('Origin');
        if (method === 'OPTIONS') expect(status).not.toBe(204);
      }
    },
  );
});

describe('a browser that was led to this machine under another name', () => {
  it.each(['evil.example', 'evil.example:5000', '127.0.0.1.evil.example'])('is refused: %s', async (host) => {
    for (const path of ['/files', '/nodes', '/accounts']) {
      const { status, body } = await ask('GET', path, { Host: host });
      expect(status).toBe(421);
      expect(JSON.parse(body)).toMatchObject({ code: 'host-unknown' });
    }
    expect((await ask('PUT', '/files?name=x', { Host: host })).status).toBe(421);
  });

  it('is served by a name of the machine', async () => {
    const { port } = new URL(server.url);
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`])
      expect((await ask('GET', '/files', { Host: host })).status).toBe(200);
  });
});

describe('a link that is opened in a browser', () => {
  const LINK = '/l/01920000-0000-7000-8000-000000000001';
  const asBrowser = { Accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' };

  it('says to a person how it is opened, also where nobody is let in without a token', async () => {
    for (const hasAccounts of [false, true]) {
      if (hasAccounts) await initAdmin(server.url, server.storage);
      const { status, headers, body } = await ask('GET', LINK, asBrowser);
      expect([status, headers['content-type'], body]).toEqual([
        200,
        'text/html; charset=utf-8',
        expect.stringContaining('dcloud open'),
      ]);
      expect(headers).toMatchObject({
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'referrer-policy': 'no-referrer',
      });
      expect((await ask('GET', '/l', asBrowser)).status).toBe(404);
    }
  });

  it('is not in the log, with what should stand behind a # and does not', async () => {
    for (const behind of ['%23AXNlY3JldA', '/AXNlY3JldA', '?AXNlY3JldA'])
      expect((await ask('GET', `${LINK}${behind}`, asBrowser)).status).toBe(200);
    expect(server.logs()).toContain('"path":"/l/*"');
    expect(server.logs()).not.toContain('AXNlY3JldA');
  });
});
