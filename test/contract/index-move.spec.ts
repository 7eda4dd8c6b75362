import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { DomainError } from '../../src/common/errors.js';
import { newId, type ClusterId } from '../../src/common/ids.js';
import { AppConfig } from '../../src/config/app-config.js';
import { ClusterFile } from '../../src/config/cluster-file.js';
import { parseDatabaseUrl } from '../../src/config/database-url.js';
import { LIMITS } from '../../src/config/limits.js';
import { EmbeddedIndexPlace } from '../../src/metadata/embedded/embedded-index-place.js';
import type { IndexPlace } from '../../src/metadata/index-place.js';
import { IndexMove, type MoveParts, type MoveResult } from '../../src/metadata/moving/index-move.js';
import type { TransferableStore } from '../../src/metadata/moving/index-transfer.js';
import { MovableMetadataStore } from '../../src/metadata/moving/movable.metadata-store.js';
import { openMovers } from '../../src/metadata/moving/open-movers.js';
import { PostgresIndexPlace } from '../../src/metadata/postgres/postgres-index-place.js';
import { MigrationService } from '../../src/migration/migration.service.js';
import { RecordStore, type RecordStoreParts } from '../../src/redundancy/record-store.js';
import { everythingOf, fillIndex, OWNERS } from '../support/full-index.js';
import { collect, createFile, NEVER, removeFile } from '../support/metadata-fixtures.js';
import { PostgresServer } from '../support/postgres.js';
import { MEMORY_DISK } from '../support/memory-disk.js';

Logger.overrideLogger(false);

let server: PostgresServer;
let root: string;
let clusterId: ClusterId;
let embedded: IndexPlace;
let postgres: IndexPlace;

beforeAll(async () => {
  server = await PostgresServer.start();
});

afterAll(() => server.dispose());

beforeEach(async () => {
  root = await mkdtemp(join(MEMORY_DISK, 'dcloud-move-'));
  clusterId = newId<ClusterId>();
  embedded = new EmbeddedIndexPlace(join(root, 'index'), clusterId);
  postgres = databasePlace(await server.createDatabase());
});

afterEach(() => rm(root, { recursive: true }));

function databasePlace(url: string, cluster = clusterId): IndexPlace {
  const limits = { connections: 4, callMsMax: 10_000 };
  return new PostgresIndexPlace({
    url: parseDatabaseUrl(url),
    clusterId: cluster,
    term: 1,
    notesDirectory: join(root, 'notes'),
    ...limits,
  });
}

async function withStore<Result>(place: IndexPlace, work: (store: TransferableStore) => Promise<Result>): Promise<Result> {
  const store = await place.open(true);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** As the command does it where no server runs. */
async function move(from: IndexPlace, to: IndexPlace, more: Partial<MoveParts> = {}): Promise<MoveResult> {
  const { source, target, close } = await openMovers(from, to, true);
  try {
    const parts = { from: from.engine, to: to.engine, hold: () => Promise.resolve(), onProgress: () => undefined };
    return await new IndexMove({ source, target, ...parts, ...more }).run(NEVER);
  } finally {
    await close();
  }
}

const PARTS = { from: 'embedded', to: 'postgres', hold: () => Promise.resolve(), onProgress: () => undefined } as const;

/** The same store, with something of its own where it is moved. */
function standIn(
  store: TransferableStore,
  transfer: Partial<TransferableStore['transfer']>,
  more: { readonly close?: () => Promise<void> } = {},
): TransferableStore {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'close' && more.close !== undefined) return more.close;
      if (name === 'transfer') return { ...target.transfer, ...transfer };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

async function refusal(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error as Error).message,
  );
}

describe('an index is moved from one engine to the other', () => {
  it('comes out with all that the port tells of it, there and back', async () => {
    const before = await withStore(embedded, async (store) => {
      await fillIndex(store, 300);
      return everythingOf(store);
    });
    const there = await move(embedded, postgres);
    expect(await withStore(postgres, everythingOf)).toEqual(before);
    expect(Object.fromEntries(there.kinds.map(({ kind, count }) => [kind, count]))).toEqual({
      files: 335,
      layouts: 379,
      garbage: 3,
      tombstones: 2,
      damage: 3,
      nodes: 3,
      owners: 4,
      usage: 3,
      state: 1,
    });

    const back = await move(postgres, embedded);
    expect(back.kinds).toEqual(there.kinds);
    expect(await withStore(embedded, everythingOf)).toEqual(before);
    await withStore(embedded, async (store) => {
      // It can be changed, and gives higher revisions than the one before.
      const created = await createFile(store, 'after', { owner: OWNERS[1]! });
      expect((await store.find(created.file.id, NEVER))?.file).toEqual(created.file);
      expect(await store.nextRevision(NEVER)).toBeGreaterThanOrEqual((before as { ceiling: number }).ceiling);
      for (const { file } of (await collect(store.files(NEVER))).slice(0, 50)) await removeFile(store, file.id);
    });
  });

  it('is not used any more where it was, and says where it went', async () => {
    await withStore(embedded, (store) => createFile(store, 'a'));
    await move(embedded, postgres);
    expect(await refusal(embedded.open(false))).toMatch(/^index-moved: .*PostgreSQL.*metadata\.driver to "postgres"/);
    expect(await refusal(move(embedded, postgres))).toMatch(/^index-moved: .*PostgreSQL/);
    await move(postgres, embedded);
    expect(await refusal(postgres.open(false))).toMatch(/^index-moved: .*metadata\.driver to "embedded"/);
    expect(await withStore(embedded, (store) => collect(store.files(NEVER)))).toHaveLength(1);
  });

  it.each(['copying', 'finishing', 'comparing'] as const)(
    'is in charge as before when a move ends while it is %s, the half one is refused, and a repeated one goes on',
    async (phase) => {
      const before = await withStore(embedded, async (store) => {
        await fillIndex(store, 20);
        return everythingOf(store);
      });
      const onProgress: MoveParts['onProgress'] = (progress) => {
        if (progress.phase === phase && progress.kind === 'tombstones') throw new Error('killed');
      };
      expect(await refusal(move(embedded, postgres, { onProgress }))).toBe('killed');
      const half = /^index-half-moved: .*the embedded index.*"dcloud metadata migrate --from embedded --to postgres"/;
      expect(await refusal(postgres.open(false))).toMatch(half);
      expect(await refusal(move(postgres, embedded))).toMatch(half);
      expect(await withStore(embedded, everythingOf)).toEqual(before);
      // What changes before it is repeated: something new, and something less.
      const after = await withStore(embedded, async (store) => {
        await createFile(store, 'between');
        const [first] = await collect(store.files(NEVER));
        await removeFile(store, first!.file.id);
        return everythingOf(store);
      });
      const { written, kinds } = await move(embedded, postgres);
      expect(await withStore(postgres, everythingOf)).toEqual(after);
      const all = kinds.reduce((sum, { count }) => sum + count, 0);
      if (phase !== 'copying') expect(written).toBeLessThan(all / 4);
    },
  );

  it('is finished by a repeated command if it was cut short between its two marks', async () => {
    const before = await withStore(embedded, async (store) => {
      await fillIndex(store, 20);
      return everythingOf(store);
    });
    const { source, target, close } = await openMovers(embedded, postgres, true);
    const cut = standIn(target, { note: () => Promise.reject(new Error('killed')) });
    expect(await refusal(new IndexMove({ source, target: cut, ...PARTS }).run(NEVER))).toBe('killed');
    await close();
    expect(await refusal(embedded.open(false))).toContain('index-moved');
    expect(await refusal(postgres.open(false))).toContain('index-half-moved');
    expect((await move(embedded, postgres)).written).toBe(0);
    expect(await withStore(postgres, everythingOf)).toEqual(before);
  });

  it('takes along what a server changed that had not heard of the mark, and lets it change nothing more', async () => {
    await withStore(embedded, (store) => createFile(store, 'before'));
    const { source, target, close } = await openMovers(embedded, postgres, true);
    const cut = standIn(target, { note: () => Promise.reject(new Error('killed')) });
    expect(await refusal(new IndexMove({ source, target: cut, ...PARTS }).run(NEVER))).toBe('killed');
    const held: string[] = [];
    const hold = async (): Promise<void> => {
      held.push('held');
      await createFile(source, 'the last');
    };
    const resting = standIn(source, {
      rest: async () => {
        held.push('at rest');
        await source.transfer.rest();
      },
    });
    const again = new IndexMove({ source: resting, target, ...PARTS, hold });
    await again.run(NEVER);
    expect(held).toEqual(['held', 'at rest']);
    await close();
    const files = await withStore(postgres, (store) => collect(store.files(NEVER)));
    expect(files.map(({ file }) => file.name).toSorted()).toEqual(['before', 'the last']);
  });

  it('is not let go of by a move that fails when it has its mark already', async () => {
    await withStore(embedded, (store) => createFile(store, 'a'));
    const { source, target, close } = await openMovers(embedded, postgres, true);
    const cut = standIn(target, { note: () => Promise.reject(new Error('killed')) });
    expect(await refusal(new IndexMove({ source, target: cut, ...PARTS }).run(NEVER))).toBe('killed');
    const again = new IndexMove({ source, target, ...PARTS, hold: () => Promise.reject(new Error('not in time')) });
    expect(await refusal(again.run(NEVER))).toBe('not in time');
    expect(again.mayBeCommitted).toBe(true);
    await close();
  });

  it('finds a difference that was planted, says where, and leaves the old one in charge', async () => {
    const before = await withStore(embedded, async (store) => {
      await fillIndex(store, 20);
      return everythingOf(store);
    });
    const plants: readonly (readonly [string, string])[] = [
      ['files', `UPDATE files SET sealed_digest = '\\x00' WHERE name = 'long'`],
      ['layouts', `UPDATE layouts SET revision = revision + 1 WHERE page = 3`],
      ['tombstones', `DELETE FROM tombstones WHERE revision = 17`],
      ['owners', `UPDATE owner_usage SET bytes = bytes + 1 WHERE owner = 'store'`],
      ['usage', `INSERT INTO node_usage (node, slot, shards, bytes) VALUES (1, 3, 1, 0)`],
      ['nodes', `UPDATE nodes SET proven = NULL WHERE node = 2`],
      ['state', `UPDATE identity SET ceiling = ceiling - 1`],
    ];
    const url = await server.createDatabase();
    const other = databasePlace(url);
    for (const [kind, plant] of plants) {
      const { source, target, close } = await openMovers(embedded, other, true);
      const { rows } = target.transfer;
      let phase = '';
      // The last kind is made equal, and then the comparison begins.
      const state = {
        ...rows.state,
        read: async (...args: Parameters<typeof rows.state.read>) => {
          const found = await rows.state.read(...args);
          if (phase === 'finishing') await server.query(plant.replace(/(UPDATE|FROM|INTO) /, '$1 dcloud.'), url);
          return found;
        },
      };
      const planted = standIn(target, { rows: { ...rows, state } });
      const onProgress: MoveParts['onProgress'] = (progress) => (phase = progress.kind === 'usage' ? progress.phase : '');
      const said = await refusal(new IndexMove({ source, target: planted, ...PARTS, onProgress }).run(NEVER));
      await close();
      expect(said).toMatch(new RegExp(`^migration-failed: ${kind}: .*old one stays in charge`));
    }
    expect(await withStore(embedded, everythingOf)).toEqual(before);
    await move(embedded, other);
    expect(await withStore(other, everythingOf)).toEqual(before);
  });
});

describe('the index of a running server', () => {
  const records = new RecordStore({} as RecordStoreParts);
  const isHeld = (index: MovableMetadataStore): Promise<boolean[]> =>
    Promise.all(
      [records.change(() => Promise.resolve()), index.probe(NEVER)].map((one) => refusal(one).then((said) => said !== 'none')),
    );

  /** A server with the embedded index, and how it is asked to move it; resolves when it is over. */
  async function serving(
    transfer: Partial<TransferableStore['transfer']>,
    close?: () => Promise<void>,
  ): Promise<{ store: TransferableStore; index: MovableMetadataStore; service: MigrationService; start: () => void }> {
    const cluster = ClusterFile.open(join(root, 'storage'), 1);
    const metadata = { driver: 'embedded', directory: join(root, 'index'), url: null };
    const config = Object.assign(new AppConfig(), { storage_directory: join(root, 'storage'), metadata, limits: LIMITS });
    const store = await new EmbeddedIndexPlace(join(root, 'index'), cluster.clusterId).open(true);
    const index = new MovableMetadataStore(standIn(store, transfer, close && { close }));
    const service = new MigrationService(config, cluster, index, records);
    const url = await server.createDatabase();
    return { store, index, service, start: () => service.start({ from: 'embedded', to: 'postgres', url }) };
  }

  async function ended(service: MigrationService): Promise<unknown> {
    while (service.status.state === 'running') await pause(5);
    return [service.status.state, service.status.failure?.detail];
  }

  afterEach(() => {
    jest.restoreAllMocks();
  });

  it.each([
    ['does not end', () => new Promise<void>(() => undefined)],
    ['fails', () => Promise.reject(new Error('it does not close'))],
  ])('can be changed as soon as the new one is in its place, also if the closing of the old one %s', async (_, close) => {
    const { store, index, service, start } = await serving({}, close);
    await createFile(index, 'before');
    const limit = AbortSignal.timeout.bind(AbortSignal);
    jest.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => limit(ms === 10_000 ? 300 : ms));
    const old = index.current;
    start();
    while (index.current === old) await pause(1);
    expect(await isHeld(index)).toEqual([false, false]);
    await createFile(index, 'after');
    expect(await ended(service)).toEqual(['done', undefined]);
    expect((await collect(index.files(NEVER))).map(({ file }) => file.name).toSorted()).toEqual(['after', 'before']);
    await index.close();
    await store.close();
  });

  it('is held as long as it is not known whether it has its mark, until a repeated command finds out', async () => {
    let isDoubtful = false;
    let isAway = true;
    const lost = (): Promise<void> => Promise.reject(new DomainError('index-unavailable', 'it is not known'));
    const { store, index, service, start } = await serving({
      note: async (transit, signal) => {
        isDoubtful = isAway;
        await (isAway ? lost() : store.transfer.note(transit, signal));
      },
      rest: () => (isDoubtful ? lost() : store.transfer.rest()),
    });
    await createFile(index, 'before');
    for (let time = 0; time < 2; time += 1) {
      start();
      expect(await ended(service)).toEqual(['failed', 'it is not known']);
      expect(await isHeld(index)).toEqual([true, true]);
    }
    isDoubtful = isAway = false;
    start();
    expect(await ended(service)).toEqual(['done', undefined]);
    expect(await isHeld(index)).toEqual([false, false]);
    await index.close();
  });
});
