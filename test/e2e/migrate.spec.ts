import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type ClusterId, type FileId } from '../../src/common/ids.js';
import { LmdbMetadataStore } from '../../src/metadata/embedded/lmdb.metadata-store.js';
import { Client } from '../support/client.js';
import { NEVER } from '../support/metadata-fixtures.js';
import { PostgresServer } from '../support/postgres.js';
import { runCli, type CliOutcome } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';
import { eventually } from '../support/shard-files.js';

const CONFIG = { node_count: 3, redundancy_count: 1, size_per_slice: 4096 };

let database: PostgresServer;
let url = '';
let home: TestServer | undefined;
let server: TestServer | undefined;

beforeAll(async () => {
  database = await PostgresServer.start({ isDurable: true });
});

afterEach(async () => {
  if (server !== home) await server?.remove();
  await home?.remove();
  [server, home] = [undefined, undefined];
});

afterAll(() => database.dispose());

async function start(driver: 'embedded' | 'postgres'): Promise<Client> {
  const config = { ...CONFIG, metadata: { driver } };
  const environment = driver === 'postgres' ? { DCLOUD_METADATA_URL: url } : {};
  server = await TestServer.start({ config, environment, ...(home === undefined ? {} : { directory: home.directory }) });
  home ??= server;
  return new Client(server.url);
}

function commandOf(from: string, to: string): readonly string[] {
  return ['metadata', 'migrate', '--from', from, '--to', to, '--config', home!.configFile];
}

function configure(driver: 'embedded' | 'postgres'): void {
  const text = readFileSync(home!.configFile, 'utf8');
  writeFileSync(home!.configFile, text.replace(/"driver":"\w+"/, `"driver":"${driver}"`));
}

/** Into the index of the server, which does not run: enough that a move takes a while. */
async function addTombstones(count: number): Promise<void> {
  const { clusterId } = JSON.parse(readFileSync(join(home!.storage, 'cluster.json'), 'utf8')) as { clusterId: ClusterId };
  const store = await LmdbMetadataStore.open({ directory: join(home!.storage, 'index'), clusterId, mayCreate: false });
  const revision = await store.nextRevision(NEVER);
  const ids = Array.from({ length: count }, () => newId<FileId>());
  await Promise.all(ids.map((fileId) => store.addTombstone({ fileId, revision, kekId: 'k1', nodes: [1] }, NEVER)));
  await store.close();
}

function migrate(from: string, to: string, more: readonly string[] = [], database = url): Promise<CliOutcome> {
  return runCli([...commandOf(from, to), ...more], { environment: { DCLOUD_METADATA_URL: database } });
}

/** What users see: records, in their order, and bytes. */
async function contents(client: Client): Promise<string> {
  const files = await client.listAll();
  const bytes = await Promise.all(files.map(({ id }) => client.bytes(id)));
  return JSON.stringify([files, bytes.map((each) => each.toString('base64'))]);
}

async function storeSome(client: Client): Promise<void> {
  for (let at = 0; at < 8; at += 1) await client.put(`file ${at}`, randomBytes(at * 9000));
  const [first, second] = await client.listAll();
  await client.replace(first!.id, randomBytes(9000));
  await client.remove(second!.id);
}

describe('dcloud metadata migrate', () => {
  it('moves the index of a server that does not run, there and back, and the old one is refused by name', async () => {
    url = await database.createDatabase();
    let client = await start('embedded');
    await storeSome(client);
    const before = await contents(client);
    await server!.stop();

    const there = await migrate('embedded', 'postgres');
    expect(there.code).toBe(0);
    expect(there.stdout).toMatch(/^files: 7 on both sides, sha256 [0-9a-f]{64}$/m);
    expect(there.stdout).toMatch(/set metadata\.driver to "postgres" before the next start\n$/);
    await expect(start('embedded')).rejects.toThrow(/index-moved.*PostgreSQL.*metadata\.driver to "postgres"/s);
    client = await start('postgres');
    expect(await contents(client)).toBe(before);
    await client.put('on the other side', randomBytes(100));
    const later = await contents(client);
    await server!.stop();

    const back = await migrate('postgres', 'embedded', ['--json']);
    expect(back.code).toBe(0);
    const { kinds } = JSON.parse(back.stdout) as { kinds: { kind: string; count: number }[] };
    expect(kinds.find(({ kind }) => kind === 'files')?.count).toBe(8);
    await expect(start('postgres')).rejects.toThrow(/index-moved.*metadata\.driver to "embedded"/s);
    client = await start('embedded');
    expect(await contents(client)).toBe(later);
    await server!.stop();
    const verified = await runCli(['verify', '--config', home!.configFile]);
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('all is as it should be')]);
    for (const text of [there.stdout, back.stdout, server!.logs()]) expect(text).not.toContain(database.password);
  });

  it('moves that of a running server, which answers all reads meanwhile, loses no write and goes on with the new one', async () => {
    url = await database.createDatabase();
    const client = await start('embedded');
    await storeSome(client);
    const [kept] = await client.listAll();
    const over = new AbortController();
    const stored = new Map<string, string>();
    const problems: unknown[] = [];
    let reads = 0;
    const reading = (async () => {
      const bytes = await client.bytes(kept!.id);
      for (; !over.signal.aborted; reads += 1) {
        const answer = await client.get(kept!.id);
        if (answer.status !== 200 || !Buffer.from(await answer.arrayBuffer()).equals(bytes)) problems.push(answer.status);
        const list = await client.call('/files/list');
        if (list.status !== 200) problems.push(await list.text());
        else await list.text();
      }
    })();
    const writing = (async () => {
      for (let at = 0; !over.signal.aborted; at += 1) {
        const answer = await client.tryPut(`written ${at}`, Buffer.from(`${at}`));
        const body = (await answer.json()) as { id: string; code?: string };
        if (answer.status === 201) stored.set(body.id, `${at}`);
        else if (answer.status !== 503 || body.code !== 'index-unavailable' || answer.headers.get('retry-after') === null)
          problems.push(body);
      }
    })();
    const moved = await migrate('embedded', 'postgres', ['--url', server!.url]);
    over.abort();
    await Promise.all([reading, writing]);
    expect([moved.code, problems, moved.stdout]).toEqual([0, [], expect.stringContaining('the index was moved')]);
    expect(reads).toBeGreaterThan(3);
    await client.put('after the move', randomBytes(100));
    for (const [id, text] of stored) expect((await client.bytes(id)).toString()).toBe(text);
    const before = await contents(client);
    expect(await database.query(`SELECT count(*)::int AS files FROM dcloud.files WHERE owner = 'store'`, url)).toEqual([
      { files: stored.size + 8 },
    ]);
    // It is there at once where the server is killed; and the configuration that it was started with is refused.
    await server!.kill();
    await expect(start('embedded')).rejects.toThrow(/index-moved/);
    expect(await contents(await start('postgres'))).toBe(before);
  });

  it('leaves the old one in charge when it is killed in the middle, and goes on when it is begun again', async () => {
    url = await database.createDatabase();
    const client = await start('embedded');
    await storeSome(client);
    const before = await contents(client);
    await server!.stop();
    await addTombstones(10_000);
    for (const rows of [1, 4000]) {
      const child = spawn(process.execPath, [join('bin', 'dcloud.mjs'), ...commandOf('embedded', 'postgres')], {
        stdio: 'ignore',
        env: { ...process.env, DCLOUD_METADATA_URL: url },
      });
      const gone = once(child, 'exit');
      const copied = async (): Promise<number> =>
        database.query<{ rows: number }>('SELECT count(*)::int AS rows FROM dcloud.tombstones', url).then(
          ([found]) => found?.rows ?? 0,
          () => 0,
        );
      await eventually(copied, (found) => found >= rows, 15_000);
      child.kill('SIGKILL');
      await gone;
      const marks = await database.query('SELECT transit FROM dcloud.identity', url);
      expect(marks).toEqual([{ transit: expect.objectContaining({ state: 'arriving', engine: 'embedded' }) as unknown }]);
      await expect(start('postgres')).rejects.toThrow(/index-half-moved.*dcloud metadata migrate --from embedded --to postgres/s);
      configure('embedded');
    }
    const between = await start('embedded');
    expect(await contents(between)).toBe(before);
    const later = await between.put('between two tries', randomBytes(100));
    await server!.stop();
    const again = await migrate('embedded', 'postgres');
    expect([again.code, again.stdout]).toEqual([0, expect.stringMatching(/^files: 8 on both sides/m)]);
    const moved = await start('postgres');
    expect((await moved.bytes(later.id)).length).toBe(100);
    await moved.remove(later.id);
    expect(await contents(moved)).toBe(before);
  });

  it('is refused with nothing changed: a wrong url, the database of another cluster, a target that has an index, a wrong side', async () => {
    url = await database.createDatabase();
    const other = await start('embedded');
    await other.put('of another cluster', randomBytes(10));
    await server!.stop();
    expect((await migrate('embedded', 'postgres')).code).toBe(0);
    await home!.remove();
    [server, home] = [undefined, undefined];

    const client = await start('embedded');
    await storeSome(client);
    const before = await contents(client);
    await server!.stop();
    const dump = async (): Promise<unknown> => database.query('SELECT id, revision FROM dcloud.files ORDER BY id', url);
    const there = await dump();
    const ownDatabase = await database.createDatabase();
    const refusals: readonly (readonly [CliOutcome, string])[] = [
      [await migrate('embedded', 'postgres'), 'storage-mismatch'],
      [await migrate('embedded', 'postgres', [], database.url('nowhere')), 'storage-unusable'],
      [await migrate('embedded', 'postgres', [], 'postgres://nothing'), 'migration-refused'],
      [await migrate('embedded', 'postgres', [], url.replace(database.password, 'wrong')), 'storage-unusable'],
      [await migrate('embedded', 'embedded'), 'migration-refused'],
      [await migrate('postgres', 'embedded', [], ownDatabase), 'storage-missing'],
    ];
    for (const [{ code, stdout, stderr }, expected] of refusals) {
      expect([code, stdout, stderr]).toEqual([78, '', expect.stringContaining(`(${expected})`)]);
      expect(stderr).not.toContain(database.password);
    }
    expect(await dump()).toEqual(there);

    // Its own database, with an index that is in use.
    url = ownDatabase;
    const rebuilding = { environment: { DCLOUD_METADATA_URL: url } };
    configure('postgres');
    expect((await runCli(['rebuild-index', '--config', home!.configFile], rebuilding)).code).toBe(0);
    configure('embedded');
    const full = await migrate('embedded', 'postgres');
    expect([full.code, full.stderr]).toEqual([78, expect.stringContaining('(migration-refused)')]);
    const again = await start('embedded');
    expect(await contents(again)).toBe(before);
    const wrong = await migrate('postgres', 'embedded', ['--url', server!.url]);
    expect([wrong.code, wrong.stderr]).toEqual([78, expect.stringContaining('the engine in use is "embedded"')]);
    const mistaken = await migrate('embedded', 'postgres', ['--url', server!.url]);
    expect([mistaken.code, mistaken.stderr]).toEqual([78, expect.stringContaining('(migration-refused)')]);
    await again.put('still written to', randomBytes(10));
  });
});
