import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { addAccount, initAdmin, makeToken } from '../support/accounts.js';
import { FaultProxy } from '../support/chaos/fault-proxy.js';
import { Client } from '../support/client.js';
import { Random } from '../support/crash/random.js';
import { DriveCli, GENEROUS } from '../support/drive-cli.js';
import { freePort } from '../support/free-port.js';
import { PostgresServer } from '../support/postgres.js';
import { beginCli, runCli, type CliOutcome } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';
import { eventually } from '../support/shard-files.js';

const BASE = {
  node_count: 4,
  redundancy_count: 1,
  size_per_slice: 4096,
  registration: 'open',
  limits: { ...GENEROUS, orphan_grace_ms: 0 },
};

let database: PostgresServer;
const servers: TestServer[] = [];
const homes: DriveCli[] = [];

beforeAll(async () => {
  database = await PostgresServer.start();
});

afterEach(async () => {
  for (const one of servers.splice(0)) await one.remove();
  for (const one of homes.splice(0)) await one.remove();
});

afterAll(() => database.dispose());

interface Store {
  readonly config: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string>>;
}

const EMBEDDED: Store = { config: BASE, environment: {} };

const embeddedStore = (port = 0): Promise<Store> => Promise.resolve({ config: { ...BASE, port }, environment: {} });

async function postgresStore(port = 0): Promise<Store> {
  const environment = { DCLOUD_METADATA_URL: await database.createDatabase() };
  return { config: { ...BASE, port, metadata: { driver: 'postgres' } }, environment };
}

async function start({ config, environment }: Store, directory?: string): Promise<TestServer> {
  const server = await TestServer.start({ config, environment, ...(directory === undefined ? {} : { directory }) });
  servers.unshift(server);
  return server;
}

const backupOf = (server: TestServer): string => join(server.directory, 'kept.backup');

function backup(server: TestServer, store: Store, token?: string): Promise<CliOutcome> {
  const environment = { ...store.environment, ...(token === undefined ? {} : { DCLOUD_TOKEN: token }) };
  const to = ['--to', backupOf(server), '--url', server.url, '--config', server.configFile];
  return runCli(['backup', ...to], { environment });
}

const restore = (server: TestServer, { environment }: Store, ...from: string[]): Promise<CliOutcome> =>
  runCli(['restore', ...(from.length > 0 ? from : ['--from', backupOf(server)]), '--config', server.configFile], { environment });

/** All that somebody has, by id: names, versions and contents. */
async function contents(client: Client): Promise<Map<string, unknown>> {
  const files = await client.listAll();
  const bytes = await Promise.all(files.map(({ id }) => client.bytes(id)));
  return new Map(files.map((file, at) => [file.id, { ...file, bytes: bytes[at]!.toString('base64') }]));
}

/** Makes, replaces, renames and removes files until it is told to stop. */
class Load {
  readonly deleted = new Set<string>();
  changes = 0;
  private isStopped = false;
  private readonly running: Promise<unknown>;

  constructor(private readonly client: Client) {
    this.running = Promise.all([0, 1, 2, 3].map((lane) => this.run(lane)));
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running;
  }

  async reaches(changes: number): Promise<void> {
    while (this.changes < changes) await sleep(20);
  }

  private async run(lane: number): Promise<void> {
    const ids: string[] = [];
    for (let at = 0; !this.isStopped; at += 1, this.changes += 1) {
      const id = ids[(at * 7) % Math.max(1, ids.length)];
      if (id === undefined || at % 5 === 0 || at % 5 === 4)
        ids.push((await this.client.put(`lane ${lane} file ${at}`, randomBytes(at * 700))).id);
      else if (at % 5 === 1) expect((await this.client.replace(id, randomBytes(at * 900))).status).toBe(200);
      else if (at % 5 === 2)
        expect((await this.client.json('PATCH', `/files/${id}`, { name: `renamed ${at}` })).status).toBe(200);
      else {
        expect((await this.client.remove(id)).status).toBe(204);
        this.deleted.add(id);
        ids.splice(ids.indexOf(id), 1);
      }
    }
  }
}

describe.each([
  ['embedded', embeddedStore],
  ['in PostgreSQL', postgresStore],
])('a backup of an index that is %s', (_, makeStore) => {
  it('is made under load, and brings everything back that was acknowledged, and nothing that was deleted', async () => {
    let store = await makeStore(await freePort());
    const server = await start(store);
    const open = new Client(server.url);
    await open.put('before accounts', 'old');
    const admin = await initAdmin(server.url, server.storage);
    const asAdmin = new Client(server.url, undefined, admin);
    const adaId = await addAccount(asAdmin, { name: 'ada', quotaBytes: 10 ** 9, quotaFiles: 10_000 });
    const { token } = await makeToken(asAdmin, { accountId: adaId });
    const drive = await DriveCli.inFolder();
    homes.push(drive);
    await drive.register('bob', server.url);
    expect(await drive.as('bob', 'on the drive')('put', '-', '/', '--name', 'secret.txt')).toMatchObject({ code: 0 });

    const load = new Load(new Client(server.url, undefined, token));
    await load.reaches(25);
    expect(await backup(server, store)).toMatchObject({ code: 78, stderr: expect.stringContaining('unauthenticated') });
    expect(await backup(server, store, token)).toMatchObject({ code: 78, stderr: expect.stringContaining('forbidden') });
    expect(await readdir(server.directory)).not.toContain('kept.backup');
    const atBackup = load.changes;
    expect(await backup(server, store, admin)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('keep a copy of that elsewhere'),
    });
    await load.reaches(atBackup + 25);
    await load.stop();
    expect((await stat(backupOf(server))).mode & 0o777).toBe(0o600);
    expect((await readdir(server.directory)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect((await readdir(server.storage)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    const state = async (url: string): Promise<unknown> => ({
      ada: await contents(new Client(url, undefined, token)),
      admin: await contents(new Client(url, undefined, admin)),
      accounts: await (await new Client(url, undefined, admin).call('/accounts')).json(),
    });
    const before = await state(server.url);
    expect(load.deleted.size).toBeGreaterThan(4);
    await server.kill();

    // The machine is lost, but for the disks of the nodes; the administrator has the key ring.
    for (const name of ['index', 'cluster.json', 'storage.lock'])
      await rm(join(server.storage, name), { recursive: true, force: true });
    store = await makeStore(Number(new URL(server.url).port));
    const restored = await restore(server, store);
    expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining('it is not in force') });
    expect(restored.stderr).toMatch(/^(node \d of 4: \d+ records read\n)*$/); // on a machine that is busy it tells how far it is
    expect(await readFile(join(server.storage, 'config.restored.json'), 'utf8')).not.toContain(database.password);
    const again = await start(store, server.directory);
    expect(await state(again.url)).toEqual(before);
    for (const id of load.deleted) expect((await new Client(again.url, undefined, token).get(id)).status).toBe(404);
    expect(await drive.as('bob')('get', '/secret.txt', '-')).toMatchObject({ code: 0, stdout: 'on the drive' });
    expect(await again.stop()).toBe(0);
    const verified = await runCli(['verify', '--config', server.configFile], { environment: store.environment });
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('all is as it should be') });
  });
});

/** What must be the same after something was refused: which index, which cluster, and nothing beside them. */
async function traces({ storage }: TestServer): Promise<unknown> {
  const names = (await readdir(storage)).filter((name) => !name.endsWith('.lock') && name !== 'index.rebuilding').sort();
  return [
    names,
    await stat(join(storage, 'index')).then(({ ino }) => ino),
    await readFile(join(storage, 'cluster.json'), 'utf8'),
  ];
}

describe('a backup that is ended', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('leaves nothing beside the file of before (%s)', async (signal, code) => {
    const directory = await mkdtemp(join(tmpdir(), 'dcloud-ended-'));
    const slow = createServer((_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).write('the beginning');
    }).listen(0, '127.0.0.1');
    try {
      await once(slow, 'listening');
      const { port } = slow.address() as AddressInfo;
      const config = join(directory, 'config.json');
      await writeFile(config, JSON.stringify({ storage_directory: join(directory, 'none') }));
      const to = join(directory, 'kept.backup');
      await writeFile(to, 'of before');
      const args = ['backup', '--to', to, '--replace', '--config', config, '--url', `http://127.0.0.1:${port}`];
      const { child, outcome } = beginCli(args);
      await eventually(
        async () => (await readdir(directory)).filter((name) => name.endsWith('.tmp')),
        (names) => names.length === 1,
        10_000,
      );
      child.kill(signal);
      expect(await outcome).toEqual({ code, stdout: '', stderr: 'dcloud: interrupted\n' });
      expect((await readdir(directory)).sort()).toEqual(['config.json', 'kept.backup']);
      expect(await readFile(to, 'utf8')).toBe('of before');
    } finally {
      slow.closeAllConnections();
      slow.close();
      await rm(directory, { recursive: true });
    }
  });
});

describe('a restore that is ended', () => {
  it('leaves no cluster.json that no index bears out, and the next one goes on', async () => {
    const store = await postgresStore();
    const server = await start(store);
    const client = new Client(server.url);
    const { id } = await client.put('file', randomBytes(9000));
    expect(await backup(server, store)).toMatchObject({ code: 0 });
    expect(await server.stop()).toBe(0);
    for (const name of ['cluster.json', 'storage.lock']) await rm(join(server.storage, name));
    const before = (await readdir(server.storage)).sort();
    const proxy = await FaultProxy.start(new Random(1));
    try {
      proxy.target = database.port;
      proxy.set({ delayMs: 25 });
      const url = await database.createDatabase();
      const environment = { DCLOUD_METADATA_URL: url.replace(`:${database.port}/`, `:${proxy.port}/`) };
      const args = ['restore', '--from', backupOf(server), '--config', server.configFile];
      for (const [signal, code] of [
        ['SIGKILL', null],
        ['SIGINT', 130],
        ['SIGTERM', 143],
      ] as const) {
        await rm(join(server.storage, 'index.rebuilding'), { recursive: true, force: true });
        const { child, outcome } = beginCli(args, { environment });
        await eventually(
          () => Promise.resolve(existsSync(join(server.storage, 'index.rebuilding'))),
          (isBegun) => isBegun,
          10_000,
        );
        child.kill(signal);
        expect(await outcome).toMatchObject({ code, stdout: '', stderr: code === null ? '' : 'dcloud: interrupted\n' });
        const left = (await readdir(server.storage)).filter((name) => !/^(index\.rebuilding|storage\.lock)/.test(name));
        expect([signal, left.sort()]).toEqual([signal, before]);
      }
      proxy.heal();
      expect(await runCli(args, { environment })).toMatchObject({ code: 0 });
      // As one leaves it that was killed between its index and its map.
      await rm(join(server.storage, 'cluster.json'));
      expect(await runCli(args, { environment })).toMatchObject({ code: 0 });
      const again = await start({ ...store, environment }, server.directory);
      expect((await new Client(again.url).bytes(id)).length).toBe(9000);
      await again.remove();
    } finally {
      await proxy.close();
    }
  });
});

describe('a backup that is older than a node', () => {
  it('brings back the cluster with that node, by its folder, and says so where that is lost', async () => {
    const server = await start(EMBEDDED);
    expect(await backup(server, EMBEDDED)).toMatchObject({ code: 0 });
    expect(await server.stop()).toBe(0);
    const store = { ...EMBEDDED, config: { ...BASE, node_count: 5 } };
    const larger = await start(store, server.directory);
    const client = new Client(larger.url);
    for (let count = 0; count < 12; count += 1) await client.put(`file ${count}`, randomBytes(20_000));
    const before = await contents(client);
    expect(await larger.stop()).toBe(0);
    const identity = await readFile(join(server.nodeFolder(5), 'node.json'), 'utf8');
    const lose = async (): Promise<void> => {
      for (const name of ['index', 'cluster.json']) await rm(join(server.storage, name), { recursive: true });
    };
    await lose();
    expect(await restore(server, store)).toMatchObject({ code: 0, stdout: expect.not.stringContaining('not read') });
    const again = await start(store, server.directory);
    const { nodes } = (await (await fetch(`${again.url}/nodes`)).json()) as { nodes: { state: string }[] };
    expect(nodes.map(({ state }) => state)).toEqual(Array.from({ length: 5 }, () => 'up'));
    expect(await contents(new Client(again.url))).toEqual(before);
    expect(await readFile(join(server.nodeFolder(5), 'node.json'), 'utf8')).toBe(identity);
    expect(await again.stop()).toBe(0);

    await lose();
    await rm(server.nodeFolder(5), { recursive: true });
    expect(await restore(server, store)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('node 5: the backup is older than it, and it has no folder'),
    });
    const without = await start(store, server.directory);
    expect(await contents(new Client(without.url))).toEqual(before);
  });
});

describe('a backup of a store at rest', () => {
  const SECRET = 'the secret of the cluster, which nobody may read';
  const NAME = 'a name that nobody may read';

  it('holds no name and no secret in clear, and a configuration that can be used', async () => {
    const store = { ...EMBEDDED, config: { ...EMBEDDED.config, cluster_secret: SECRET, port: await freePort() } };
    const server = await start(store);
    await new Client(server.url).put(NAME, randomBytes(9000));
    await server.stop();
    const { code, stdout } = await runCli(['backup', '--config', server.configFile], { directory: server.directory });
    const [path] = stdout.split(':', 1) as [string];
    expect([code, path]).toEqual([0, expect.stringMatching(/dcloud-[-0-9TZ]+\.backup$/)]);
    const bytes = await readFile(path);
    for (const text of [NAME, SECRET, 'cluster_secret', 'octet-stream']) expect(bytes.includes(text)).toBe(false);
    expect((await readFile(join(server.storage, 'index', 'data.mdb'))).includes(NAME)).toBe(true);
    expect(await restore(server, store, '--from', path)).toMatchObject({ code: 0 });
    const restored = join(server.storage, 'config.restored.json');
    const config = JSON.parse(await readFile(restored, 'utf8')) as Record<string, unknown>;
    expect(config).toMatchObject({ node_count: 4, size_per_slice: 4096, cluster_secret: null });
    expect(Object.keys(config)).not.toContain('node');
    expect(await runCli(['keys', 'show', '--config', restored])).toMatchObject({ code: 0 });
  });

  it('is refused where it does not belong or is not whole, each by its code, and nothing is changed', async () => {
    const server = await start(EMBEDDED);
    await new Client(server.url).put('file', randomBytes(9000));
    expect(await backup(server, EMBEDDED)).toMatchObject({ code: 0 });
    const before = await traces(server);
    const refused = async (code: string, ...from: string[]): Promise<void> => {
      const outcome = await restore(server, EMBEDDED, ...from);
      expect(outcome).toMatchObject({ code: 78, stdout: '', stderr: expect.stringContaining(`(${code})`) });
      expect(await traces(server)).toEqual(before);
    };
    await refused('storage-locked');
    const stranger = await start(EMBEDDED);
    expect(await backup(stranger, EMBEDDED)).toMatchObject({ code: 0 });
    await server.stop();
    await refused('storage-mismatch', '--from', backupOf(stranger));
    await refused('backup-unusable', '--from', join(server.directory, 'nowhere'));
    await refused('backup-unusable', '--from-nodes');
    const whole = await readFile(backupOf(server));
    const broken = join(server.directory, 'broken');
    const changed = Buffer.from(whole);
    changed[whole.length - 1]! ^= 1;
    await writeFile(broken, changed);
    await refused('backup-unusable', '--from', broken);
    await writeFile(broken, whole.subarray(0, whole.length - 40));
    await refused('backup-unusable', '--from', broken);
    const keys = join(server.storage, 'key-ring.json');
    await rename(keys, join(server.directory, 'keys'));
    expect(await restore(server, EMBEDDED)).toMatchObject({ code: 78, stderr: expect.stringContaining('(storage-missing)') });
    await rename(join(server.directory, 'keys'), keys);
    // More nodes are gone than may be, and cluster.json too: that is not made up of the backup and left behind.
    const map = join(server.storage, 'cluster.json');
    await rename(map, join(server.directory, 'map'));
    for (const node of [1, 2]) await rename(server.nodeFolder(node), join(server.directory, `away_${node}`));
    expect(await restore(server, EMBEDDED)).toMatchObject({ code: 78, stderr: expect.stringContaining('(not-enough-nodes)') });
    expect(existsSync(map)).toBe(false);
    for (const node of [1, 2]) await rename(join(server.directory, `away_${node}`), server.nodeFolder(node));
    await rename(join(server.directory, 'map'), map);
    expect(await traces(server)).toEqual(before);
    expect(await restore(server, EMBEDDED)).toMatchObject({ code: 0 });
  });

  it('is not made where there is no store, and none is made there', async () => {
    const { directory } = await start(EMBEDDED);
    const config = join(directory, 'other.json');
    await writeFile(config, JSON.stringify({ ...BASE, storage_directory: join(directory, 'other') }));
    const to = join(directory, 'of the other');
    expect(await runCli(['backup', '--to', to, '--config', config])).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('(storage-missing)'),
    });
    for (const args of [['restore'], ['restore', '--from', 'y', '--from-nodes']])
      expect(await runCli(args)).toMatchObject({ code: 2, stdout: '' });
    expect([existsSync(to), existsSync(join(directory, 'other'))]).toEqual([false, false]);
  });
});

interface Backups {
  readonly interval: number;
  readonly failure: string | null;
  readonly kept: readonly { readonly createdAt: string }[];
}

describe('backups on a schedule', () => {
  const SCHEDULED: Store = {
    ...EMBEDDED,
    config: { ...BASE, backup_interval: 1, limits: { ...BASE.limits, backups_kept_max: 2 } },
  };
  const status = async ({ url }: TestServer): Promise<Backups> => (await (await fetch(`${url}/backup`)).json()) as Backups;
  const metric = async ({ url }: TestServer, name: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
  };

  it('lie on the nodes, as many as are kept, and are found there with any node and the index gone', async () => {
    const server = await start(SCHEDULED);
    const client = new Client(server.url);
    await client.put('file', randomBytes(30_000));
    const first = await eventually(
      () => status(server),
      ({ kept }) => kept.length === 2,
      10_000,
    );
    const later = await eventually(
      () => status(server),
      ({ kept }) => kept.length === 2 && kept[1]!.createdAt > first.kept[0]!.createdAt,
      10_000,
    );
    expect(later).toMatchObject({ interval: 1, failure: null });
    expect(await metric(server, 'dcloud_backup_last_timestamp_seconds')).toBeGreaterThan(
      Date.parse(first.kept[0]!.createdAt) / 1000,
    );
    expect(server.logs()).toContain('a backup was written to the nodes');
    const before = await contents(client);
    expect(before.size).toBe(1); // they are nobody's files
    await server.kill();
    for (const missing of [1, 2, 3, 4]) {
      await rm(join(server.storage, 'index'), { recursive: true });
      await rename(server.nodeFolder(missing), join(server.directory, 'away'));
      const restored = await restore(server, SCHEDULED, '--from-nodes');
      expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining('the backup is of 20') });
      await rename(join(server.directory, 'away'), server.nodeFolder(missing));
    }
    const again = await start(EMBEDDED, server.directory);
    expect(await contents(new Client(again.url))).toEqual(before);
    expect(await status(again)).toMatchObject({ interval: 0, kept: [expect.anything(), expect.anything()] });
  });

  it('that fail are tried again, and harm nothing', async () => {
    const server = await start(SCHEDULED);
    const client = new Client(server.url);
    const { id } = await client.put('file', randomBytes(5000));
    for (const node of [2, 3, 4]) await rename(server.nodeFolder(node), join(server.directory, `away_${node}`));
    await eventually(
      () => status(server),
      ({ failure }) => failure === 'not-enough-nodes',
      10_000,
    );
    expect(await metric(server, 'dcloud_backup_failing')).toBe(1);
    expect([200, 503]).toContain((await client.get(id)).status);
    for (const node of [2, 3, 4]) await rename(join(server.directory, `away_${node}`), server.nodeFolder(node));
    await eventually(
      () => status(server),
      ({ failure }) => failure === null,
      20_000,
    );
    expect(await metric(server, 'dcloud_backup_failing')).toBe(0);
    expect(await metric(server, 'dcloud_backup_failures_total')).toBeGreaterThan(0);
    expect((await client.bytes(id)).length).toBe(5000);
  });
});
