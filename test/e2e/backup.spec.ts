import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { addAccount, initAdmin, makeToken } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { DriveCli, GENEROUS } from '../support/drive-cli.js';
import { freePort } from '../support/free-port.js';
import { PostgresServer } from '../support/postgres.js';
import { runCli, type CliOutcome } from '../support/run-cli.js';
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
    await load.reaches(60);
    expect(await backup(server, store)).toMatchObject({ code: 78, stderr: expect.stringContaining('unauthenticated') });
    expect(await backup(server, store, token)).toMatchObject({ code: 78, stderr: expect.stringContaining('forbidden') });
    expect(await readdir(server.directory)).not.toContain('kept.backup');
    const atBackup = load.changes;
    expect(await backup(server, store, admin)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('keep a copy of that elsewhere'),
    });
    await load.reaches(atBackup + 60);
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
    expect(load.deleted.size).toBeGreaterThan(10);
    await server.kill();

    // The machine is lost, but for the disks of the nodes; the administrator has the key ring.
    for (const name of ['index', 'cluster.json', 'storage.lock'])
      await rm(join(server.storage, name), { recursive: true, force: true });
    store = await makeStore(Number(new URL(server.url).port));
    const restored = await restore(server, store);
    expect(restored).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('it is not in force') });
    const again = await start(store, server.directory);
    expect(await state(again.url)).toEqual(before);
    for (const id of load.deleted) expect((await new Client(again.url, undefined, token).get(id)).status).toBe(404);
    expect(await drive.as('bob')('get', '/secret.txt', '-')).toMatchObject({ code: 0, stdout: 'on the drive' });
    expect(await again.stop()).toBe(0);
    const verified = await runCli(['verify', '--config', server.configFile], { environment: store.environment });
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('all is as it should be') });
  });
});
