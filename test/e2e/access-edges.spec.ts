import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addAccount, initAdmin, makeToken } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { PeerCluster } from '../support/peer-cluster.js';
import { runCli } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';

const TOKEN = /^dct_[0-9a-f]{32}_[\w-]{43}\n$/;
const SECRET = 'a secret of the peers that is long enough';

async function codeOf(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  if (response.ok) return String(response.status);
  return `${response.status} ${((await response.json()) as { code: string }).code}`;
}

function forged(id: string): string {
  return `dct_${id.replaceAll('-', '')}_${'A'.repeat(43)}`;
}

describe('guessing', () => {
  let server: TestServer;
  let token: string;

  beforeAll(async () => {
    const limits = { failed_attempts_max: 4, failed_attempts_window_ms: 3000 };
    server = await TestServer.start({ config: { limits } });
    token = await initAdmin(server.url, server.storage);
  });

  afterAll(() => server.remove());

  it('is held up after some failures, does not hold up who is known, and ends with the window', async () => {
    const admin = new Client(server.url, undefined, token);
    expect(await codeOf(admin.call('/files/list'))).toBe('200');
    const guesses = ['nonsense', forged('01920000-0000-7000-8000-000000000001'), token.slice(0, -43) + 'A'.repeat(43), 'dct_'];
    for (const guess of guesses)
      expect(await codeOf(new Client(server.url, undefined, guess).call('/files/list'))).toBe('401 unauthenticated');
    for (const guess of guesses) {
      const answer = await new Client(server.url, undefined, guess).call('/files/list');
      expect([answer.status, Number(answer.headers.get('retry-after'))]).toEqual([429, expect.any(Number)]);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    }
    expect(await codeOf(admin.call('/files/list'))).toBe('200');
    expect(await codeOf(new Client(server.url).call('/files/list'))).toBe('401 unauthenticated'); // who says nothing guesses nothing
    await new Promise((resolve) => setTimeout(resolve, 3100));
    expect(await codeOf(new Client(server.url, undefined, 'nonsense').call('/files/list'))).toBe('401 unauthenticated');
  });
});

describe('guessing through a proxy', () => {
  /** Guesses until it is held up or may guess no more. */
  const guess = async (trusted: readonly string[], clients: readonly string[]): Promise<string[]> => {
    const limits = { failed_attempts_max: 2, failed_attempts_window_ms: 600_000 };
    const server = await TestServer.start({ config: { limits, trusted_proxies: trusted } });
    try {
      await initAdmin(server.url, server.storage);
      const seen: string[] = [];
      for (const client of clients) {
        const headers = { authorization: 'Bearer guess', 'x-forwarded-for': client };
        seen.push((await codeOf(fetch(`${server.url}/nodes`, { headers }))).slice(0, 3));
      }
      return seen;
    } finally {
      await server.remove();
    }
  };

  it('is counted for the connection, whatever the header says, if the proxy is not trusted', async () => {
    expect(await guess(['10.0.0.1'], ['192.0.2.1', '192.0.2.2', '192.0.2.3'])).toEqual(['401', '401', '429']);
  });

  it('is counted for each client if it is, and not for those that a client invents', async () => {
    const clients = ['192.0.2.1', '8.8.8.8, 192.0.2.1', '9.9.9.9, 192.0.2.1', '192.0.2.2', '192.0.2.1, 192.0.2.2'];
    expect(await guess(['127.0.0.0/8'], clients)).toEqual(['401', '401', '429', '401', '401']);
  });
});

describe('the command line', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start();
  });

  afterAll(() => server.remove());

  it('makes the first administrator of a server that runs, then accounts and tokens', async () => {
    const config = JSON.parse(await readFile(server.configFile, 'utf8')) as object;
    await writeFile(server.configFile, JSON.stringify({ ...config, port: Number(new URL(server.url).port) }));
    const init = await runCli(['admin', 'init', '--config', server.configFile, '--name', 'root']);
    expect([init.code, init.stdout]).toEqual([0, expect.stringMatching(TOKEN)]);
    expect(await runCli(['admin', 'init', '--config', server.configFile])).toMatchObject({ code: 78, stdout: '' });

    const as = (token: string) => ({ environment: { DCLOUD_URL: server.url, DCLOUD_TOKEN: token.trim() } });
    const admin = as(init.stdout);
    expect(await runCli(['account', 'add', 'ada', '--bytes', '1K', '--files', '2'], admin)).toMatchObject({ code: 0 });
    expect((await runCli(['account', 'list'], admin)).stdout).toMatch(/ada {2}user {2}1000 bytes, 2 files/);
    expect(await runCli(['account', 'quota', 'ada'], admin)).toMatchObject({ code: 1, stdout: '' });
    expect(await runCli(['account', 'quota', 'ada', '--files', 'none'], admin)).toMatchObject({ code: 0 });
    expect((await runCli(['account', 'list'], admin)).stdout).toMatch(/ada {2}user {2}1000 bytes, any files/);
    const made = await runCli(
      ['token', 'create', '--account', 'ada', '--scope', 'read', '--prefix', 'p/', '--expires', '2h'],
      admin,
    );
    expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(TOKEN)]);
    const ada = new Client(server.url, undefined, made.stdout.trim());
    expect(await codeOf(ada.call('/files/list'))).toBe('200');
    const listed = await runCli(['token', 'list'], as(made.stdout));
    const [id = ''] = listed.stdout.split(' ');
    expect(listed.stdout).toMatch(/ {2}read {2}names from "p\/" {2}ends 2/);
    expect((await runCli(['account', 'disable', 'ada'], admin)).code).toBe(0);
    expect(await codeOf(ada.call('/files/list'))).toBe('401 unauthenticated');
    expect((await runCli(['account', 'disable', 'ada', '--undo'], admin)).code).toBe(0);
    expect((await runCli(['token', 'revoke', id], admin)).code).toBe(0);
    expect(await runCli(['token', 'list'], as(made.stdout))).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/\(unauthenticated\)/),
    });
    expect(await runCli(['account', 'list', '--url', 'http://127.0.0.1:9'], admin)).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/\(server-unreachable\)/),
    });
  }, 60_000);
});

describe('a server for other machines', () => {
  it('is not started before there is an administrator, who can be made without it', async () => {
    const made = await TestServer.start();
    await made.stop();
    const config = JSON.parse(await readFile(made.configFile, 'utf8')) as object;
    await writeFile(made.configFile, JSON.stringify({ ...config, listen: '0.0.0.0' }));
    try {
      const refused = await runCli(['serve', '--config', made.configFile]);
      expect(refused).toMatchObject({ code: 78, stderr: expect.stringMatching(/listen is "0\.0\.0\.0".*dcloud admin init/) });
      const init = await runCli(['admin', 'init', '--config', made.configFile]);
      expect([init.code, init.stdout]).toEqual([0, expect.stringMatching(TOKEN)]);
      const open = await TestServer.start({ directory: made.directory, config: { listen: '0.0.0.0' } });
      const url = open.url.replace('0.0.0.0', '127.0.0.1');
      expect(await codeOf(new Client(url).call('/files/list'))).toBe('401 unauthenticated');
      expect(await codeOf(new Client(url, undefined, init.stdout.trim()).call('/files/list'))).toBe('200');
      await open.stop();
    } finally {
      await made.remove();
    }
  }, 60_000);
});

describe('a cluster with accounts', () => {
  let cluster: PeerCluster;

  beforeAll(async () => {
    const limits = { probe_interval_ms: 400, probe_ms_max: 1200, failed_attempts_max: 3, failed_attempts_window_ms: 600_000 };
    cluster = await PeerCluster.start({ nodes: 2, redundancy: 1, config: { cluster_secret: SECRET, limits } });
  });

  afterAll(() => cluster.remove());

  it('is known at every peer by the same token, and tells nothing else without one', async () => {
    const token = await initAdmin(cluster.url(1), cluster.storage(1));
    const [first, second] = [1, 2].map((i) => new Client(cluster.url(i), undefined, token)) as [Client, Client];
    const id = await addAccount(second, { name: 'ada' });
    const ada = new Client(cluster.url(2), undefined, (await makeToken(second, { accountId: id })).token);
    const file = await ada.put('by the peer', 'bytes');
    expect((await ada.bytes(file.id)).toString()).toBe('bytes');
    for (const admin of [first, second]) expect(await codeOf(admin.get(file.id))).toBe('404 file-not-found');
    for (const i of [1, 2]) {
      const anybody = new Client(cluster.url(i));
      for (const path of ['/files/list', '/nodes', '/repair', '/whoami', '/accounts'])
        expect([i, path, await codeOf(anybody.call(path))]).toEqual([i, path, '401 unauthenticated']);
      const health = await (await anybody.call('/health')).text();
      for (const word of [file.id, 'ada', 'by the peer', token, cluster.storage(i)]) expect(health).not.toContain(word);
    }
  });

  it('counts failures for the client, wherever it fails', async () => {
    const elsewhere = async (i: number): Promise<number | undefined> => {
      const headers = { Authorization: 'Bearer guess' };
      const asked = get(`${cluster.url(i)}/nodes`, { localAddress: '127.0.0.2', headers, agent: false });
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    };
    // Another client than the one below, which the peer tells apart.
    for (const i of [2, 2, 1]) expect(await elsewhere(i)).toBe(401);
    for (const i of [1, 2]) expect(await elsewhere(i)).toBe(429);
    for (const i of [2, 1, 2])
      expect(await codeOf(new Client(cluster.url(i), undefined, 'guess').call('/nodes'))).toBe('401 unauthenticated');
    for (const i of [1, 2]) {
      const answer = await new Client(cluster.url(i), undefined, 'guess').call('/nodes');
      expect([answer.status, answer.headers.has('retry-after')]).toEqual([429, true]);
    }
  });
});
