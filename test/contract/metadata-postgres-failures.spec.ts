import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Client } from 'pg';
import { errorCode } from '../../src/common/errors.js';
import { newId, STORE_OWNER, type ClusterId } from '../../src/common/ids.js';
import type { OutcomeUnknownError } from '../../src/common/outcome-unknown-error.js';
import type { MetadataStore } from '../../src/metadata/metadata-store.js';
import type { TenureOptions } from '../../src/metadata/postgres/begin-tenure.js';
import { DatabaseProxy, type Cut } from '../support/database-proxy.js';
import { removeDisks, TestDisk } from '../support/disks.js';
import {
  NEVER,
  collect,
  createFile,
  makeAmendment,
  makeCreation,
  makeManifest,
  makeRemoval,
  makeReplacement,
  type Creation,
} from '../support/metadata-fixtures.js';
import { openPostgresStore } from '../support/postgres-store.js';
import { PostgresServer } from '../support/postgres.js';

const PAGE = { page: 0, bytes: Uint8Array.of(9) };
const clusterId = newId<ClusterId>();
const opened: MetadataStore[] = [];
const proxies: DatabaseProxy[] = [];
let server: PostgresServer;
let schema = '';
let schemas = 0;

async function open(options: Partial<TenureOptions> = {}, url = server.url()): Promise<MetadataStore> {
  const store = await openPostgresStore(url, { clusterId, schema, ...options });
  opened.push(store);
  return store;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const [result] = await Promise.allSettled([work]);
  return result.status === 'fulfilled' ? 'none' : (errorCode(result.reason) ?? String(result.reason));
}

/** Waits until a store serves again. */
async function served(store: MetadataStore): Promise<void> {
  for (const deadline = performance.now() + 15_000; performance.now() < deadline;) {
    if ((await codeOf(store.probe(AbortSignal.timeout(2000)))) === 'none') return;
    await pause(20);
  }
  throw new Error('the index is not served again');
}

const lockHolders = (): Promise<{ pid: number }[]> =>
  server.query(`SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted`);

/** Ends the session that has the lock, as a network does that lets a connection go. Resolves when another session has taken it. */
async function endLockSession(): Promise<void> {
  const [before] = await lockHolders();
  await server.query(`SELECT pg_terminate_backend(${before!.pid})`);
  for (const deadline = performance.now() + 10_000; performance.now() < deadline;) {
    await pause(2);
    const [now] = await lockHolders();
    if (now !== undefined && now.pid !== before!.pid) return;
  }
  throw new Error('nobody has taken the lock again');
}

/** What is wrong with counters and references, of all files of the store's owner. */
async function expectSound(store: MetadataStore): Promise<void> {
  const files = await collect(store.files(NEVER));
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  expect(await store.usageOf(STORE_OWNER, NEVER)).toEqual({ files: files.length, bytes });
  const model = new Map<number, { node: number; shards: number; bytes: number }>();
  for (const { node, ...part } of files.flatMap(({ manifest }) => manifest.usage)) {
    const before = model.get(node) ?? { node, shards: 0, bytes: 0 };
    model.set(node, { node, shards: before.shards + part.shards, bytes: before.bytes + part.bytes });
  }
  expect(await store.usage(NEVER)).toEqual([...model.values()].sort((left, right) => left.node - right.node));
  for (const { manifest } of files) expect(await store.readLayout(manifest.versionId, 0, NEVER)).toBeDefined();
}

beforeAll(async () => {
  server = await PostgresServer.start({ isDurable: true });
});

beforeEach(() => {
  schema = `f${(schemas += 1)}`;
});

afterEach(async () => {
  jest.restoreAllMocks();
  for (const store of opened.splice(0)) await store.close();
  for (const proxy of proxies.splice(0)) await proxy.close();
});

afterAll(async () => {
  await server.dispose();
  await removeDisks();
});

describe('the index in PostgreSQL', () => {
  it('takes two ways to the database and back for a new file, and as many for new content', async () => {
    const store = await open();
    const { file } = await createFile(store, 'warm');
    await store.nextRevision(NEVER); // many are reserved at once
    const query = jest.spyOn(Client.prototype, 'query');
    await store.nextRevision(NEVER);
    await store.commit(makeCreation('a'), NEVER);
    expect(query).toHaveBeenCalledTimes(2);
    await store.nextRevision(NEVER);
    await store.commit(makeReplacement(file, makeManifest(file.id), { lastPage: PAGE }), NEVER);
    expect(query).toHaveBeenCalledTimes(4);
  });

  it('reads of a list only what it returns, from whatever place and with whatever prefix', async () => {
    const store = await open();
    const many = `INSERT INTO ${schema}.files SELECT md5('i' || n)::uuid, 'store', 'f' || lpad(n::text, 6, '0'), 't', 1, 1, 1, 1,
      md5('v' || n)::uuid, 1, 1, 1, 1, 1, 'k', '', '', '', 1, '{}', '{}', '{}', '{}' FROM generate_series(1, 10000) AS n`;
    await server.query(many);
    await server.query(`ANALYZE ${schema}.files`);
    const text = jest.spyOn(Client.prototype, 'query');
    /** Far from where the list begins. */
    const cursorOf = async (order: 'name' | '-name'): Promise<Uint8Array> => {
      const prefix = order === 'name' ? 'f009' : 'f000';
      return (await store.list({ owner: STORE_OWNER, order, prefix, limit: 10 }, NEVER)).nextCursor!;
    };
    for (const order of ['name', '-name'] as const) {
      for (const prefix of ['', 'f', 'f0']) {
        const cursor = await cursorOf(order);
        await store.list({ owner: STORE_OWNER, order, prefix, limit: 10, cursor }, NEVER);
      }
    }
    for (const [config] of text.mock.calls as unknown as [{ name?: string; text: string; values: unknown[] }][]) {
      if (config.name?.startsWith('list_') !== true) continue;
      const client = new Client({ connectionString: server.url(), options: `-c search_path=${schema}` });
      await client.connect();
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${config.text}`,
        config.values,
      );
      await client.end();
      const plan = rows[0]!['QUERY PLAN'][0].Plan;
      expect(JSON.stringify(plan)).toContain('files_by_name');
      expect([config.name, rowsRemoved(plan)]).toEqual([config.name, 0]);
      const pages = plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
      expect([config.name, pages, pages < 30]).toEqual([config.name, pages, true]);
      expect(JSON.stringify(plan)).not.toMatch(/"Sort"|Seq Scan/);
    }
  });

  it('does again what a conflict undid', async () => {
    const store = await open();
    await createFile(store, 'before');
    const raise = `CREATE SEQUENCE ${schema}.tries; CREATE FUNCTION ${schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('${schema}.tries') < 4 THEN RAISE EXCEPTION 'again' USING ERRCODE = CASE WHEN random() < 0.5 THEN '40001' ELSE '40P01' END;
      END IF; RETURN NEW; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON ${schema}.files FOR EACH ROW EXECUTE FUNCTION ${schema}.refuse()`;
    await server.query(raise);
    await createFile(store, 'after');
    await expectSound(store);
    expect(await store.usageOf(STORE_OWNER, NEVER)).toMatchObject({ files: 2 });
    await server.query(`ALTER SEQUENCE ${schema}.tries RESTART MINVALUE -100000 START -100000`);
    expect(await codeOf(createFile(store, 'never'))).toBe('index-unavailable');
    await expectSound(store);
  });

  it('lets one of many changes of a file pass that were made from the same, on connections that are all there', async () => {
    const store = await open();
    const { file } = await createFile(store, 'a');
    await Promise.all(Array.from({ length: 64 }, () => store.find(file.id, NEVER)));
    for (let round = 0; round < 20; round += 1) {
      const stored = (await store.find(file.id, NEVER))!;
      const rivals = Array.from({ length: 8 }, (_, at) => makeAmendment(stored, { name: `${round} ${at}` }));
      const codes = await Promise.all(rivals.map((one) => codeOf(store.amend(file.id, one, undefined, NEVER))));
      expect(codes.toSorted()).toEqual([...Array<string>(7).fill('ERR_STALE_BASIS'), 'none']);
      expect((await store.find(file.id, NEVER))?.file.name).toBe(`${round} ${codes.indexOf('none')}`);
    }
  });

  it('never commits a version whose staged pages a sweep takes in the same moment', async () => {
    const store = await open();
    await Promise.all(Array.from({ length: 64 }, () => store.settledThrough(NEVER)));
    const codes: string[] = [];
    for (let round = 0; round < 20; round += 1) {
      const creations = Array.from({ length: 12 }, () => makeCreation('a'));
      await Promise.all(creations.map(({ manifest }) => store.stageLayout(manifest.versionId, PAGE, NEVER)));
      const lastPage = { page: 1, bytes: Uint8Array.of(1) };
      const commits = creations.map((creation) => codeOf(store.commit({ ...creation, lastPage }, NEVER)));
      const [, ...ended] = await Promise.all([store.sweepStaged(() => false, NEVER), ...commits]);
      for (const [at, { manifest }] of creations.entries())
        expect([ended[at] === 'none', (await store.readLayout(manifest.versionId, 0, NEVER)) !== undefined]).toEqual(
          ended[at] === 'none' ? [true, true] : [false, false],
        );
      codes.push(...ended);
      await store.sweepStaged(() => false, NEVER);
    }
    expect(new Set(codes).has('none')).toBe(true);
  });

  it('lets a caller leave that waits for its turn', async () => {
    const store = await open({ connections: 1 });
    const { file } = await createFile(store, 'a');
    const client = new Client({ connectionString: server.url() });
    await client.connect();
    await client.query(`BEGIN; SELECT FROM ${schema}.files FOR UPDATE`);
    const slow = store.amend(file.id, makeAmendment((await store.find(file.id, NEVER))!, { name: 'b' }), undefined, NEVER);
    const controller = new AbortController();
    const waiting = [store.find(file.id, controller.signal), store.commit(makeCreation('c'), controller.signal)];
    const reason = new Error('the caller has left');
    controller.abort(reason);
    for (const one of waiting) await expect(one).rejects.toBe(reason);
    await client.query('COMMIT');
    await client.end();
    expect((await slow).name).toBe('b');
    expect((await store.find(file.id, NEVER))?.file.name).toBe('b');
    await expectSound(store);
  });
});

interface Plan {
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}

function rowsRemoved(plan: Plan): number {
  return (plan['Rows Removed by Filter'] ?? 0) + (plan.Plans ?? []).reduce((sum, inner) => sum + rowsRemoved(inner), 0);
}

describe('a link to PostgreSQL that breaks', () => {
  const cuts = (['request', 'answer'] as const).flatMap((cut) => [true, false].map((isWhole) => [cut, isWhole] as const));

  it.each(cuts)(
    'at the %s, all connections: %p, leaves each change made once, and its caller with the truth',
    async (cut, isWhole) => {
      const proxy = await DatabaseProxy.to(server.port);
      proxies.push(proxy);
      const store = await open({ connections: 3 }, server.url().replace(`:${server.port}/`, `:${proxy.port}/`));
      const kept = await createFile(store, 'kept');
      const doomed = await createFile(store, 'doomed');
      const stored = async (creation: Creation) => (await store.find(creation.file.id, NEVER))!;
      const broken = async <Result>(work: () => Promise<Result>): Promise<Result> => {
        const before: Cut = cut;
        proxy.breakAt(before, isWhole);
        return work();
      };

      const creation = makeCreation('new');
      expect(await broken(() => store.commit(creation, NEVER))).toEqual({ file: creation.file });
      const manifest = makeManifest(kept.file.id, { size: 7 });
      const replacement = makeReplacement(kept.file, manifest, { lastPage: PAGE, updatedAt: 9 });
      const replaced = await broken(() => store.commit(replacement, NEVER));
      expect(replaced).toEqual({
        file: { ...kept.file, size: 7, versionId: manifest.versionId, updatedAt: 9, revision: replacement.revision },
        replaced: kept.manifest,
      });
      const renaming = makeAmendment(await stored(kept), { name: 'renamed' });
      expect(await broken(() => store.amend(kept.file.id, renaming, undefined, NEVER))).toMatchObject({ name: 'renamed' });
      const removal = makeRemoval(doomed.file);
      expect(await broken(() => store.remove(removal, undefined, NEVER))).toEqual({
        file: doomed.file,
        manifest: doomed.manifest,
      });
      expect(await broken(() => store.findTombstone(doomed.file.id, NEVER))).toEqual(removal.tombstone);

      expect((await collect(store.files(NEVER))).map(({ file }) => file.name).toSorted()).toEqual(['new', 'renamed']);
      expect(await collect(store.garbage(NEVER))).toHaveLength(2);
      await expectSound(store);
      await store.close();
      await proxy.close();
    },
  );
});

/** What a server says before it ends itself, as its protocol has it. */
function panic(code: string, severity = 'PANIC'): Uint8Array {
  const fields = [`S${severity}`, 'VPANIC', `C${code}`, 'Mcould not fsync file'].map((field) => `${field}\0`).join('');
  const body = Buffer.from(`${fields}\0`);
  const head = Buffer.alloc(5, 'E');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

describe('a server of PostgreSQL that ends itself in the middle of a commit', () => {
  it.each([
    [panic('58030'), false],
    [panic('58030', 'PANIK'), true],
    [panic('53100'), true],
  ])('has made what its log has by then, which is found out: %#', async (last, isWhole) => {
    const proxy = await DatabaseProxy.to(server.port);
    proxies.push(proxy);
    const store = await open({ connections: 2 }, server.url().replace(`:${server.port}/`, `:${proxy.port}/`));
    const creation = makeCreation('new');
    proxy.breakAt('answer', isWhole, last);
    expect(await store.commit(creation, NEVER)).toEqual({ file: creation.file });
    await served(store);
    await createFile(store, 'after');
    expect((await collect(store.files(NEVER))).map(({ file }) => file.name).toSorted()).toEqual(['after', 'new']);
    await expectSound(store);
    await store.close();
  });
});

describe('the lock of the index in PostgreSQL', () => {
  it('is taken again by itself when its connection is lost', async () => {
    const store = await open();
    const first = await store.nextRevision(NEVER);
    await endLockSession();
    await served(store);
    expect(await store.nextRevision(NEVER)).toBeGreaterThan(first);
    await createFile(store, 'a');
    expect(await codeOf(openPostgresStore(server.url(), { clusterId, schema }))).toBe('storage-locked');
  });

  /** Another session waits for the lock, so that it is gone when its holder lets go of it. Returns how the other goes. */
  async function queue(): Promise<() => Promise<void>> {
    const other = new Client({ connectionString: server.url() });
    await other.connect();
    const { rows } = await other.query<{ classid: string; objid: string }>(
      `SELECT classid::bigint, objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted`,
    );
    const key = BigInt.asIntN(64, (BigInt(rows[0]!.classid) << 32n) | BigInt(rows[0]!.objid));
    const taken = other.query('SELECT pg_advisory_lock($1)', [key]);
    return async () => {
      await taken;
      await other.end();
    };
  }

  /** What it is to have slept: the lock is gone and another gateway has come, and nobody has told this one yet. Returns how the other goes. */
  async function overtake(): Promise<() => Promise<void>> {
    await server.query(`UPDATE ${schema}.slots SET token = token + 1`);
    return queue();
  }

  it('lets a gateway that has slept give no revision once another has begun', async () => {
    const sleeper = await open();
    const given = await sleeper.nextRevision(NEVER);
    const goes = await overtake();
    expect(await codeOf(sleeper.nextRevision(NEVER))).toBe('index-unavailable');
    await goes();
    await served(sleeper);
    expect(await sleeper.nextRevision(NEVER)).toBeGreaterThan(given);
  });

  it('lets a gateway that has slept change nothing once another has begun', async () => {
    const sleeper = await open();
    const { file } = await createFile(sleeper, 'a');
    const goes = await overtake();
    const creation = makeCreation('late');
    const late = [
      sleeper.commit(creation, NEVER),
      sleeper.remove(makeRemoval(file), undefined, NEVER),
      sleeper.stageLayout(creation.manifest.versionId, PAGE, NEVER),
      sleeper.noteSettled(10 ** 9, NEVER),
      sleeper.importRecords([{ kind: 'tombstone', tombstone: makeRemoval(file).tombstone }], NEVER),
      sleeper.probe(NEVER),
    ];
    expect(new Set(await Promise.all(late.map(codeOf)))).toEqual(new Set(['index-unavailable']));
    expect(await codeOf(sleeper.find(file.id, NEVER))).toBe('index-unavailable');
    await goes();
    await served(sleeper);
    expect((await collect(sleeper.files(NEVER))).map(({ file: one }) => one.name)).toEqual(['a']);
    expect(await sleeper.settledThrough(NEVER)).toBe(0);
    expect(await sleeper.readLayout(creation.manifest.versionId, 0, NEVER)).toBeUndefined();
    await expectSound(sleeper);
  });

  it('lets no change pass for made, or for refused, that waited while another gateway began', async () => {
    const sleeper = await open();
    const { file } = await createFile(sleeper, 'a');
    const stored = (await sleeper.find(file.id, NEVER))!;
    const goes = await queue();
    const rival = new Client({ connectionString: server.url() });
    await rival.connect();
    await rival.query(`BEGIN; UPDATE ${schema}.slots SET token = token + 1`);
    const late = [
      sleeper.commit(makeCreation('late'), NEVER),
      sleeper.amend(file.id, makeAmendment(stored, { name: 'late' }), undefined, NEVER),
      sleeper.noteSettled(10 ** 9, NEVER),
      sleeper.addTombstone({ ...makeRemoval(file).tombstone, fileId: newId() }, NEVER),
      sleeper.probe(NEVER),
    ].map(codeOf);
    const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event IN ('transactionid', 'tuple')`;
    while ((await server.query(waiting)).length < late.length) await pause(5);
    await rival.query('COMMIT');
    await rival.end();
    expect(await Promise.all(late)).toEqual(late.map(() => 'index-unavailable'));
    await goes();
    await served(sleeper);
    expect(await sleeper.find(file.id, NEVER)).toEqual(stored);
    expect(await sleeper.settledThrough(NEVER)).toBe(0);
    await expectSound(sleeper);
  });

  it('is taken from whoever has it where that is no gateway any more, who then gives no higher revisions', async () => {
    const before = await open();
    const given = await before.nextRevision(NEVER);
    const after = await open({ isForced: true });
    expect(await after.nextRevision(NEVER)).toBeGreaterThan(given);
    expect(await codeOf(before.nextRevision(NEVER))).toBe('index-unavailable');
    await createFile(after, 'a');
  });

  it('is not had again by the gateway from which it was taken over, when that of the later term lets go of it', async () => {
    const before = await open();
    await createFile(before, 'a');
    await (await open({ isForced: true, term: 2 })).close();
    await pause(1000); // in which it tries again and again
    expect(await codeOf(before.probe(NEVER))).toBe('index-unavailable');
    const after = await open({ term: 2 });
    await createFile(after, 'b');
    await before.close();
    await after.close();
    await expect(open()).rejects.toThrow('later term');
  });

  it('is not taken again where the database has lost what it had acknowledged', async () => {
    const store = await open();
    await createFile(store, 'a');
    await server.query(`UPDATE ${schema}.slots SET change = 1 WHERE change > 0`);
    const [holder] = await lockHolders();
    await server.query(`SELECT pg_terminate_backend(${holder!.pid})`);
    // It takes the lock, sees what is missing, and lets go of it for good.
    await pause(1000);
    expect(await codeOf(store.find(newId(), NEVER))).toBe('index-unavailable');
    expect(await lockHolders()).toEqual([]);
  });
});

describe('a server of PostgreSQL that fails', () => {
  it('loses nothing that was acknowledged when it is killed in the middle, and is found again by itself', async () => {
    const store = await open();
    const outcomes = new Map<Creation, string>();
    let round = 0;
    const isOver = (): boolean => round >= 2;
    const writers = Array.from({ length: 12 }, async () => {
      while (!isOver()) {
        const creation = makeCreation('f');
        const code = await codeOf(store.commit(creation, NEVER));
        outcomes.set(creation, code);
        if (code !== 'none') await pause(20);
      }
    });
    for (; !isOver(); round += 1) {
      await pause(150);
      await server.kill();
      await pause(30);
      await server.run();
      await served(store);
    }
    await Promise.all(writers);
    const there = new Set((await collect(store.files(NEVER))).map(({ file }) => file.id));
    const codes = [...outcomes];
    expect(codes.filter(([, code]) => code === 'none').length).toBeGreaterThan(50);
    for (const [{ file }, code] of codes) expect([code, there.has(file.id)]).toEqual([code, code === 'none']);
    expect(there.size).toBe(codes.filter(([, code]) => code === 'none').length);
    await expectSound(store);
  });

  it('makes calls fail in time while it is frozen, and serves them when it goes on', async () => {
    const store = await open({ callMsMax: 300 });
    await createFile(store, 'a');
    server.signal('SIGSTOP');
    try {
      const began = performance.now();
      const [found, probed] = await Promise.all([
        codeOf(store.find(newId(), AbortSignal.timeout(700))),
        codeOf(store.probe(AbortSignal.timeout(700))),
      ]);
      expect(performance.now() - began).toBeLessThan(2000);
      expect([found, probed]).toEqual(['none', 'none'].map(() => expect.stringMatching(/Timeout|index-unavailable|23/)));
    } finally {
      server.signal('SIGCONT');
    }
    await served(store);
    await createFile(store, 'b');
    await expectSound(store);
  });

  it('is let go of in time while it is frozen', async () => {
    const store = await open();
    await createFile(store, 'a');
    server.signal('SIGSTOP');
    try {
      const began = performance.now();
      await store.close();
      expect(performance.now() - began).toBeLessThan(4000);
    } finally {
      server.signal('SIGCONT');
    }
  });

  it('gives way to the standby that follows it, with all that was acknowledged', async () => {
    const primary = await PostgresServer.start({ isDurable: true });
    let standby: PostgresServer | undefined;
    try {
      standby = await primary.addStandby();
      await primary.query(`ALTER SYSTEM SET synchronous_standby_names = 'standby'`);
      await primary.query('SELECT pg_reload_conf()');
      const [host] = /127\.0\.0\.1:\d+/.exec(standby.url())!;
      expect(await codeOf(open({}, standby.url()))).toBe('storage-unusable');
      await expect(open({}, standby.url())).rejects.toThrow('it is a standby');
      // The standby first: the one that takes changes is found behind it.
      const store = await open({}, primary.url().replace('@', `@${host},`));
      const made: Creation[] = [];
      const over = new AbortController();
      const writer = (async () => {
        for (let at = 0; !over.signal.aborted; at += 1) {
          const creation = makeCreation(`f${at}`);
          if ((await codeOf(store.commit(creation, NEVER))) === 'none') made.push(creation);
          else await pause(10);
        }
      })();
      await pause(200);
      await primary.kill();
      const before = made.length;
      await standby.promote();
      await standby.query(`ALTER SYSTEM SET synchronous_standby_names = ''`);
      await standby.query('SELECT pg_reload_conf()');
      await served(store);
      await pause(100);
      over.abort();
      await writer;
      expect(made.length).toBeGreaterThan(before);
      const there = (await collect(store.files(NEVER))).map(({ file }) => file.id);
      expect(there).toEqual(made.map(({ file }) => file.id).toSorted());
      await expectSound(store);
      await store.close();
    } finally {
      await primary.dispose();
      await standby?.dispose();
    }
  });

  it('is passed over where it has come back without what its standby acknowledged since', async () => {
    const primary = await PostgresServer.start({ isDurable: true });
    let standby: PostgresServer | undefined;
    try {
      standby = await primary.addStandby();
      const [host] = /127\.0\.0\.1:\d+/.exec(standby.url())!;
      const store = await open({}, primary.url().replace(/(:\d+)\/postgres/, `$1,${host}/postgres`));
      await createFile(store, 'a');
      const [{ at }] = (await primary.query<{ at: string }>('SELECT pg_current_wal_lsn() AS at')) as [{ at: string }];
      const hasAll = `SELECT WHERE pg_last_wal_replay_lsn() >= '${at}'`;
      while ((await standby.query(hasAll)).length === 0) await pause(10);
      await primary.kill();
      await standby.promote();
      await served(store);
      await createFile(store, 'b');
      await primary.run();
      await standby.query(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted`);
      await pause(50);
      await served(store);
      await createFile(store, 'c');
      expect((await collect(store.files(NEVER))).map(({ file }) => file.name).toSorted()).toEqual(['a', 'b', 'c']);
      await expectSound(store);
      // It was tried as often as its standby by now, and is no more to be read for that.
      const tokens = await standby.query<{ slot: number; token: string }>(`SELECT slot, token FROM ${schema}.slots`);
      for (const { slot, token } of tokens)
        await primary.query(`UPDATE ${schema}.slots SET token = ${token} WHERE slot = ${slot}`);
      const entries = await collect(store.snapshot(NEVER));
      expect(entries.filter(({ kind }) => kind === 'file')).toHaveLength(3);
      await store.close();
    } finally {
      await primary.dispose();
      await standby?.dispose();
    }
  });

  it('knows a change again of which it could not tell its caller, when the standby is there again that it waited for', async () => {
    const store = await open({ callMsMax: 200, connections: 1 });
    const { file } = await createFile(store, 'a');
    const limit = AbortSignal.timeout.bind(AbortSignal);
    const timeout = jest.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => limit(ms === 15_000 ? 300 : ms));
    const configure = async (names: string): Promise<void> => {
      await server.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
      await server.query('SELECT pg_reload_conf()');
    };
    await configure('away');
    let late = makeCreation('early');
    let doubt: unknown;
    try {
      // The server takes a moment to see it.
      for (; doubt === undefined; late = doubt === undefined ? makeCreation('late') : late)
        doubt = await store.commit(late, NEVER).then(
          () => undefined,
          (error: unknown) => error,
        );
      expect(errorCode(doubt)).toBe('outcome-unknown');
      // What reads goes on, and what changes is refused in time, while the only slot waits.
      expect((await store.find(file.id, NEVER))?.file).toEqual(file);
      expect(await codeOf(store.commit(makeCreation('never'), NEVER))).toBe('index-unavailable');
      expect(await codeOf(store.noteSettled(7, NEVER))).toBe('index-unavailable');
      const hanging = await server.query(`SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`);
      expect(hanging.length).toBe(1);
    } finally {
      timeout.mockRestore();
      await configure('');
    }
    await endLockSession();
    await served(store);
    await createFile(store, 'b');
    const files = (await collect(store.files(NEVER))).map(({ file: one }) => one);
    expect(files.map(({ id }) => id)).toContain(late.file.id);
    expect(await (doubt as OutcomeUnknownError).isMade).toBe(true);
    expect(files.map(({ name }) => name)).not.toContain('never');
    await expectSound(store);
  });

  it('says that the index is unavailable when its disk is full, and goes on when there is room', async () => {
    const disk = await TestDisk.inMemory(160);
    if (disk === undefined) return;
    const small = await PostgresServer.start({ parent: disk.path, settings: ['max_wal_size = 64MB', 'min_wal_size = 32MB'] });
    try {
      const store = await open({}, small.url());
      const { file } = await createFile(store, 'a');
      await disk.fill();
      const creation = makeCreation('large');
      const bytes = Buffer.alloc(1024 * 1024).map(() => Math.floor(Math.random() * 256));
      let code = 'none';
      for (let page = 0; page < 200 && code === 'none'; page += 1)
        code = await codeOf(store.stageLayout(creation.manifest.versionId, { page, bytes }, NEVER));
      expect(code).toBe('index-unavailable');
      await disk.free();
      if (!(await small.answers())) {
        await small.kill();
        await small.run();
      }
      await served(store);
      expect((await store.find(file.id, NEVER))?.file).toEqual(file);
      await createFile(store, 'b');
      await expectSound(store);
      await store.close();
    } finally {
      await small.dispose();
    }
  });
});
