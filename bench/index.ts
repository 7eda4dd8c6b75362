/**
 * `npm run bench:index`: what an index in PostgreSQL costs beside the embedded one. Small files are put through HTTP, interleaved; then a page
 * of 1,000 is listed in the middle of 10,000 and of 200,000 files, of the store alone. The database runs on this machine, with its fsyncs.
 * Options: `--pairs N` (3), `--seconds N` (5), `--clients 1,16,64`, `--directory DIR` (the system's temporary one).
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { ClusterId, FileId, newId as NewId, OwnerId, VersionId } from '../src/common/ids.ts';
import type { parseDatabaseUrl as ParseDatabaseUrl } from '../src/config/database-url.ts';
import type { LmdbMetadataStore as Embedded } from '../src/metadata/embedded/lmdb.metadata-store.ts';
import type { MetadataStore } from '../src/metadata/metadata-store.ts';
import type { PostgresMetadataStore as Postgres } from '../src/metadata/postgres/postgres.metadata-store.ts';
import { PostgresServer } from '../test/support/postgres.ts';
import { median } from './figures.ts';
import { runLoad } from './load.ts';
import { put } from './requests.ts';
import { startProduct } from './subject.ts';

const dist = new URL('../dist/', import.meta.url);
const of = <Module>(file: string): Promise<Module> => import(new URL(file, dist).href) as Promise<Module>;
const { newId } = await of<{ newId: typeof NewId }>('common/ids.js');
const { parseDatabaseUrl } = await of<{ parseDatabaseUrl: typeof ParseDatabaseUrl }>('config/database-url.js');
const { LmdbMetadataStore } = await of<{ LmdbMetadataStore: typeof Embedded }>('metadata/embedded/lmdb.metadata-store.js');
const { PostgresMetadataStore } = await of<{ PostgresMetadataStore: typeof Postgres }>(
  'metadata/postgres/postgres.metadata-store.js',
);

const FILE_BYTES = 1024;
const PAGE = 1000;
const STORE = 'store' as OwnerId;
const SIZES = [10_000, 200_000];
const NEVER = new AbortController().signal;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '1,16,64' },
    directory: { type: 'string', default: tmpdir() },
  },
});

const database = await PostgresServer.start({ isDurable: true });
try {
  console.log(`load ${loadavg()[0]?.toFixed(1)}`);
  for (const clients of values.clients.split(',').map(Number)) await commits(clients);
  for (const files of SIZES) await lists(files);
  console.log(`load ${loadavg()[0]?.toFixed(1)}`);
} finally {
  await database.dispose();
}

async function commits(clients: number): Promise<void> {
  const rates: Record<'embedded' | 'postgres', number[]> = { embedded: [], postgres: [] };
  for (let pair = 0; pair < Number(values.pairs); pair += 1) {
    for (const driver of ['embedded', 'postgres'] as const) {
      const metadata = driver === 'embedded' ? {} : { driver, url: await database.createDatabase() };
      const subject = await startProduct(values.directory, { metadata });
      try {
        const body = randomBytes(FILE_BYTES);
        const ask = (operations: number): ReturnType<typeof runLoad> =>
          runLoad(subject.port, { clients, operations }, () => put(body));
        const warm = await ask(20 * clients);
        const { operations, seconds } = await ask(Math.ceil((Number(values.seconds) * warm.operations) / warm.seconds));
        rates[driver].push(operations / seconds);
      } finally {
        await subject.end();
      }
    }
  }
  const [embedded, postgres] = [median(rates.embedded), median(rates.postgres)];
  const all = Object.entries(rates).map(([driver, list]) => `${driver} ${list.map(Math.round).join(' ')}`);
  console.log(
    `${clients} clients, files/s: embedded ${Math.round(embedded)}, postgres ${Math.round(postgres)}; ${all.join('; ')}`,
  );
}

async function lists(files: number): Promise<void> {
  const clusterId = newId<ClusterId>();
  const directory = await mkdtemp(join(values.directory, 'dcloud-bench-'));
  const url = await database.createDatabase();
  const embedded = await LmdbMetadataStore.open({ directory, clusterId, mayCreate: true });
  const place = { schema: 'dcloud', connections: 16, callMsMax: 60_000 };
  const postgres = await PostgresMetadataStore.open({
    url: parseDatabaseUrl(url),
    clusterId,
    mayCreate: true,
    term: 1,
    ...place,
  });
  try {
    for (const store of [embedded, postgres]) {
      const makers = Array.from({ length: 64 }, async (_, first) => {
        for (let at = first; at < files; at += 64) await store.commit(creation(at), NEVER);
      });
      const began = performance.now();
      await Promise.all(makers);
      console.log(
        `${files} commits of the store alone, 64 at once: ${Math.round(files / ((performance.now() - began) / 1000))}/s`,
      );
    }
    const times: number[][] = [[], []];
    for (let round = 0; round < 30; round += 1) {
      for (const [which, store] of [embedded, postgres].entries()) {
        const cursor = await middle(store, files);
        const began = performance.now();
        await store.list({ owner: STORE, order: 'name', prefix: '', limit: PAGE, cursor }, NEVER);
        times[which]?.push(performance.now() - began);
      }
    }
    const [fast, slow] = times.map((list) => median(list).toFixed(1));
    console.log(`a page of ${PAGE} in the middle of ${files}: embedded ${fast} ms, postgres ${slow} ms`);
  } finally {
    await embedded.close();
    await postgres.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** A cursor in the middle, as both stores write it. */
async function middle(store: MetadataStore, files: number): Promise<Uint8Array> {
  const prefix = nameOf(files / 2);
  const { nextCursor } = await store.list({ owner: STORE, order: 'name', prefix: prefix.slice(0, -1), limit: 1 }, NEVER);
  return nextCursor as Uint8Array;
}

function nameOf(at: number): string {
  return `file ${String(at).padStart(9, '0')}`;
}

function creation(at: number): Parameters<MetadataStore['commit']>[0] {
  const [id, versionId] = [newId<FileId>(), newId<VersionId>()];
  const usage = [1, 2].map((node) => ({ node, shards: 1, bytes: FILE_BYTES }));
  const seal = { kekId: 'key-1', wrappedKey: randomBytes(61), header: randomBytes(74), sealedDigest: randomBytes(60) };
  const shape = { size: FILE_BYTES, sealedSize: FILE_BYTES + 90, sliceBytes: 1_048_576, k: 1, m: 1 };
  const manifest = { versionId, fileId: id, ...shape, seal, usage, recordNodes: [1, 2], createdAt: 1 };
  const times = { createdAt: 1, updatedAt: 1 };
  const file = { id, owner: STORE, name: nameOf(at), contentType: 'text/plain', size: FILE_BYTES, versionId, ...times };
  return { kind: 'create', file: { ...file, revision: at + 1 }, manifest, lastPage: { page: 0, bytes: randomBytes(8) } };
}
