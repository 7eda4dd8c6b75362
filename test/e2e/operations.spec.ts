import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { someBytes } from '../support/bytes.js';
import { Client, type FileJson } from '../support/client.js';
import { form, FORM_HEADERS } from '../support/multipart.js';
import { runCli, type CliOutcome } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';
import { filesHolding, filesUnder, lastingFilesUnder, shardPaths } from '../support/storage-files.js';

let home: string;
const servers: TestServer[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'dcloud-operations-'));
});

afterEach(async () => {
  const started = servers.splice(0);
  for (const server of started) await server.kill(); // all of them first: two may have shared a directory
  for (const server of started) await server.remove();
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

async function start(options: Parameters<typeof TestServer.start>[0] = {}): Promise<TestServer> {
  const server = await TestServer.start(options);
  servers.push(server);
  return server;
}

async function fresh(): Promise<string> {
  return mkdtemp(join(home, 'case-'));
}

/** A start that must fail is one line for the user: what is wrong and with what, and no stack. */
function expectRefusal({ code, stderr }: CliOutcome, rule: RegExp): void {
  expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringMatching(/^dcloud: [^\n]+\n$/) });
  expect(stderr).toMatch(rule);
  expect(stderr).not.toMatch(/\n {4}at |\.js:\d/);
}

describe('a configuration that is refused', () => {
  const four = ['http://127.0.0.1:5000', 'http://127.0.0.1:5001', 'http://127.0.0.1:5002', 'http://127.0.0.1:5003'];
  const cases: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ['as many copies as nodes', { redundancy_count: 4 }, /redundancy_count is 4.*less than node_count \(4\)/],
    ['no node', { node_count: 0, redundancy_count: 0 }, /node_count is 0.*less than 1/],
    ['a slice that is too small', { size_per_slice: 1023 }, /size_per_slice is 1023.*less than 1024/],
    ['duplicate peers', { peers: [four[0], four[1], four[2], `${four[0]!}/`] }, /peers.*127\.0\.0\.1:5000.*twice/],
    ['an unknown key', { nodes: 4 }, /nodes is unknown/],
    [
      'a directory below a file',
      { storage_directory: '/etc/hostname/data' },
      /storage_directory.*\/etc\/hostname\/data.*ENOTDIR/,
    ],
    ['a directory where there can be none', { storage_directory: '/proc/data' }, /storage_directory.*\/proc\/data.*ENOENT/],
  ];

  it.each(cases)('%s: with key, value and rule', async (_what, config, rule) => {
    const directory = await fresh();
    const file = join(directory, 'config.json');
    await writeFile(file, JSON.stringify({ storage_directory: join(directory, 'data'), port: 0, ...config }));
    expectRefusal(await runCli(['serve', '--config', file]), rule);
    expect(await filesUnder(directory)).toEqual([file]);
  });

  it('a secret that is too short, without repeating it', async () => {
    const file = join(await fresh(), 'config.json');
    await writeFile(file, JSON.stringify({ cluster_secret: 'hunter2' }));
    const outcome = await runCli(['serve', '--config', file]);
    expectRefusal(outcome, /cluster_secret is set.*32 characters/);
    expect(outcome.stderr).not.toContain('hunter2');
  });

  it('files that are missing or no JSON', async () => {
    const file = join(await fresh(), 'config.json');
    expectRefusal(await runCli(['serve', '--config', file]), /config\.json cannot be read.*ENOENT/);
    await writeFile(file, '{ "port": 1, }');
    expectRefusal(await runCli(['serve', '--config', file]), /config\.json is not valid JSON/);
  });

  it('variables that are no key or no value', async () => {
    const directory = await fresh();
    const serve = (environment: Record<string, string>): Promise<CliOutcome> =>
      runCli(['serve', '--port', '0'], { environment, directory });
    expectRefusal(await serve({ DCLOUD_NODES: '4' }), /DCLOUD_NODES overrides no key.*nodes/);
    expectRefusal(await serve({ DCLOUD_NODE_COUNT: 'four' }), /DCLOUD_NODE_COUNT is "four".*JSON/);
    expectRefusal(await serve({ DCLOUD_CONFIG: '/nowhere.json' }), /\/nowhere\.json cannot be read/);
    expect(await filesUnder(directory)).toEqual([]);
  });

  it('flags that are no number are told by the usage, not by a stack', async () => {
    const { code, stderr } = await runCli(['serve', '--port', 'x']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: option '--port <number>' argument 'x' is invalid/);
    const file = join(await fresh(), 'config.json');
    await writeFile(file, '{}');
    expectRefusal(await runCli(['serve', '--config', file, '--node', '5', '--port', '0']), /--node is 5.*1 to node_count \(4\)/);
  });
});

describe('a configuration that is taken', () => {
  const ORIGINAL = `{
    "storage_directory": "./data",
    "node_count": 4,
    "size_per_slice": 1024,
    "redundancy_count": 1,
    "peers": ["http://127.0.0.1:5000", "http://127.0.0.1:5001", "http://127.0.0.1:5002", "http://127.0.0.1:5003"]
  }`;

  it('has the five keys of the original system, and its directory beside the file', async () => {
    const directory = await fresh();
    await writeFile(join(directory, 'original.json'), ORIGINAL);
    // Its nodes in one process; as processes they are what test/e2e/cluster.spec.ts is about.
    const environment = { DCLOUD_PEERS: '[]' };
    const args = ['--config', join(directory, 'original.json'), '--port', '0'];
    const server = await start({ directory, args, environment });
    const client = new Client(server.url);
    const file = await client.put('original', someBytes(40_000));
    expect((await client.bytes(file.id)).equals(someBytes(40_000))).toBe(true);
    // 40,032 sealed bytes in slices of 1,024, twice, none of them in a file of its own.
    const info = (await (await fetch(`${server.url}/files/${file.id}/info`)).json()) as { layout: { stripes: number } };
    expect(info.layout.stripes).toBe(40);
    expect(await shardPaths(join(directory, 'data'))).toEqual([]);
    const { nodes } = (await (await fetch(`${server.url}/nodes`)).json()) as { nodes: unknown[] };
    expect(nodes).toHaveLength(4);
  });

  it('comes from --config, else DCLOUD_CONFIG; a variable overrides it, and a flag the variable', async () => {
    const directory = await fresh();
    const [one, two] = [join(directory, 'one.json'), join(directory, 'two.json')];
    await writeFile(one, JSON.stringify({ storage_directory: 'one', port: 0, node_count: 2 }));
    await writeFile(two, JSON.stringify({ storage_directory: 'two', port: 0, node_count: 3 }));
    const count = async (server: TestServer): Promise<number> => {
      const { nodes } = (await (await fetch(`${server.url}/nodes`)).json()) as { nodes: unknown[] };
      await server.stop();
      return nodes.length;
    };
    const environment = { DCLOUD_CONFIG: two };
    expect(await count(await start({ directory, args: [], environment }))).toBe(3);
    expect(await count(await start({ directory, args: ['--config', one], environment }))).toBe(2);
    const more = { ...environment, DCLOUD_NODE_COUNT: '5', DCLOUD_STORAGE_DIRECTORY: join(directory, 'five') };
    expect(await count(await start({ directory, args: [], environment: more }))).toBe(5);
    expect((await stat(join(directory, 'five', 'node_5'))).isDirectory()).toBe(true);
    const port = await freePort();
    const busy = { ...environment, DCLOUD_PORT: '1' };
    const server = await start({ directory, args: ['--port', String(port)], environment: busy });
    expect(server.url).toBe(`http://127.0.0.1:${port}`);
  });

  it('lets a process be one of the peers, by --node', async () => {
    const directory = await fresh();
    const port = await freePort();
    const peers = ['http://127.0.0.1:5000', `http://localhost:${port}`];
    await writeFile(join(directory, 'peers.json'), JSON.stringify({ storage_directory: 'data', node_count: 2, peers }));
    const server = await start({ directory, args: ['--config', join(directory, 'peers.json'), '--node', '2'] });
    expect(new URL(server.url).port).toBe(String(port));
  });

  it('is not needed to ask for help and version', async () => {
    const help = await runCli(['--help']);
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('serve')]);
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect((await runCli(['--version'])).stdout).toBe(`${version}\n`);
    expect((await runCli(['serv'])).code).toBe(1);
  });
});

describe('a start beside others', () => {
  it('on a storage that is in use is refused, and the first server goes on unharmed', async () => {
    const server = await start();
    const client = new Client(server.url);
    const file = await client.put('mine', someBytes(300_000));
    const before = await lastingFilesUnder(server.storage);
    expectRefusal(await runCli(['serve', '--config', server.configFile]), /storage-locked.*another process/);
    expect((await client.bytes(file.id)).equals(someBytes(300_000))).toBe(true);
    expect(await lastingFilesUnder(server.storage)).toEqual(before);
    await client.put('still', 'writable');
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  });

  it('on a port that another program has is refused in one line', async () => {
    const other = await listening();
    try {
      const { port } = other.address() as AddressInfo;
      const directory = await fresh();
      const file = join(directory, 'config.json');
      await writeFile(file, JSON.stringify({ storage_directory: 'data' }));
      const outcome = await runCli(['serve', '--config', file, '--port', String(port)]);
      expectRefusal(outcome, new RegExp(`127\\.0\\.0\\.1 port ${port}: another program`));
      // What it held is free again.
      const server = await start({ directory, args: ['--config', file, '--port', '0'] });
      await new Client(server.url).put('x', 'x');
    } finally {
      other.close();
    }
  });
});

describe('a restart', () => {
  it('keeps all files, versions and records, whether it was stopped or killed', async () => {
    const server = await start({ config: { size_per_slice: 4096, pack_below: 0 } });
    const client = new Client(server.url);
    const bodies = [0, 1, 4096, 70_000, 300_000].map((size) => someBytes(size, size + 1));
    const files: FileJson[] = [];
    for (const [at, body] of bodies.entries()) files.push(await client.put(`näme ${at}`, body, { 'content-type': `x/y${at}` }));
    const gone = await client.put('gone', 'x');
    await client.remove(gone.id);
    const replaced = (await (await client.replace(files[3]!.id, bodies[3]!)).json()) as FileJson;
    files[3] = replaced;

    expect(await server.stop()).toBe(0);
    const second = await start({ directory: server.directory, config: { size_per_slice: 4096, pack_below: 0 } });
    await second.kill();
    // Another size of slices is for what is written from now on.
    const third = await start({ directory: server.directory, config: { size_per_slice: 100_000, pack_below: 0 } });
    const again = new Client(third.url);
    expect(await again.listAll()).toEqual(files.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
    for (const [at, { id }] of files.entries()) {
      expect((await again.bytes(id)).equals(bodies[at]!)).toBe(true);
      if (at >= 3) expect(await again.bytes(id, { range: 'bytes=5000-5999' })).toEqual(bodies[at]!.subarray(5000, 6000));
    }
    const { nodes } = (await (await fetch(`${third.url}/nodes`)).json()) as { nodes: { files: number }[] };
    expect(nodes.reduce((sum, node) => sum + node.files, 0)).toBe((await shardPaths(third.storage)).length);
  });
});

describe('a used storage of which a part is missing', () => {
  let used: TestServer;
  let file: FileJson;

  beforeAll(async () => {
    used = await TestServer.start();
    file = await new Client(used.url).put('precious', 'precious');
    expect(await used.stop()).toBe(0);
  });

  afterAll(async () => {
    await used.remove();
  });

  it.each([
    ['key-ring.json', /storage-missing.*key-ring\.json/],
    ['index', /storage-missing.*index/],
    ['cluster.json', /storage-missing.*cluster\.json/],
  ])('%s is refused in words, nothing is made in its place, and it works again with it', async (name, rule) => {
    const aside = join(used.directory, `aside-${name}`);
    await rename(join(used.storage, name), aside);
    const before = await lastingFilesUnder(used.storage);
    expectRefusal(await runCli(['serve', '--config', used.configFile]), rule);
    expect(await lastingFilesUnder(used.storage)).toEqual(before);
    await rename(aside, join(used.storage, name));
    const server = await start({ directory: used.directory });
    expect((await new Client(server.url).bytes(file.id)).toString()).toBe('precious');
    await server.stop();
  });

  it('with the key ring of another cluster, a damaged one, or one that others may read, is refused', async () => {
    const path = join(used.storage, 'key-ring.json');
    const good = await readFile(path);
    const other = await start();
    await copyFile(join(other.storage, 'key-ring.json'), path);
    expectRefusal(await runCli(['serve', '--config', used.configFile]), /storage-mismatch/);
    await writeFile(path, good.subarray(0, good.length / 2));
    expectRefusal(await runCli(['serve', '--config', used.configFile]), /storage-unusable.*key-ring\.json/);
    await writeFile(path, good);
    await rename(path, `${path}.moved`);
    await writeFile(path, good, { mode: 0o644 });
    expectRefusal(await runCli(['serve', '--config', used.configFile]), /storage-unusable.*0644.*0600/);
    await rename(`${path}.moved`, path);
  });

  it('with fewer nodes than before is refused, with more it goes on', async () => {
    const config = join(used.directory, 'three.json');
    await writeFile(config, JSON.stringify({ storage_directory: used.storage, port: 0, node_count: 3 }));
    expectRefusal(await runCli(['serve', '--config', config]), /storage-mismatch.*node_count is 3.*4 nodes/);
  });
});

describe('the key ring', () => {
  const keysOf = async (server: TestServer): Promise<readonly { readonly id: string; readonly state: string }[]> => {
    const { code, stdout } = await runCli(['keys', 'show', '--config', server.configFile]);
    expect(code).toBe(0);
    return stdout
      .trim()
      .split('\n')
      .map((line) => ({ id: line.split(/\s+/)[0]!, state: line.split(/\s+/)[1]! }));
  };
  const untilOneKey = async (server: TestServer): Promise<string> => {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const keys = await keysOf(server);
      if (keys.length === 1) return keys[0]!.id;
      if (Date.now() > deadline) throw new Error(`there are still ${keys.length} keys:\n${server.logs()}`);
      await sleep(200);
    }
  };
  /** Versions that were wrapped anew when a key was retired. */
  const retired = (server: TestServer, key: string): number => {
    const lines = server.logs().split('\n');
    const line = lines.find((text) => text.includes('a key was retired') && text.includes(`"key":"${key}"`));
    return (JSON.parse(line!) as { versions: number }).versions;
  };

  it('is for its owner only, and is announced loudly when it is made', async () => {
    const server = await start();
    const path = join(server.storage, 'key-ring.json');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await runCli(['keys', 'rotate', '--config', server.configFile]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await server.stop();
    expect(server.logs()).toContain('made a new key ring');
    expect(server.logs()).toContain(path);
  });

  it('rotates under load: everything is readable before, during and after, and no slice is touched', async () => {
    const config = { size_per_slice: 65_536, pack_below: 0, log_level: 'info' };
    const server = await start({ config });
    const client = new Client(server.url);
    const old = new Map<string, Buffer>();
    for (let at = 0; at < 60; at += 1) {
      const body = someBytes(at * 5000, at + 1);
      old.set((await client.put(`old ${at}`, body)).id, body);
    }
    const slices = new Map<string, Buffer>();
    for (const path of await shardPaths(server.storage)) slices.set(path, await readFile(path));
    const first = await untilOneKey(server);

    let isOver = false;
    let reads = 0;
    const added = new Map<string, Buffer>();
    const read = async (): Promise<void> => {
      while (!isOver)
        for (const [id, body] of old)
          if ((reads += 1) && !(await client.bytes(id)).equals(body)) throw new Error(`${id} is another`);
    };
    const write = async (): Promise<void> => {
      for (let at = 0; !isOver; at += 1) {
        const body = someBytes(1000 + at, at + 5000);
        added.set((await client.put(`during ${at}`, body)).id, body);
      }
    };
    const load = Promise.all([read(), read(), write(), write()]);
    // An upload that began under the old key and ends when that is long gone.
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const slow = client.put('across', readable);
    const writer = writable.getWriter();
    await writer.write(someBytes(200_000, 8));
    await sleep(200);

    const rotated = await runCli(['keys', 'rotate', '--config', server.configFile]);
    expect([rotated.code, rotated.stdout]).toEqual([0, expect.stringContaining('active')]);
    const second = await untilOneKey(server);
    expect(second).not.toBe(first);
    await writer.write(someBytes(200_000, 9));
    await writer.close();
    const across = await slow;
    isOver = true;
    await load;
    expect(reads).toBeGreaterThan(old.size);
    expect(added.size).toBeGreaterThan(10);
    expect(retired(server, first)).toBeGreaterThanOrEqual(60);
    for (const [path, bytes] of slices) expect((await readFile(path)).equals(bytes)).toBe(true);

    // Everything, what is new too, hangs on the second key now: the next rotation has to wrap all of it.
    const total = old.size + added.size + 1;
    await runCli(['keys', 'rotate', '--config', server.configFile]);
    const third = await untilOneKey(server);
    expect(third).not.toBe(second);
    expect(retired(server, second)).toBe(total);

    expect(await server.stop()).toBe(0);
    const again = new Client((await start({ directory: server.directory, config })).url);
    for (const [id, body] of [...old, ...added]) expect((await again.bytes(id)).equals(body)).toBe(true);
    expect((await again.bytes(across.id)).equals(Buffer.concat([someBytes(200_000, 8), someBytes(200_000, 9)]))).toBe(true);
  });

  it('that was rotated while no server ran is taken over by the next start', async () => {
    const server = await start();
    const file = await new Client(server.url).put('x', 'content');
    const first = await untilOneKey(server);
    await server.stop();
    await runCli(['keys', 'rotate', '--config', server.configFile]);
    expect(await keysOf(server)).toHaveLength(2);
    const again = await start({ directory: server.directory });
    expect((await new Client(again.url).bytes(file.id)).toString()).toBe('content');
    expect(await untilOneKey(again)).not.toBe(first);
    expect((await new Client(again.url).bytes(file.id)).toString()).toBe('content');
  });
});

describe('SIGTERM', () => {
  it('lets a slow upload and a slow download end, takes nothing new, and exits with 0', async () => {
    const server = await start();
    const client = new Client(server.url);
    const big = someBytes(16_000_000, 3);
    const file = await client.put('big', big);
    const download = await client.get(file.id);
    const reader = download.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    const pieces = [(await reader.read()).value!];
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const uploading = client.put('slow', readable);
    const writer = writable.getWriter();
    await writer.write(someBytes(1_500_000, 1));
    // It has arrived: a connection on which nothing has come yet counts as idle and may be closed.
    const before = (await shardPaths(server.storage)).length;
    for (let deadline = Date.now() + 5000; Date.now() < deadline && (await shardPaths(server.storage)).length === before;)
      await sleep(20);

    const ended = once(server.process, 'exit');
    server.process.kill('SIGTERM');
    await sleep(500);
    expect(server.process.exitCode).toBeNull();
    await expect(fetch(`${server.url}/health/live`)).rejects.toThrow();
    for (let next = await reader.read(); !next.done; next = await reader.read()) pieces.push(next.value);
    expect(Buffer.concat(pieces).equals(big)).toBe(true);
    await writer.write(someBytes(1_500_000, 2));
    await writer.close();
    const uploaded = await uploading;
    const began = Date.now();
    await ended;
    expect(server.process.exitCode).toBe(0);
    expect(Date.now() - began).toBeLessThan(2000);

    const again = new Client((await start({ directory: server.directory })).url);
    expect((await again.bytes(uploaded.id)).equals(Buffer.concat([someBytes(1_500_000, 1), someBytes(1_500_000, 2)]))).toBe(true);
  });

  it('ends what does not end by itself, after a limit', async () => {
    const server = await start({ config: { limits: { shutdown_ms_max: 1000 } } });
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const uploading = new Client(server.url).put('never', readable).then(
      () => 'stored',
      () => 'refused',
    );
    await writable.getWriter().write(someBytes(100_000));
    await sleep(200);
    const began = Date.now();
    expect(await server.stop()).toBe(0);
    expect(Date.now() - began).toBeLessThan(5000);
    expect(await uploading).toBe('refused');
  });
});

describe('what is printed', () => {
  it('is JSON lines with request ids, and never a name, a body or a key', async () => {
    const server = await start({ config: { log_level: 'trace', pack_below: 0, limits: { small_cache_bytes: 0 } } });
    const client = new Client(server.url);
    const [name, body, type] = ['n4me-marker-xyzzy', 'b0dy-marker-plugh', 'application/x-typ3-marker'];
    const file = await client.put(name, body, { 'content-type': type, 'x-request-id': 'given-id.1' });
    const ask = (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
      fetch(`${server.url}${path}`, { method, ...init });
    const jsonType = { 'content-type': 'application/json' };
    await ask('GET', `/files/list?prefix=${name}`);
    await ask('GET', `/files/list?${name}=1`);
    await ask('PATCH', `/files/${file.id}`, { body: JSON.stringify({ name: `${name}2` }), headers: jsonType });
    await ask('PATCH', `/files/${file.id}`, { body: `{"name":"${name}`, headers: jsonType });
    await ask('PATCH', `/files/${file.id}`, { body: JSON.stringify({ [name]: body }), headers: jsonType });
    await ask('PATCH', `/files/${file.id}`, { body: JSON.stringify({ name: [name] }), headers: jsonType });
    await ask('PUT', `/files?name=${name}%00`, { body });
    await ask('PUT', `/files/${name}`, { body }); // as curl -T does with an address that ends in a slash
    await ask('PUT', '/files', {
      body,
      headers: { 'content-disposition': `attachment; filename="${name}"`, 'content-type': name },
    });
    const part = { disposition: `name="file"; filename="${name}"`, body };
    await ask('PUT', '/files', { body: form(part), headers: FORM_HEADERS });
    await ask('PUT', '/files', { body: form(part, part), headers: FORM_HEADERS });
    await ask('GET', `/files/${file.id}`, { headers: { range: 'bytes=0-3', 'x-name': name } });
    for (const path of await shardPaths(server.storage)) await rm(path);
    expect((await client.get(file.id)).status).toBe(500);
    await runCli(['keys', 'rotate', '--config', server.configFile]);
    await sleep(1200);
    const ring = JSON.parse(await readFile(join(server.storage, 'key-ring.json'), 'utf8')) as unknown;
    await server.stop();

    const logs = server.logs();
    const secrets = textsOf(ring).filter((text) => text.length >= 32 && !/^[0-9a-f-]{36}$/.test(text));
    expect(secrets.length).toBeGreaterThan(0);
    for (const secret of [...secrets, ...secrets.map((text) => Buffer.from(text, 'base64').toString('hex'))])
      expect(logs).not.toContain(secret);
    for (const marker of [name, body, type, 'typ3-marker']) expect(logs).not.toContain(marker);
    // It would be found if it were there.
    expect(logs).toContain('given-id.1');
    const lines = logs.split('\n').filter((line) => line.startsWith('{'));
    const requests = lines
      .map((line) => JSON.parse(line) as { req?: { id: string; path: string }; msg: string })
      .filter(({ req }) => req !== undefined);
    expect(requests.length).toBeGreaterThan(12);
    expect(requests.some(({ req }) => req!.path === `/files/${file.id}`)).toBe(true);
    const others = logs.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    expect(others.every((line) => /^DistributedCloud listens on|^ {2}\S/.test(line))).toBe(true);
  });

  it('X-Request-Id comes back as it was sent if it is decent, else a new one does', async () => {
    const server = await start();
    const idOf = async (given?: string): Promise<string> => {
      const response = await fetch(
        `${server.url}/health/live`,
        given === undefined ? {} : { headers: { 'x-request-id': given } },
      );
      return response.headers.get('x-request-id')!;
    };
    expect(await idOf('abc-1.2_3')).toBe('abc-1.2_3');
    const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
    for (const bad of ['x'.repeat(65), 'a b', '{"a":1}', undefined]) expect(await idOf(bad)).toMatch(uuid);
    const problem = await fetch(`${server.url}/files/x`, { headers: { 'x-request-id': 'of-an-error' } });
    expect(problem.headers.get('x-request-id')).toBe('of-an-error');
    await server.stop();
    expect(server.logs()).toContain('"id":"of-an-error"');
  });
});

describe('what lies on the disks', () => {
  it('holds no plaintext anywhere, and no name or type on the nodes', async () => {
    const server = await start({ config: { size_per_slice: 1024, pack_below: 0 } });
    const client = new Client(server.url);
    const [body, name, type] = ['pl41ntext-marker-0f-content', 'n4me-0f-a-secret-file', 'application/x-s3cret-type'];
    const headers = { 'content-type': type };
    await client.put(name, body, headers);
    await client.put(`${name} 2`, body.repeat(20_000), headers);
    const part = { disposition: `name="file"; filename="${name} 3"`, contentType: type, body: body.repeat(100) };
    await fetch(`${server.url}/files`, { method: 'PUT', body: form(part), headers: FORM_HEADERS });
    const replaced = await client.put('plain', 'plain');
    await fetch(`${server.url}/files/${replaced.id}?name=${name}`, { method: 'PUT', body, headers });
    const search = async (): Promise<void> => {
      expect(await filesHolding(server.storage, body)).toEqual([]);
      for (const node of [1, 2, 3, 4]) {
        for (const text of [name, type, 's3cret-type']) expect(await filesHolding(server.nodeFolder(node), text)).toEqual([]);
      }
    };
    expect((await shardPaths(server.storage)).length).toBeGreaterThan(1000);
    await search();
    await server.stop();
    await search();
    // The index may hold names, so a search that works finds them there.
    expect(await filesHolding(join(server.storage, 'index'), name)).not.toEqual([]);
  });

  it('is searched by a search that finds a text in every form', async () => {
    const directory = await fresh();
    const text = 'pl41ntext-marker-0f-content';
    const forms: Record<string, Buffer> = {
      raw: Buffer.from(`before${text}behind`),
      hex: Buffer.from(Buffer.from(text).toString('hex')),
      upper: Buffer.from(Buffer.from(text).toString('hex').toUpperCase()),
      little: Buffer.from(text, 'utf16le'),
      big: Buffer.from(text, 'utf16le').swap16(),
      ...Object.fromEntries(
        ['', 'a', 'ab', 'abc'].map((before) => [
          `base64-${before.length}`,
          Buffer.from(Buffer.from(`${before}${text}xyz`).toString('base64')),
        ]),
      ),
      url: Buffer.from(Buffer.from(`a${text}xyz`).toString('base64url')),
    };
    for (const [name, bytes] of Object.entries(forms)) await writeFile(join(directory, name), bytes);
    await mkdir(join(directory, 'node_1', text), { recursive: true });
    await writeFile(join(directory, 'node_1', text, 'x'), 'the name of its folder');
    await writeFile(join(directory, 'innocent'), someBytes(100_000));
    const found = (await filesHolding(directory, text)).map((path) => path.slice(directory.length + 1));
    expect(found.toSorted()).toEqual([...Object.keys(forms), join('node_1', text, 'x')].toSorted());
  });
});

function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

async function listening(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function freePort(): Promise<number> {
  const server = await listening();
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
