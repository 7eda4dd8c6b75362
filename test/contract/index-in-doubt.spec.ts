import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client as DatabaseClient } from 'pg';
import { newId, type FileId } from '../../src/common/ids.js';
import { AmendService } from '../../src/files/amend.service.js';
import type { MetadataStore } from '../../src/metadata/metadata-store.js';
import { RebuildService } from '../../src/recovery/rebuild.service.js';
import { CollectorService } from '../../src/redundancy/collector.service.js';
import { Client } from '../support/client.js';
import { DatabaseProxy } from '../support/database-proxy.js';
import { collect, NEVER } from '../support/metadata-fixtures.js';
import { PostgresServer } from '../support/postgres.js';
import { RunningStore } from '../support/running-store.js';
import { eventually } from '../support/shard-files.js';

const GATE = 7;
/** Changes of files wait for the gate when they hold their slot already, and are not committed yet. */
const WAIT_AT_GATE = `CREATE FUNCTION dcloud.wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN PERFORM pg_advisory_xact_lock_shared(${GATE}); RETURN coalesce(NEW, OLD); END $$;
  CREATE TRIGGER wait_at_gate BEFORE INSERT OR UPDATE OR DELETE ON dcloud.files FOR EACH ROW EXECUTE FUNCTION dcloud.wait_at_gate()`;
const WAITING = `SELECT pid, client_port FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'`;

let database: PostgresServer;
let proxy: DatabaseProxy;
let running: RunningStore;

beforeAll(async () => {
  database = await PostgresServer.start();
  proxy = await DatabaseProxy.to(database.port);
});

afterEach(async () => {
  jest.restoreAllMocks();
  await running.close();
  await rm(running.directory, { recursive: true });
});

afterAll(async () => {
  await proxy.close();
  await database.dispose();
});

async function codeOf(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  return `${response.status} ${((await response.json()) as { readonly code: string }).code}`;
}

const revisionOf = async (metadata: MetadataStore, id: string): Promise<number | undefined> =>
  (await metadata.find(id as FileId, NEVER))?.file.revision;

/** A whole walk over the nodes. */
async function walk(): Promise<void> {
  const collector = running.app.get(CollectorService, { strict: false });
  const runs = (collector as unknown as { running: ReadonlyMap<'sweep', Promise<void>> }).running;
  collector.sweepSoon();
  await runs.get('sweep');
}

/** What clients see. */
async function contents(client: Client): Promise<Map<string, string>> {
  const files = await client.listAll();
  const bytes = await Promise.all(files.map(({ id }) => client.bytes(id)));
  return new Map(files.map(({ name }, at) => [name, bytes[at]!.toString('base64')]));
}

describe('changes of which the index in PostgreSQL cannot tell what becomes of them', () => {
  it.each([true, false])('are answered so, and left alone until it can: made in the end: %p', async (isMade) => {
    const url = await database.createDatabase();
    running = await RunningStore.make({
      size_per_slice: 4096,
      metadata: { driver: 'postgres', url: url.replace(`:${database.port}/`, `:${proxy.port}/`) },
      limits: { orphan_grace_ms: 0, small_cache_bytes: 0 },
    });
    const { metadata } = running;
    const client = new Client(await running.listen());
    const [body, newBody] = [randomBytes(20_000), randomBytes(20_000)];
    const [renamed, replaced, removed] = [
      await client.put('renamed', body),
      await client.put('replaced', body),
      await client.put('removed', body),
    ];
    const ids = [renamed.id, replaced.id, removed.id];
    const before = await Promise.all(ids.map((id) => revisionOf(metadata, id)));
    await database.query(WAIT_AT_GATE, url);
    const gate = new DatabaseClient({ connectionString: url });
    await gate.connect();
    await gate.query(`SELECT pg_advisory_lock(${GATE})`);

    const limit = AbortSignal.timeout.bind(AbortSignal);
    const timeout = jest.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => limit(ms === 15_000 ? 300 : ms));
    const rename = (name: string): Promise<Response> => client.json('PATCH', `/files/${renamed.id}`, { name });
    const changes = [
      client.tryPut('made', newBody),
      rename('by another name'),
      client.replace(replaced.id, newBody),
      client.remove(removed.id),
    ].map(codeOf);
    const waiting = (): Promise<{ pid: number; client_port: number }[]> => database.query(WAITING, url);
    const held = await eventually(waiting, ({ length }) => length === changes.length, 10_000);
    for (const { client_port: port } of held) proxy.drop(port);
    expect(await Promise.all(changes)).toEqual(changes.map(() => '503 outcome-unknown'));
    timeout.mockRestore();

    // Nobody builds on what is in doubt, and a walk does not collect it.
    const more = [rename('in between'), client.replace(replaced.id, 'in between'), client.remove(removed.id)];
    expect(await Promise.all(more.map(codeOf))).toEqual(more.map(() => '503 index-unavailable'));
    await walk();

    if (!isMade) for (const { pid } of held) await database.query(`SELECT pg_cancel_backend(${pid})`);
    await gate.end();
    const isKnown = async (): Promise<boolean> => {
      const now = await Promise.all(ids.map((id) => revisionOf(metadata, id)));
      const buried = await collect(metadata.tombstones(NEVER));
      return now.every((revision, at) => revision !== before[at]) && buried.length === 1;
    };
    expect(await eventually(isKnown, (known) => known, 10_000)).toBe(true);
    const names = isMade
      ? { made: newBody, 'by another name': body, replaced: newBody }
      : { renamed: body, replaced: body, removed: body };
    const expected = new Map(Object.entries(names).map(([name, bytes]) => [name, bytes.toString('base64')]));
    expect(await contents(client)).toEqual(expected);
    // As soon as the gateway has found it out.
    const statusOf = async (): Promise<number> => (await rename('renamed again')).status;
    expect(await eventually(statusOf, (status) => status === 200, 10_000)).toBe(200);
    const after = await contents(client);

    // The nodes say the same.
    await running.close();
    await running.atRest((context) => context.get(RebuildService).run({ progress: () => undefined }, NEVER));
    running = await RunningStore.open(running.directory);
    expect(await contents(new Client(await running.listen()))).toEqual(after);
  });
});

describe('a file that is to be taken back on the nodes, and comes to be meanwhile', () => {
  it('is looked for again, and not left under a tombstone there', async () => {
    running = await RunningStore.make();
    const { metadata } = running;
    const id = newId<FileId>();
    const add = jest.spyOn(metadata, 'addTombstone').mockResolvedValueOnce(false);
    await running.app.get(AmendService, { strict: false }).reconcile(id);
    expect(add).toHaveBeenCalledTimes(2);
    expect(await metadata.findTombstone(id, NEVER)).toBeDefined();
  });
});
