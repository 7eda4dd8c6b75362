import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { PeerCluster } from '../support/peer-cluster.js';
import { PostgresServer } from '../support/postgres.js';
import { runCli } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';
import { eventually } from '../support/shard-files.js';

const CONFIG = { node_count: 3, redundancy_count: 1, size_per_slice: 4096, metadata: { driver: 'postgres' } };

let database: PostgresServer;
let url = '';
const used: TestServer[] = [];

beforeAll(async () => {
  database = await PostgresServer.start({ isDurable: true });
});

afterEach(async () => {
  for (const one of used.splice(0)) await one.remove();
});

afterAll(() => database.dispose());

async function start(directory?: string): Promise<{ server: TestServer; client: Client }> {
  const environment = { DCLOUD_METADATA_URL: url };
  const server = await TestServer.start({ config: CONFIG, environment, ...(directory === undefined ? {} : { directory }) });
  used.unshift(server);
  return { server, client: new Client(server.url) };
}

async function contents(client: Client): Promise<Map<string, string>> {
  const files = await client.listAll();
  const bytes = await Promise.all(files.map(({ id }) => client.bytes(id)));
  return new Map(files.map(({ id, name }, at) => [`${id} ${name}`, bytes[at]!.toString('base64')]));
}

async function problemOf(answer: Promise<Response>): Promise<unknown> {
  const response = await answer;
  return [response.status, ((await response.json()) as { code?: string }).code];
}

describe('a server with its index in PostgreSQL', () => {
  it('stores, lists, replaces, deletes, starts again, and makes the index anew in a database that is empty', async () => {
    url = await database.createDatabase();
    const { server, client } = await start();
    for (let at = 0; at < 6; at += 1) await client.put(`file ${at}`, randomBytes(at * 20_000));
    const [first, second] = await client.listAll();
    expect((await client.replace(first!.id, randomBytes(9000))).status).toBe(200);
    expect((await client.remove(second!.id)).status).toBe(204);
    const before = await contents(client);
    expect(before.size).toBe(5);
    expect(existsSync(join(server.storage, 'index'))).toBe(false);
    expect(readFileSync(`/proc/${server.process.pid}/cmdline`, 'utf8')).not.toContain(database.password);

    // Another gateway of the same cluster is refused, whatever machine it is on: it would need the same cluster.json.
    const locked = await runCli(['verify', '--config', server.configFile], { environment: { DCLOUD_METADATA_URL: url } });
    expect([locked.code, locked.stderr]).toEqual([expect.any(Number), expect.stringContaining('storage-locked')]);

    await server.kill();
    const again = await start(server.directory);
    expect(await contents(again.client)).toEqual(before);
    expect(await again.server.stop()).toBe(0);

    url = await database.createDatabase();
    const environment = { DCLOUD_METADATA_URL: url };
    await expect(start(server.directory)).rejects.toThrow(/storage-missing.*rebuild-index/);
    const rebuilt = await runCli(['rebuild-index', '--config', server.configFile], { environment });
    expect([rebuilt.code, rebuilt.stdout]).toEqual([0, expect.stringContaining('the index is made anew: 5 files')]);
    const later = await start(server.directory);
    expect(await contents(later.client)).toEqual(before);
    await later.client.put('another', randomBytes(100));
    expect(await later.server.stop()).toBe(0);

    const onceMore = await runCli(['rebuild-index', '--config', server.configFile], { environment });
    expect(onceMore.stdout).toMatch(/6 files.*\n.*is kept in the schema dcloud_replaced_\d+ of the database/);
    const verified = await runCli(['verify', '--config', server.configFile], { environment });
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('all is as it should be')]);
    for (const text of [server.logs(), again.server.logs(), later.server.logs(), locked.stderr, rebuilt.stdout, verified.stdout])
      expect(text).not.toContain(database.password);
  });

  it('answers 503 while the database is gone, accepts nothing that it cannot commit, and goes on by itself', async () => {
    url = await database.createDatabase();
    const { server, client } = await start();
    const kept = await client.put('kept', randomBytes(30_000));
    await database.kill();
    for (const answer of [
      client.tryPut('lost', randomBytes(100)),
      client.get(kept.id),
      client.call('/files/list'),
      client.remove(kept.id),
    ])
      expect(await problemOf(answer)).toEqual([503, 'index-unavailable']);
    const ready = await client.call('/health/ready');
    expect(ready.status).toBe(503);
    expect(await ready.text()).toContain('the index cannot be written');
    expect((await client.call('/health/live')).status).toBe(200);
    await database.run();
    const readiness = async (): Promise<number> => (await client.call('/health/ready')).status;
    expect(await eventually(readiness, (status) => status === 200, 15_000)).toBe(200);
    await client.put('after', randomBytes(100));
    expect((await client.listAll()).map(({ name }) => name)).toEqual(['after', 'kept']);
    expect(server.process.exitCode).toBeNull();
    expect(server.logs()).toContain('the database of the index was lost');
    expect(server.logs()).not.toContain(database.password);
  });

  it('is taken over with its index as it is, by a peer that reads no node for it', async () => {
    const metadata = { driver: 'postgres', url: await database.createDatabase() };
    const cluster = await PeerCluster.start({ nodes: 3, redundancy: 1, config: { metadata } });
    try {
      const stored = await new Client(cluster.url(2)).put('kept', randomBytes(30_000));
      const bytes = await new Client(cluster.url(2)).bytes(stored.id);
      await cluster.kill(1);
      const said = await cluster.takeOver(2);
      expect(said).toMatch(/obey node 2 now\nthe index is in the database and stays as it is\nnode 2 is the gateway now\n$/);
      await cluster.untilReady(3);
      const client = new Client(cluster.url(3));
      expect(await client.bytes(stored.id)).toEqual(bytes);
      await client.put('later', randomBytes(100));
      await cluster.restart(1);
      await cluster.untilReady(1);
      expect((await new Client(cluster.url(1)).listAll()).map(({ name }) => name)).toEqual(['kept', 'later']);
    } finally {
      await cluster.remove();
    }
  });
});
