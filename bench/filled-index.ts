import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterId, FileId, newId as NewId, OwnerId, VersionId } from '../src/common/ids.ts';
import type { parseDatabaseUrl as ParseDatabaseUrl } from '../src/config/database-url.ts';
import type { LmdbMetadataStore as Embedded } from '../src/metadata/embedded/lmdb.metadata-store.ts';
import type { ImportedRecord, MetadataStore } from '../src/metadata/metadata-store.ts';
import type { PostgresMetadataStore as Postgres } from '../src/metadata/postgres/postgres.metadata-store.ts';
import type { encodeLayout as EncodeLayout } from '../src/redundancy/layout.ts';
import type { PostgresServer } from '../test/support/postgres.ts';

const dist = new URL('../dist/', import.meta.url);
const of = <Module>(file: string): Promise<Module> => import(new URL(file, dist).href) as Promise<Module>;
const { newId } = await of<{ newId: typeof NewId }>('common/ids.js');
const { parseDatabaseUrl } = await of<{ parseDatabaseUrl: typeof ParseDatabaseUrl }>('config/database-url.js');
const { LmdbMetadataStore } = await of<{ LmdbMetadataStore: typeof Embedded }>('metadata/embedded/lmdb.metadata-store.js');
const { PostgresMetadataStore } = await of<{ PostgresMetadataStore: typeof Postgres }>(
  'metadata/postgres/postgres.metadata-store.js',
);
const { encodeLayout } = await of<{ encodeLayout: typeof EncodeLayout }>('redundancy/layout.js');

export const ENGINES = ['embedded', 'postgres'] as const;
export type EngineName = (typeof ENGINES)[number];

export const STORE = 'store' as OwnerId;
export const FILE_BYTES = 4096;
const NEVER = new AbortController().signal;
/** So many are numbered with one byte each. */
const NODES = 250;
const BATCH = 1000;
/** Batches under way at once. The embedded index makes one after the other anyway. */
const AT_ONCE = 4;
/** Names come in another order than ids, as they do in life: each is a step of so many places on from the one before. It shares no divisor with a count of files that is a power of ten. */
const STRIDE = 7_368_787;

/** An index of one engine. */
export interface Engine {
  readonly name: EngineName;
  readonly store: MetadataStore;
  /** Bytes that it takes on the disk. */
  readonly bytesOnDisk: () => Promise<number>;
}

export interface EnginePlace {
  readonly directory: string;
  readonly database: PostgresServer;
  /** Absent: both. */
  readonly names?: readonly string[];
}

/** The engines, each with an empty index, for as long as they are needed. */
export async function withEngines(
  { directory: base, database, names = ENGINES }: EnginePlace,
  use: (engines: readonly Engine[]) => Promise<void>,
): Promise<void> {
  const clusterId = newId<ClusterId>();
  const directory = await mkdtemp(join(base, 'dcloud-bench-'));
  const url = await database.createDatabase();
  const place = { schema: 'dcloud', connections: 16, callMsMax: 60_000, clusterId, mayCreate: true, term: 1 };
  const embedded = await LmdbMetadataStore.open({ directory, clusterId, mayCreate: true });
  const postgres = await PostgresMetadataStore.open({ url: parseDatabaseUrl(url), ...place });
  const sizeOfDatabase = async (): Promise<number> => {
    const [row] = await database.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes', url);
    return Number(row?.bytes);
  };
  try {
    const both: readonly Engine[] = [
      { name: 'embedded', store: embedded, bytesOnDisk: () => bytesOf(directory) },
      { name: 'postgres', store: postgres, bytesOnDisk: sizeOfDatabase },
    ];
    await use(both.filter(({ name }) => names.includes(name)));
  } finally {
    await embedded.close();
    await postgres.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Bytes that the disk has for what lies in a directory. */
async function bytesOf(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true })) {
    const found = await stat(join(directory, entry));
    if (found.isFile()) bytes += found.blocks * 512;
  }
  return bytes;
}

export interface Filling {
  readonly files: number;
  /** Stripes of each file, with so many shards; one with two copies if absent. */
  readonly layout?: { readonly stripes: number; readonly k: number; readonly m: number };
}

/** Fills an index with files, through its port, as a rebuild does. Returns the ids of those at these places in the order of creation, from 0. */
export async function fillIndex(
  { store }: Pick<Engine, 'store'>,
  { files, layout = { stripes: 1, k: 1, m: 1 } }: Filling,
  places: readonly number[] = [],
): Promise<Map<number, FileId>> {
  const ids = new Map<number, FileId>();
  const wanted = new Set(places);
  // In no order that a database could compress.
  const rows = Array.from({ length: layout.stripes }, () =>
    Array.from({ length: layout.k + layout.m }, () => 1 + randomInt(NODES)),
  );
  const page = encodeLayout(rows, layout);
  const batches = Array.from({ length: Math.ceil(files / BATCH) }, (_, batch) => batch * BATCH).values();
  const fill = async (): Promise<void> => {
    for (const from of batches) {
      const batch = Array.from({ length: Math.min(BATCH, files - from) }, (_, at) => record(from + at, { files, layout, page }));
      for (const [at, { file }] of batch.entries()) if (wanted.has(from + at)) ids.set(from + at, file.id);
      await store.importRecords(batch, NEVER);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fill));
  return ids;
}

function nodesOf(first: number, width: number): number[] {
  return Array.from({ length: width }, (_, index) => 1 + ((first + index) % NODES));
}

/** What stands in a name at a place in the order of creation. */
export function numberAt(at: number, files: number): number {
  return (at * STRIDE) % files;
}

export function nameOf(number: number): string {
  return `file ${String(number).padStart(9, '0')}`;
}

type FileImport = Extract<ImportedRecord, { kind: 'file' }>;

/** As large as those of real files: the seal's parts have the lengths that they have there. */
function record(
  at: number,
  { files, layout, page }: Required<Pick<Filling, 'files' | 'layout'>> & { readonly page: Uint8Array },
): FileImport {
  const { id, versionId, ...shape } = { id: newId<FileId>(), versionId: newId<VersionId>(), k: layout.k, m: layout.m };
  const usage = nodesOf(at, layout.k + layout.m).map((node) => ({ node, shards: layout.stripes, bytes: FILE_BYTES }));
  const seal = { kekId: 'k1', wrappedKey: randomBytes(61), header: randomBytes(74), sealedDigest: randomBytes(60) };
  const now = Date.now();
  const sizes = { size: FILE_BYTES, sealedSize: FILE_BYTES + 32, sliceBytes: 1_048_576 };
  const recordNodes = usage.slice(0, layout.m + 1).map(({ node }) => node);
  const manifest = { versionId, fileId: id, ...sizes, ...shape, seal, usage, recordNodes, createdAt: now };
  const times = { createdAt: now, updatedAt: now };
  const what = { id, owner: STORE, name: nameOf(numberAt(at, files)), contentType: 'application/octet-stream' };
  return {
    kind: 'file',
    file: { ...what, size: FILE_BYTES, versionId, revision: 1000 * now + at, ...times },
    manifest,
    lastPage: { page: 0, bytes: page },
  };
}

/** As {@link record}, as a commit of a new file. */
export function creation(at: number, files: number): Parameters<MetadataStore['commit']>[0] {
  const { file, manifest, lastPage } = record(at, {
    files,
    layout: { stripes: 1, k: 1, m: 1 },
    page: encodeLayout([[1, 2]], { k: 1, m: 1 }),
  });
  return { kind: 'create', file, manifest, lastPage };
}
