import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newId, STORE_OWNER } from '../../src/common/ids.js';
import type { ClusterId, OwnerId } from '../../src/common/ids.js';
import { LmdbMetadataStore } from '../../src/metadata/embedded/lmdb.metadata-store.js';
import type { MetadataStore, NodeUsage, StoredFile } from '../../src/metadata/metadata-store.js';
import {
  NEVER,
  collect,
  compareByName,
  createFile,
  makeAmendment,
  makeManifest,
  makeRelocation,
  makeRemoval,
  makeReplacement,
} from '../support/metadata-fixtures.js';
import { openPostgresStore } from '../support/postgres-store.js';
import { PostgresServer } from '../support/postgres.js';
import { MEMORY_DISK } from '../support/memory-disk.js';

const LAST_PAGE = { page: 0, bytes: Uint8Array.of(1) };
const node = fc.integer({ min: 0, max: 3 });
const usage = fc.uniqueArray(fc.record({ node, shards: fc.integer({ min: 1, max: 9 }), bytes: fc.nat() }), {
  selector: (part) => part.node,
  maxLength: 3,
});
const name = fc.oneof(
  fc.constantFrom('a', 'b', 'ab'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }).filter((text) => !/\p{Cc}/u.test(text)),
);
const pick = fc.nat();
const size = fc.nat();
const OWNERS = [STORE_OWNER, 'system:tests' as OwnerId, 'system:tests-of' as OwnerId];
const owner = fc.constantFrom(...OWNERS);

const command = fc.oneof(
  fc.record({ does: fc.constant('create' as const), owner, size, name, usage, kekId: fc.constantFrom('k1', 'k2') }),
  fc.record({ does: fc.constant('replace' as const), size, pick, usage }),
  fc.record({ does: fc.constant('rename' as const), pick, name }),
  fc.record({ does: fc.constant('remove' as const), pick }),
  fc.record({ does: fc.constant('clear' as const), pick, node }),
  fc.record({ does: fc.constant('rewrap' as const), pick, kekId: fc.constantFrom('k1', 'k2') }),
  fc.record({ does: fc.constant('relocate' as const), pick, usage }),
  fc.record({ does: fc.constant('reopen' as const) }),
);
type Command = typeof command extends fc.Arbitrary<infer Value> ? Value : never;

/** The index as anyone would write it if it had to be neither durable nor fast. */
class Model {
  readonly files = new Map<string, StoredFile>();
  readonly garbage = new Map<string, number[]>();

  at(index: number): StoredFile | undefined {
    return [...this.files.values()][index % Math.max(1, this.files.size)];
  }

  retire({ manifest }: StoredFile): void {
    if (manifest.usage.length > 0)
      this.garbage.set(
        manifest.versionId,
        manifest.usage.map((part) => part.node),
      );
  }

  usage(): NodeUsage[] {
    const parts = [...this.files.values()].flatMap(({ manifest }) => manifest.usage);
    return [0, 1, 2, 3]
      .map((number) => parts.filter((part) => part.node === number))
      .filter((group) => group.length > 0)
      .map((group) => ({
        node: group[0]!.node,
        shards: sum(group.map(({ shards }) => shards)),
        bytes: sum(group.map(({ bytes }) => bytes)),
      }));
  }
}

const sum = (numbers: number[]): number => numbers.reduce((total, next) => total + next, 0);

async function run(step: Command, model: Model, store: MetadataStore): Promise<void> {
  if (step.does === 'reopen') return;
  if (step.does === 'create') {
    const { file, manifest } = await createFile(store, step.name, step);
    model.files.set(file.id, { file, manifest });
    return;
  }
  if (step.does === 'clear') {
    const [versionId, nodes] = [...model.garbage][step.pick % Math.max(1, model.garbage.size)] ?? [];
    if (versionId === undefined) return;
    await store.clearGarbage(versionId as never, step.node, NEVER);
    const left = nodes!.filter((other) => other !== step.node);
    if (left.length > 0) model.garbage.set(versionId, left);
    else model.garbage.delete(versionId);
    return;
  }
  const current = model.at(step.pick);
  if (current !== undefined) await runOnFile(step, current, { model, store });
}

type FileCommand = Extract<Command, { does: 'replace' | 'rename' | 'remove' | 'rewrap' | 'relocate' }>;

async function runOnFile(
  step: FileCommand,
  current: StoredFile,
  { model, store }: { model: Model; store: MetadataStore },
): Promise<void> {
  const { file, manifest } = current;
  if (step.does === 'remove') {
    await store.remove(makeRemoval(file), file.versionId, NEVER);
    model.files.delete(file.id);
    model.retire(current);
  } else if (step.does === 'rename') {
    model.files.set(file.id, {
      manifest,
      file: await store.amend(file.id, makeAmendment(current, { name: step.name, updatedAt: 5 }), file.versionId, NEVER),
    });
    expect(model.files.get(file.id)!.file.name).toBe(step.name);
  } else if (step.does === 'replace') {
    const next = makeManifest(file.id, step);
    const replacement = makeReplacement(file, next, { lastPage: LAST_PAGE, updatedAt: 6, expected: file.versionId });
    await store.commit(replacement, NEVER);
    const { revision } = replacement;
    const after = { ...file, versionId: next.versionId, size: next.size, updatedAt: 6, revision };
    model.files.set(file.id, { manifest: next, file: after });
    model.retire(current);
  } else if (step.does === 'relocate') {
    const recordNodes = step.usage.map((part) => part.node);
    const relocation = makeRelocation(current, { usage: step.usage, recordNodes, pages: [LAST_PAGE] });
    model.files.set(file.id, await store.relocate(relocation, NEVER));
    expect(model.files.get(file.id)).toMatchObject({ manifest: { usage: step.usage }, file: { name: file.name } });
  } else {
    const wrappedKey = new Uint8Array(61).fill(step.pick);
    const wrapped = { kekId: step.kekId, wrappedKey };
    const after = await store.amend(file.id, makeAmendment(current, { wrapped }), undefined, NEVER);
    model.files.set(file.id, { file: after, manifest: { ...manifest, seal: { ...manifest.seal, ...wrapped } } });
  }
}

async function expectSame(model: Model, store: MetadataStore): Promise<void> {
  const stored = [...model.files.values()];
  const files = stored.map(({ file }) => file).sort(compareByName);
  for (const owner of OWNERS) {
    const own = files.filter((file) => file.owner === owner);
    expect((await store.list({ owner, order: 'name', prefix: '', limit: 1000 }, NEVER)).files).toEqual(own);
    expect((await store.list({ owner, order: '-name', prefix: 'a', limit: 1000 }, NEVER)).files).toEqual(
      own.filter((file) => file.name.startsWith('a')).toReversed(),
    );
    const ids = own.map(({ id }) => id).toSorted();
    const byCreation = await store.list({ owner, order: 'createdAt', prefix: '', limit: 1000 }, NEVER);
    expect(byCreation.files.map(({ id }) => id)).toEqual(ids);
    expect(await store.usageOf(owner, NEVER)).toEqual({ files: own.length, bytes: sum(own.map((file) => file.size)) });
  }
  expect((await collect(store.files(NEVER))).map(({ file }) => file.id)).toEqual(files.map(({ id }) => id).toSorted());
  for (const one of stored) expect(await store.find(one.file.id, NEVER)).toEqual(one);
  expect(await store.usage(NEVER)).toEqual(model.usage());
  expect(new Map((await collect(store.garbage(NEVER))).map(({ versionId, nodes }) => [versionId, nodes]))).toEqual(model.garbage);
  for (const kekId of ['k1', 'k2']) {
    const wrapped = stored.map(({ manifest }) => manifest).filter(({ seal }) => seal.kekId === kekId);
    expect(new Set(await store.wrappedBy(kekId, 1000, NEVER))).toEqual(new Set(wrapped));
  }
}

/** An engine with an empty place for an index. */
interface Place {
  readonly open: (mayCreate: boolean) => Promise<MetadataStore>;
  readonly dispose: () => Promise<void>;
}

async function lmdbPlace(): Promise<Place> {
  const directory = await mkdtemp(join(MEMORY_DISK, 'metadata-model-'));
  const clusterId = newId<ClusterId>();
  return {
    open: (mayCreate) => LmdbMetadataStore.open({ directory, clusterId, mayCreate }),
    dispose: () => rm(directory, { recursive: true }),
  };
}

let server: PostgresServer | undefined;

async function postgresPlace(): Promise<Place> {
  server ??= await PostgresServer.start();
  const url = server.url();
  const clusterId = newId<ClusterId>();
  const schema = `m_${clusterId.replaceAll('-', '')}`;
  return {
    open: (mayCreate) => openPostgresStore(url, { clusterId, schema, mayCreate, connections: 2 }),
    dispose: () => Promise.resolve(),
  };
}

afterAll(() => server?.dispose());

it.each([
  ['embedded', lmdbPlace, 40],
  ['postgres', postgresPlace, 25],
] as const)('does what a simple model does, through any sequence of commands: %s', async (_, makePlace, numRuns) => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), async (steps) => {
      const place = await makePlace();
      let store = await place.open(true);
      try {
        const model = new Model();
        for (const step of steps) {
          await run(step, model, store);
          if (step.does === 'reopen') {
            await store.close();
            store = await place.open(false);
          }
        }
        await expectSame(model, store);
        expect(await store.sweepStaged(() => false, NEVER)).toBe(0);
      } finally {
        await store.close();
        await place.dispose();
      }
    }),
    { numRuns },
  );
});
