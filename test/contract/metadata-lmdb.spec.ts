import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, open as openFile, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { open } from 'lmdb';
import { DomainError } from '../../src/common/errors.js';
import { newId, STORE_OWNER } from '../../src/common/ids.js';
import type { ClusterId, OwnerId } from '../../src/common/ids.js';
import { LmdbMetadataStore } from '../../src/metadata/embedded/lmdb.metadata-store.js';
import { MovableMetadataStore } from '../../src/metadata/moving/movable.metadata-store.js';
import { NEVER, removeFile, createFile, makeCreation } from '../support/metadata-fixtures.js';
import { describeOwners } from '../support/metadata-owners.contract.js';
import { describeMetadataStore, type MetadataHarness } from '../support/metadata-store.contract.js';
import { MEMORY_DISK } from '../support/memory-disk.js';

const FORMER_INDEX = 'test/vectors/index/schema-2.mdb.gz';

const makeHarness = async (): Promise<MetadataHarness> => {
  const root = await mkdtemp(join(MEMORY_DISK, 'metadata-lmdb-'));
  const clusterId = newId<ClusterId>();
  return {
    // A dot in the name: lmdb would take it for a file, if it were not told.
    open: async () =>
      new MovableMetadataStore(await LmdbMetadataStore.open({ directory: join(root, 'the.index'), clusterId, mayCreate: true })),
    dispose: () => rm(root, { recursive: true }),
  };
};

describeMetadataStore('LmdbMetadataStore below MovableMetadataStore', makeHarness);
describeOwners('LmdbMetadataStore below MovableMetadataStore', makeHarness);

describe('LmdbMetadataStore in its directory', () => {
  let root: string;
  let directory: string;
  const clusterId = newId<ClusterId>();

  const openStore = (overrides: Partial<Parameters<typeof LmdbMetadataStore.open>[0]> = {}): Promise<LmdbMetadataStore> =>
    LmdbMetadataStore.open({ directory, clusterId, mayCreate: false, ...overrides });

  const refusal = async (overrides: Parameters<typeof openStore>[0] = {}): Promise<DomainError> => {
    const error = await openStore(overrides).then(
      (store) => store.close().then(() => undefined),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(DomainError);
    return error as DomainError;
  };

  const makeIndex = async (files: number): Promise<void> => {
    const store = await openStore({ mayCreate: true });
    await Promise.all(Array.from({ length: files }, (_, index) => createFile(store, `file-${index}`)));
    await store.close();
  };

  beforeEach(async () => {
    root = await mkdtemp(join(MEMORY_DISK, 'metadata-lmdb-'));
    directory = join(root, 'a', 'index');
  });

  afterEach(() => rm(root, { recursive: true }));

  it('does not make an empty index in place of one that is missing', async () => {
    expect((await refusal()).code).toBe('storage-missing');
    expect(await readdir(root)).toEqual([]);
    await mkdir(directory, { recursive: true });
    expect((await refusal()).code).toBe('storage-missing');
    await writeFile(join(directory, 'data.mdb'), '');
    expect((await refusal()).code).toBe('storage-missing');
    await (await openStore({ mayCreate: true })).close();
    await (await openStore()).close();
  });

  it('refuses the index of another cluster', async () => {
    await makeIndex(1);
    expect((await refusal({ clusterId: newId<ClusterId>() })).code).toBe('storage-mismatch');
    expect((await refusal({ clusterId: newId<ClusterId>(), mayCreate: true })).code).toBe('storage-mismatch');
    await (await openStore()).close();
  });

  it('keeps a second one out, of this process and of another, until it is closed', async () => {
    const store = await openStore({ mayCreate: true });
    expect((await refusal()).code).toBe('storage-locked');
    const script = `new (require('node:sqlite').DatabaseSync)(process.argv[1]).exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')`;
    const other = spawnSync(process.execPath, ['-e', script, join(directory, 'process.lock')]);
    expect(other.status).not.toBe(0);
    expect((await refusal()).code).toBe('storage-locked');
    await createFile(store, 'still works');
    await store.close();
    await (await openStore()).close();
  });

  it('gives the lock back when it cannot open', async () => {
    await makeIndex(1);
    await refusal({ clusterId: newId<ClusterId>() });
    await refusal({ clusterId: newId<ClusterId>() });
    await (await openStore()).close();
  });

  it('refuses an index of a later schema and leaves it as it is', async () => {
    await makeIndex(1);
    const binary = { keyEncoding: 'binary', encoding: 'binary' } as const;
    const environment = open({ ...binary, path: directory, noSubdir: false, overlappingSync: false, maxDbs: 16 });
    const meta = environment.openDB<Uint8Array, Uint8Array>('meta', binary);
    await meta.put(Buffer.from('identity'), Buffer.from([5, 99]));
    await environment.close();
    const before = await readFile(join(directory, 'data.mdb'));
    const error = await refusal();
    expect(error.code).toBe('storage-unusable');
    expect(error.detail).toContain('schema 5');
    expect(Buffer.compare(await readFile(join(directory, 'data.mdb')), before)).toBe(0);
  });

  it('opens an index of the time before owners: all in it is the store’s, and counted from then on', async () => {
    await mkdir(directory, { recursive: true });
    // Written by schema 2: files of 2,000 to 8,000 bytes, named backwards, and one that was deleted.
    const before = gunzipSync(await readFile(FORMER_INDEX));
    await writeFile(join(directory, 'data.mdb'), before);
    const former = { clusterId: '01920000-0000-7000-8000-0000000000aa' as ClusterId };
    const store = await openStore(former);
    expect(await store.usageOf(STORE_OWNER, NEVER)).toEqual({ files: 7, bytes: 35_000 });
    const { files } = await store.list({ owner: STORE_OWNER, order: '-name', prefix: '', limit: 9 }, NEVER);
    expect(files.map(({ name, size, owner }) => [name, size, owner])).toEqual(
      [2, 3, 4, 5, 6, 7, 8].map((at) => [`file ${8 - at}`, at * 1000, STORE_OWNER]),
    );
    const byCreation = await store.list({ owner: STORE_OWNER, order: 'createdAt', prefix: '', limit: 9 }, NEVER);
    expect(byCreation.files).toEqual(files);
    await removeFile(store, files[0]!.id);
    await createFile(store, 'of another', { owner: 'system:test' as OwnerId, size: 5 });
    await store.close();
    const again = await openStore(former);
    expect(await again.usageOf(STORE_OWNER, NEVER)).toEqual({ files: 6, bytes: 33_000 });
    expect(await again.usageOf('system:test' as OwnerId, NEVER)).toEqual({ files: 1, bytes: 5 });
    await again.close();
  });

  it('refuses a file that is not an index', async () => {
    await mkdir(directory, { recursive: true });
    for (const content of ['x', 'not an index'.repeat(10_000), '\0'.repeat(20_000)]) {
      await writeFile(join(directory, 'data.mdb'), content);
      expect((await refusal({ mayCreate: true })).code).toBe('storage-unusable');
    }
  });

  it('refuses an index that was cut short, anywhere, without ending the process', async () => {
    await makeIndex(300);
    const file = join(directory, 'data.mdb');
    const whole = await readFile(file);
    const outcomes: string[] = [];
    for (const share of [0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99]) {
      await writeFile(file, whole);
      await truncate(file, Math.floor((whole.length * share) / 4096) * 4096 + 100);
      try {
        const store = await openStore();
        // Only free pages were cut off.
        expect((await store.list({ owner: STORE_OWNER, order: 'name', prefix: '', limit: 500 }, NEVER)).files).toHaveLength(300);
        await store.close();
        outcomes.push('whole');
      } catch (error) {
        expect(error).toBeInstanceOf(DomainError);
        outcomes.push((error as DomainError).code);
      }
    }
    expect(new Set(outcomes.slice(0, 4))).toEqual(new Set(['storage-unusable']));
    await writeFile(file, whole);
    await (await openStore()).close();
  });

  it('accepts an index whose file is shorter than its last page, if nothing is missing', async () => {
    await makeIndex(300);
    const file = join(directory, 'data.mdb');
    const handle = await openFile(file, 'r+');
    const lastPage = Buffer.alloc(8);
    lastPage.writeBigUInt64LE(BigInt((await handle.stat()).size / 4096 + 10));
    await handle.write(lastPage, 0, 8, 144);
    await handle.write(lastPage, 0, 8, 4096 + 144);
    await handle.close();
    const store = await openStore();
    expect((await store.list({ owner: STORE_OWNER, order: 'name', prefix: '', limit: 500 }, NEVER)).files).toHaveLength(300);
    await store.close();
  });

  it('refuses a directory that is a file', async () => {
    await writeFile(join(root, 'a'), '');
    expect((await refusal({ mayCreate: true })).code).toBe('storage-unusable');
  });

  it('grows its map by itself', async () => {
    const store = await openStore({ mayCreate: true });
    const creation = makeCreation('large');
    const { versionId } = creation.manifest;
    const bytes = new Uint8Array(256 * 1024);
    await Promise.all(
      Array.from({ length: 40 }, (_, page) => store.stageLayout(versionId, { page, bytes: bytes.map(() => page) }, NEVER)),
    );
    await store.commit({ ...creation, lastPage: { page: 40, bytes } }, NEVER);
    expect((await store.readLayout(versionId, 39, NEVER))!.every((byte) => byte === 39)).toBe(true);
    expect((await stat(join(directory, 'data.mdb'))).size).toBeGreaterThan(10_000_000);
    await store.close();
  });

  it('gives the space of what is deleted to what comes after', async () => {
    const store = await openStore({ mayCreate: true });
    const size = async (): Promise<number> => (await stat(join(directory, 'data.mdb'))).size;
    const sizes: number[] = [];
    for (let round = 0; round < 12; round++) {
      const made = await Promise.all(Array.from({ length: 100 }, (_, index) => createFile(store, `f${index}`, { usage: [] })));
      await Promise.all(made.map(({ file }) => removeFile(store, file.id)));
      sizes.push(await size());
    }
    expect(sizes.at(-1)).toBeLessThan(2 * sizes[2]!);
    await store.close();
  });
});
