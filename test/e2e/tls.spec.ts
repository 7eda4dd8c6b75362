import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, get, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type CertificateFiles, TestAuthority } from '../support/certificates.js';
import { Client } from '../support/client.js';
import { PeerCluster } from '../support/peer-cluster.js';
import { exchange, openSocket, readToEnd } from '../support/raw-http.js';
import { runCli } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';

const run = promisify(execFile);

let directory: string;
let authority: TestAuthority;
let stranger: TestAuthority;
let server: TestServer | undefined;
let cluster: PeerCluster | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dcloud-tls-e2e-'));
  authority = new TestAuthority(directory, 'authority');
  stranger = new TestAuthority(directory, 'stranger');
  // For `fetch` in this process; the servers know nothing of it.
  const known = await Promise.all([authority, stranger].map(({ certificate }) => readFile(certificate, 'utf8')));
  setDefaultCACertificates([...getCACertificates('default'), ...known]);
});

afterEach(async () => {
  await server?.remove();
  await cluster?.remove();
  server = cluster = undefined;
});

afterAll(() => rm(directory, { recursive: true }));

/** Files of the configuration, which a test may replace. */
async function filesOf(issued: CertificateFiles, name: string): Promise<CertificateFiles> {
  const files = { certificate: join(directory, `${name}-live.pem`), key: join(directory, `${name}-live.key`) };
  await replace(files, issued);
  return files;
}

async function replace(files: CertificateFiles, issued: CertificateFiles): Promise<void> {
  await copyFile(issued.certificate, files.certificate);
  await copyFile(issued.key, files.key);
}

/** The name in the certificate that a new connection is shown. */
async function nameShown(url: string): Promise<unknown> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, 'secureConnect');
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return name;
}

async function until(isSo: () => Promise<boolean> | boolean, otherwise: () => string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(otherwise());
    await sleep(50);
  }
}

describe('a server with tls', () => {
  it('speaks HTTPS to those who know its authority, and nothing else', async () => {
    const issued = authority.issue({ name: 'alone', days: 5 });
    server = await TestServer.start({ config: { tls: { ...issued, ca: null }, limits: { headers_ms_max: 1000 } } });
    const { url } = server;
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(server.logs()).toContain(`(API: ${url}/docs)`);
    await until(
      () => server!.logs().includes('the certificate of this server ends soon'),
      () => 'nothing is said of a certificate that ends in 5 days',
    );
    const curl = (...args: string[]): Promise<{ stdout: string }> => run('curl', ['--silent', '--max-time', '20', ...args]);
    const trusting = ['--cacert', authority.certificate];
    await writeFile(join(directory, 'body'), 'content');
    const { stdout } = await curl(...trusting, '--upload-file', join(directory, 'body'), `${url}/files?name=a`);
    const { id } = JSON.parse(stdout) as { id: string };
    expect((await curl(...trusting, `${url}/files/${id}`)).stdout).toBe('content');
    expect((await curl(...trusting, `${url}/docs/`)).stdout).toContain('DistributedCloud API');
    await expect(curl(`${url}/files`)).rejects.toMatchObject({ code: 60 });

    expect(await exchange(url, 'GET /files HTTP/1.1\r\nHost: localhost\r\n\r\n')).toEqual({ text: '', isClosed: true });
    await expect(curl(`${url.replace('https', 'http')}/files`)).rejects.toMatchObject({ code: expect.any(Number) });
    expect(await exchange(url, Buffer.from('1603010000', 'hex'), { half: true })).toMatchObject({ isClosed: true });
    const silent = await openSocket(url);
    expect(await readToEnd(silent, 15_000)).toEqual({ text: '', isClosed: true });
    await expect(nameShown(url)).resolves.toBe('alone');
    const { hostname, port } = new URL(url);
    const old = connect({
      host: hostname,
      port: Number(port),
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'ALL@SECLEVEL=0',
    });
    await expect(once(old, 'secureConnect')).rejects.toMatchObject({ code: expect.stringMatching(/^(?:ERR_SSL|ECONNRESET)/) });
    expect(await new Client(url).bytes(id)).toEqual(Buffer.from('content'));
    expect(server.logs()).not.toMatch(/"level":50/);
    expect(await server.stop()).toBe(0);
  });

  it('bounds the headers of a request as over plain connections', async () => {
    server = await TestServer.start({ config: { tls: authority.issue({ name: 'bounds' }), limits: { headers_ms_max: 1000 } } });
    const { hostname, port } = new URL(server.url);
    const say = async (what: string): Promise<string> => {
      const socket = connect({ host: hostname, port: Number(port) });
      await once(socket, 'secureConnect');
      socket.write(what);
      return text(socket);
    };
    expect(await say('GET / HTTP/1.1\r\nHost: localhost\r\nX: ')).toContain('request-timeout');
    expect(await say(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toContain('headers-too-large');
    expect(await say('no http at all\r\n\r\n')).toContain('invalid-request');
  });

  it('takes new certificates over under running connections, and keeps the old ones where the new are wrong', async () => {
    const files = await filesOf(authority.issue({ name: 'first' }), 'reload');
    server = await TestServer.start({ config: { tls: files } });
    const { url } = server;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const upload = request(`${url}/files?name=slow`, { method: 'PUT', agent: false });
    upload.write('begun, ');
    const ask = async (): Promise<IncomingMessage> => {
      const [answer] = (await once(get(`${url}/health/live`, { agent }), 'response')) as [IncomingMessage];
      await text(answer);
      return answer;
    };
    const { socket } = await ask();
    expect(await nameShown(url)).toBe('first');

    await replace(files, authority.issue({ name: 'second' }));
    expect(await nameShown(url)).toBe('first');
    server.process.kill('SIGHUP');
    await until(
      async () => (await nameShown(url)) === 'second',
      () => `the certificate is the old one:\n${server!.logs()}`,
    );
    expect((await ask()).socket).toBe(socket);
    upload.end('and ended');
    const [stored] = (await once(upload, 'response')) as [IncomingMessage];
    expect(stored.statusCode).toBe(201);

    const third = authority.issue({ name: 'third' });
    await copyFile(third.key, files.key);
    const refused = await fetch(`${url}/reload`, { method: 'POST' });
    expect(refused.status).toBe(422);
    const problem = (await refused.json()) as { code: string; detail: string };
    expect(problem).toMatchObject({ code: 'reload-refused', detail: expect.stringContaining('tls.key') });
    expect(problem.detail).not.toContain(directory);
    expect(await nameShown(url)).toBe('second');
    await copyFile(third.certificate, files.certificate);
    expect((await fetch(`${url}/reload`, { method: 'POST' })).status).toBe(200);
    expect(await nameShown(url)).toBe('third');
    agent.destroy();
  });

  it('does not start, nor make anything, with files that are wrong', async () => {
    const tls = { ...authority.issue({ name: 'one' }), key: authority.issue({ name: 'two' }).key };
    const config = join(directory, 'config.json');
    await writeFile(config, JSON.stringify({ storage_directory: join(directory, 'data'), port: 0, tls }));
    const message = /tls\.key is ".*two\.key": it must be the key of the certificate in .*one\.pem/;
    expect(await runCli(['serve', '--config', config])).toMatchObject({ code: 78, stderr: expect.stringMatching(message) });
    expect(existsSync(join(directory, 'data'))).toBe(false);
  });
});

describe('a cluster with tls', () => {
  it('stores and reads by way of every peer, and is taken over', async () => {
    const tls = { ...authority.issue({ name: 'peer' }), ca: authority.certificate };
    cluster = await PeerCluster.start({ nodes: 3, redundancy: 1, scheme: 'https', config: { tls } });
    const bytes = Buffer.alloc(3 << 20, 'content');
    const { id } = await new Client(cluster.url(2)).put('large', bytes);
    for (const number of [1, 2, 3]) expect(Buffer.compare(await new Client(cluster.url(number)).bytes(id), bytes)).toBe(0);
    await cluster.kill(1);
    expect(await cluster.takeOver(2)).toContain('node 2 is the gateway now');
    await until(
      async () => (await new Client(cluster!.url(3)).get(id)).ok,
      () => `the file is not there:\n${cluster!.logs(3)}`,
    );
    const plain = await exchange(cluster.url(2), 'POST /peer/v2/hello HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(plain).toEqual({ text: '', isClosed: true });
  });

  it('takes no peer of another authority, names it, and takes it when it is of the right one', async () => {
    const tls = { ...authority.issue({ name: 'ours' }), ca: authority.certificate };
    cluster = await PeerCluster.start({ nodes: 3, redundancy: 1, scheme: 'https', config: { tls }, order: [1, 2] });
    await cluster.configure(3, { tls: { ...stranger.issue({ name: 'theirs' }), ca: stranger.certificate } });
    await cluster.restart(3);
    const nodeOf = async (): Promise<{ state: string; lastError?: string }> =>
      (await (await fetch(`${cluster!.url(1)}/nodes/3`)).json()) as { state: string };
    let last = '';
    await until(
      async () =>
        (last = JSON.stringify(await nodeOf())).includes('its certificate is not one of that host by an authority in tls.ca'),
      () => `the peer is not named: ${last}`,
    );
    expect(await nodeOf()).toMatchObject({ state: 'down' });
    const through = await fetch(`${cluster.url(3)}/files`);
    expect(await through.json()).toMatchObject({ code: 'gateway-unavailable' });
    await until(
      () => cluster!.logs(3).includes('a peer cannot be trusted'),
      () => `the peer does not say why:\n${cluster!.logs(3)}`,
    );
    await cluster.stop(3);
    await cluster.configure(3);
    await cluster.restart(3);
    await cluster.untilNode(3, 'up', 30_000);
    await cluster.untilReady(3);
  });
});
