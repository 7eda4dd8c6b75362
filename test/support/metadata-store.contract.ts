import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { errorCode } from '../../src/common/errors.js';
import { newId, STORE_OWNER } from '../../src/common/ids.js';
import type { FileId, OwnerId, VersionId } from '../../src/common/ids.js';
import type { FileRecord, ListOrder, ListQuery, MetadataStore, NodeUsage } from '../../src/metadata/metadata-store.js';
import {
  NEVER,
  USAGE,
  collect,
  compareByName,
  compareUtf8,
  createFile,
  makeAmendment,
  makeCreation,
  makeManifest,
  makeRelocation,
  makeRemoval,
  makeReplacement,
  nextRevision,
  removeFile,
} from './metadata-fixtures.js';

export interface MetadataHarness {
  /** Opens the store, or opens it again after it was closed: with everything that was in it. */
  open(): Promise<MetadataStore>;
  dispose(): Promise<void>;
}

const PAGE = { page: 0, bytes: Uint8Array.of(9) };

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const [result] = await Promise.allSettled([work]);
  if (result.status === 'fulfilled') return 'none';
  return errorCode(result.reason) ?? String(result.reason);
}

async function listAll(store: MetadataStore, query: ListQuery): Promise<FileRecord[]> {
  const files: FileRecord[] = [];
  for (let cursor: Uint8Array | undefined; ;) {
    const page = await store.list({ ...query, ...(cursor && { cursor }) }, NEVER);
    expect(page.files.length).toBeLessThanOrEqual(query.limit);
    files.push(...page.files);
    if (page.nextCursor === undefined) return files;
    expect(page.files).toHaveLength(query.limit);
    cursor = page.nextCursor;
  }
}

const names = (files: readonly FileRecord[]): string[] => files.map(({ name }) => name);

/** What every adapter of MetadataStore must keep. The factory makes an empty store's place; each case has its own. */
export function describeMetadataStore(title: string, makeHarness: () => Promise<MetadataHarness>): void {
  describe(`${title} keeps the contract of MetadataStore`, () => {
    let harness: MetadataHarness;
    let store: MetadataStore;

    beforeEach(async () => {
      harness = await makeHarness();
      store = await harness.open();
    });

    afterEach(async () => {
      await store.close();
      await harness.dispose();
    });

    describe('files', () => {
      it('finds what it committed, and nothing else', async () => {
        const { file, manifest } = await createFile(store, 'a.txt', { size: 2 ** 53 - 1000 });
        expect(await store.find(file.id, NEVER)).toEqual({ file, manifest });
        expect(await store.find(newId<FileId>(), NEVER)).toBeUndefined();
        expect(await store.isCommitted(manifest.versionId, NEVER)).toBe(true);
        expect(await store.isCommitted(newId<VersionId>(), NEVER)).toBe(false);
      });

      it('gives a file new content and makes the old version garbage', async () => {
        const { file, manifest: old } = await createFile(store, 'a');
        const manifest = makeManifest(file.id, { size: 5, usage: [{ node: 2, shards: 1, bytes: 95 }] });
        const replacement = makeReplacement(file, manifest, { lastPage: PAGE, updatedAt: 7, expected: old.versionId });
        const { file: replaced, replaced: before } = await store.commit(replacement, NEVER);
        expect(before).toEqual(old);
        const { revision } = replacement;
        expect(replaced).toEqual({ ...file, size: 5, versionId: manifest.versionId, updatedAt: 7, revision });
        expect(await store.find(file.id, NEVER)).toEqual({ file: replaced, manifest });
        expect(await store.isCommitted(old.versionId, NEVER)).toBe(false);
        expect(await collect(store.garbage(NEVER))).toEqual([{ versionId: old.versionId, nodes: [1, 4], pages: 1 }]);
      });

      it('renames with new content in the same step', async () => {
        const { file } = await createFile(store, 'old');
        const manifest = makeManifest(file.id);
        const change = { lastPage: PAGE, updatedAt: 7, name: 'new', contentType: 'image/png' };
        const { file: replaced } = await store.commit(makeReplacement(file, manifest, change), NEVER);
        const { files } = await store.list({ owner: STORE_OWNER, order: 'name', prefix: '', limit: 10 }, NEVER);
        expect(files).toEqual([replaced]);
        expect(replaced).toMatchObject({ name: 'new', contentType: 'image/png', versionId: manifest.versionId, updatedAt: 7 });
      });

      it('renames, and lists only the new name', async () => {
        const { file, manifest } = await createFile(store, 'old');
        const renaming = makeAmendment({ file, manifest }, { name: 'new', updatedAt: 9, recordNodes: [7, 8] });
        const updated = await store.amend(file.id, renaming, manifest.versionId, NEVER);
        expect(updated).toEqual({ ...file, name: 'new', updatedAt: 9, revision: renaming.revision });
        expect(await store.find(file.id, NEVER)).toEqual({ file: updated, manifest: { ...manifest, recordNodes: [7, 8] } });
        expect(await listAll(store, { owner: STORE_OWNER, order: 'name', prefix: '', limit: 2 })).toEqual([updated]);
        const typing = makeAmendment({ file: updated, manifest }, { contentType: 'a/b', updatedAt: 10 });
        const typed = await store.amend(file.id, typing, undefined, NEVER);
        expect(await listAll(store, { owner: STORE_OWNER, order: 'name', prefix: 'new', limit: 2 })).toEqual([typed]);
      });

      it('forgets a removed file at once and for ever', async () => {
        const { file, manifest } = await createFile(store, 'a');
        expect(await store.remove(makeRemoval(file), manifest.versionId, NEVER)).toEqual({ file, manifest });
        expect(await store.find(file.id, NEVER)).toBeUndefined();
        expect(await store.isCommitted(manifest.versionId, NEVER)).toBe(false);
        expect(await store.wrappedBy('key-1', 10, NEVER)).toEqual([]);
        for (const order of ['name', 'createdAt'] as const)
          expect(await listAll(store, { owner: STORE_OWNER, order, prefix: '', limit: 2 })).toEqual([]);
        expect(await codeOf(store.remove(makeRemoval(file), undefined, NEVER))).toBe('file-not-found');
      });

      it('refuses what is not there or not current, and changes nothing', async () => {
        const { file, manifest } = await createFile(store, 'a');
        const replacement = makeManifest(file.id);
        const wrong = newId<VersionId>();
        const replace = makeReplacement(file, replacement, { lastPage: PAGE, name: 'b' });
        const renaming = makeAmendment({ file, manifest }, { name: 'b' });
        expect(await codeOf(store.commit({ ...replace, expected: wrong }, NEVER))).toBe('precondition-failed');
        expect(await codeOf(store.amend(file.id, renaming, wrong, NEVER))).toBe('precondition-failed');
        expect(await codeOf(store.remove(makeRemoval(file), wrong, NEVER))).toBe('precondition-failed');
        const stale = { ...file, revision: file.revision - 1 };
        expect(await codeOf(store.commit({ ...replace, basis: stale.revision }, NEVER))).toBe('ERR_STALE_BASIS');
        expect(await codeOf(store.amend(file.id, { ...renaming, basis: stale.revision }, undefined, NEVER))).toBe(
          'ERR_STALE_BASIS',
        );
        expect(await codeOf(store.remove(makeRemoval(stale), undefined, NEVER))).toBe('ERR_STALE_BASIS');
        const absent = newId<FileId>();
        expect(
          await codeOf(store.commit({ ...replace, fileId: absent, manifest: { ...replacement, fileId: absent } }, NEVER)),
        ).toBe('file-not-found');
        expect(await codeOf(store.amend(absent, renaming, undefined, NEVER))).toBe('file-not-found');
        expect(await collect(store.tombstones(NEVER))).toEqual([]);
        expect(await store.find(file.id, NEVER)).toEqual({ file, manifest });
        expect(await store.isCommitted(replacement.versionId, NEVER)).toBe(false);
        expect(await store.readLayout(replacement.versionId, 0, NEVER)).toBeUndefined();
        expect(await store.usage(NEVER)).toEqual(USAGE);
        expect(await collect(store.garbage(NEVER))).toEqual([]);
      });

      it('lets one of many win that all expect the same version', async () => {
        const { file, manifest } = await createFile(store, 'a');
        const rivals = Array.from({ length: 30 }, (_, index) =>
          makeManifest(file.id, { usage: [{ node: index, shards: 1, bytes: 1 }] }),
        );
        const results = await Promise.allSettled(
          rivals.map((rival) =>
            store.commit(makeReplacement(file, rival, { lastPage: PAGE, expected: manifest.versionId }), NEVER),
          ),
        );
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        const found = await store.find(file.id, NEVER);
        const winner = rivals.find(({ versionId }) => versionId === found!.file.versionId)!;
        expect(await store.usage(NEVER)).toEqual(winner.usage);
        expect(await collect(store.garbage(NEVER))).toHaveLength(1);
      });

      it('lets a removal and a replacement race without a trace of the loser', async () => {
        for (let round = 0; round < 20; round++) {
          const { file, manifest } = await createFile(store, 'a', { usage: [] });
          const rival = makeManifest(file.id, { usage: [] });
          const expected = manifest.versionId;
          const replace = store.commit(makeReplacement(file, rival, { lastPage: PAGE, expected }), NEVER);
          const codes = await Promise.all([codeOf(store.remove(makeRemoval(file), expected, NEVER)), codeOf(replace)]);
          expect(codes.filter((code) => code === 'none')).toHaveLength(1);
          expect((await store.find(file.id, NEVER)) === undefined).toBe(codes[0] === 'none');
        }
      });

      it('refuses to make a file or a version twice', async () => {
        const creation = await createFile(store, 'a');
        expect(await codeOf(store.commit(creation, NEVER))).not.toBe('none');
        const other = makeCreation('b');
        const reused = { ...other, manifest: { ...other.manifest, versionId: creation.manifest.versionId } };
        expect(
          await codeOf(store.commit({ ...reused, file: { ...other.file, versionId: creation.manifest.versionId } }, NEVER)),
        ).not.toBe('none');
        expect(names(await listAll(store, { owner: STORE_OWNER, order: 'name', prefix: '', limit: 5 }))).toEqual(['a']);
      });
    });

    describe('lists', () => {
      const ORDERS: readonly ListOrder[] = ['name', '-name', 'createdAt', '-createdAt'];
      const NAMES = [
        'a',
        'a',
        'a',
        'ab',
        'a!',
        'b',
        'Z',
        'ä',
        'é',
        'z',
        '\u{1F600}',
        '\uFF5E',
        '日本',
        'ÿ',
        'a b',
        '~',
        'x'.repeat(1024),
        '€'.repeat(341),
      ];

      it('pages through every order at every page size like a sorted array', async () => {
        const files = (await Promise.all(NAMES.map((name) => createFile(store, name)))).map(({ file }) => file);
        const byName = files.toSorted(compareByName);
        const byId = files.toSorted((left, right) => compareUtf8(left.id, right.id));
        const model = { name: byName, '-name': byName.toReversed(), createdAt: byId, '-createdAt': byId.toReversed() };
        for (const order of ORDERS) {
          for (const limit of [1, 2, 3, NAMES.length - 1, NAMES.length, 100]) {
            expect(await listAll(store, { owner: STORE_OWNER, order, prefix: '', limit })).toEqual(model[order]);
          }
        }
      });

      it.each([
        '',
        'a',
        'ab',
        'a!',
        'ä',
        '€',
        '\u{1F600}',
        'ÿ',
        'zz',
        'x'.repeat(1024),
        'x'.repeat(1025),
        'x'.repeat(5000),
        '\u{10FFFF}',
        'a\u0000',
      ])('lists the names that begin with %p, forwards and backwards', async (prefix) => {
        const made = await Promise.all([...NAMES, '\u{10FFFF}', '\u{10FFFF}a'].map((name) => createFile(store, name)));
        const expected = made
          .map(({ file }) => file)
          .filter(({ name }) => name.startsWith(prefix))
          .sort(compareByName);
        for (const limit of [1, 2, 50]) {
          expect(await listAll(store, { owner: STORE_OWNER, order: 'name', prefix, limit })).toEqual(expected);
          expect(await listAll(store, { owner: STORE_OWNER, order: '-name', prefix, limit })).toEqual(expected.toReversed());
        }
      });

      it.each(ORDERS)('goes on after the same place in order %s, though the files there are gone', async (order) => {
        const made = await Promise.all(['a', 'b', 'b', 'c', 'd', 'e'].map((name) => createFile(store, name)));
        const all = await listAll(store, { owner: STORE_OWNER, order, prefix: '', limit: 10 });
        const first = await store.list({ owner: STORE_OWNER, order, prefix: '', limit: 3 }, NEVER);
        await removeFile(store, all[2]!.id);
        await removeFile(store, all[3]!.id);
        const second = await store.list({ owner: STORE_OWNER, order, prefix: '', limit: 3, cursor: first.nextCursor! }, NEVER);
        expect(second.files).toEqual(all.slice(4));
        expect(second.nextCursor).toBeUndefined();
        for (const { file } of made) await removeFile(store, file.id).catch(() => undefined);
        expect(await store.list({ owner: STORE_OWNER, order, prefix: '', limit: 3, cursor: first.nextCursor! }, NEVER)).toEqual({
          files: [],
        });
      });

      it('gives no cursor with a page that is the last and full', async () => {
        await createFile(store, 'a');
        expect((await store.list({ owner: STORE_OWNER, order: 'name', prefix: '', limit: 1 }, NEVER)).nextCursor).toBeUndefined();
        expect(await store.list({ owner: STORE_OWNER, order: 'name', prefix: 'q', limit: 1 }, NEVER)).toEqual({ files: [] });
      });

      it('refuses cursors that it never gave', async () => {
        await Promise.all(['a', 'b', 'c'].map((name) => createFile(store, name)));
        const { nextCursor } = await store.list({ owner: STORE_OWNER, order: 'name', prefix: '', limit: 1 }, NEVER);
        const cursor = nextCursor!;
        const hostile = [
          new Uint8Array(0),
          Uint8Array.of(0),
          Buffer.alloc(17),
          Buffer.alloc(5000, 1),
          cursor.subarray(1),
          cursor.subarray(0, -1),
          Buffer.concat([cursor, cursor]),
        ];
        for (const order of ORDERS) {
          for (const bytes of hostile) {
            // 17 bytes of zeros may be the cursor of an id in one order; then it must at least do no harm.
            const code = await codeOf(store.list({ owner: STORE_OWNER, order, prefix: '', limit: 1, cursor: bytes }, NEVER));
            if (bytes.length !== 17) expect([order, code]).toEqual([order, 'invalid-cursor']);
          }
          if (order !== 'name')
            expect(await codeOf(store.list({ owner: STORE_OWNER, order, prefix: '', limit: 1, cursor }, NEVER))).toBe(
              'invalid-cursor',
            );
        }
      });
    });

    describe('layouts and garbage', () => {
      it('keeps the layout of 20,000 stripes that was staged in pieces', async () => {
        const creation = makeCreation('big');
        const { versionId } = creation.manifest;
        const pages = Array.from({ length: 20 }, (_, page) => ({ page, bytes: new Uint8Array(1000 * 6).fill(page + 1) }));
        await Promise.all(
          pages
            .slice(0, -1)
            .toReversed()
            .map((page) => store.stageLayout(versionId, page, NEVER)),
        );
        expect(await store.isCommitted(versionId, NEVER)).toBe(false);
        await store.commit({ ...creation, lastPage: pages.at(-1)! }, NEVER);
        for (const { page, bytes } of pages)
          expect(Buffer.compare((await store.readLayout(versionId, page, NEVER))!, bytes)).toBe(0);
        expect(await store.readLayout(versionId, 20, NEVER)).toBeUndefined();
        expect(await store.readLayout(newId<VersionId>(), 0, NEVER)).toBeUndefined();
        await removeFile(store, creation.file.id);
        expect(await collect(store.garbage(NEVER))).toEqual([{ versionId, nodes: [1, 4], pages: 20 }]);
        expect(await store.readLayout(versionId, 19, NEVER)).toHaveLength(6000);
        await store.clearGarbage(versionId, 4, NEVER);
        await store.clearGarbage(versionId, 4, NEVER);
        await store.clearGarbage(versionId, 77, NEVER);
        expect(await collect(store.garbage(NEVER))).toEqual([{ versionId, nodes: [1], pages: 20 }]);
        expect(await store.readLayout(versionId, 0, NEVER)).toHaveLength(6000);
        await store.clearGarbage(versionId, 1, NEVER);
        expect(await collect(store.garbage(NEVER))).toEqual([]);
        for (const { page } of pages) expect(await store.readLayout(versionId, page, NEVER)).toBeUndefined();
      });

      it('does not commit a version of which a layout page is missing', async () => {
        const creation = makeCreation('a');
        await store.stageLayout(creation.manifest.versionId, { page: 0, bytes: Uint8Array.of(1) }, NEVER);
        expect(await codeOf(store.commit({ ...creation, lastPage: { page: 2, bytes: Uint8Array.of(1) } }, NEVER))).not.toBe(
          'none',
        );
        expect(await store.find(creation.file.id, NEVER)).toBeUndefined();
      });

      it('keeps an empty page, and gives bytes that are the caller’s own', async () => {
        const creation = makeCreation('empty', { usage: [], size: 0 });
        await store.commit({ ...creation, lastPage: { page: 0, bytes: new Uint8Array(0) } }, NEVER);
        expect(await store.readLayout(creation.manifest.versionId, 0, NEVER)).toHaveLength(0);
        const { manifest } = await createFile(store, 'a');
        const page = (await store.readLayout(manifest.versionId, 0, NEVER))!;
        page.fill(0);
        expect([...(await store.readLayout(manifest.versionId, 0, NEVER))!]).toEqual([1, 2, 3]);
      });

      it('makes no garbage of a version that lies on no node', async () => {
        const { file, manifest } = await createFile(store, 'empty', { usage: [] });
        await removeFile(store, file.id);
        expect(await collect(store.garbage(NEVER))).toEqual([]);
        expect(await store.readLayout(manifest.versionId, 0, NEVER)).toBeUndefined();
      });

      it('makes an abandoned upload garbage, which can never be committed', async () => {
        const creation = makeCreation('a');
        const { versionId } = creation.manifest;
        await store.stageLayout(versionId, { page: 0, bytes: Uint8Array.of(5) }, NEVER);
        await store.abandon({ versionId, nodes: [3, 3, 2] }, { page: 1, bytes: Uint8Array.of(6) }, NEVER);
        const [garbage] = await collect(store.garbage(NEVER));
        expect({ ...garbage!, nodes: garbage!.nodes.toSorted() }).toEqual({ versionId, nodes: [2, 3], pages: 2 });
        expect([...(await store.readLayout(versionId, 1, NEVER))!]).toEqual([6]);
        expect(await codeOf(store.commit(creation, NEVER))).not.toBe('none');
        expect(await store.find(creation.file.id, NEVER)).toBeUndefined();
        expect(await store.usage(NEVER)).toEqual([]);
        const committed = await createFile(store, 'b');
        expect(await codeOf(store.abandon({ versionId: committed.manifest.versionId, nodes: [1] }, PAGE, NEVER))).not.toBe(
          'none',
        );
      });

      it('tells all garbage, while it is being cleared', async () => {
        const versions = Array.from({ length: 700 }, () => newId<VersionId>());
        await Promise.all(versions.map((versionId) => store.abandon({ versionId, nodes: [1] }, PAGE, NEVER)));
        const seen = new Set<VersionId>();
        for await (const { versionId } of store.garbage(NEVER)) {
          seen.add(versionId);
          if (seen.size % 3 === 0) await store.clearGarbage(versionId, 1, NEVER);
        }
        expect(seen).toEqual(new Set(versions));
        expect(await collect(store.garbage(NEVER))).toHaveLength(700 - 233);
        for await (const garbage of store.garbage(NEVER)) if (garbage.nodes.length === 1) break;
        await Promise.all(versions.map((versionId) => store.clearGarbage(versionId, 1, NEVER)));
        expect(await collect(store.garbage(NEVER))).toEqual([]);
      });

      it('sweeps the pages of dead uploads and no others', async () => {
        const committed = await createFile(store, 'a');
        const [abandoned, live, dead] = [newId<VersionId>(), newId<VersionId>(), newId<VersionId>()];
        await store.abandon({ versionId: abandoned, nodes: [1] }, PAGE, NEVER);
        await store.stageLayout(live, PAGE, NEVER);
        const many = Array.from({ length: 600 }, () => newId<VersionId>());
        await Promise.all(many.map((versionId) => store.stageLayout(versionId, PAGE, NEVER)));
        for (const page of [0, 1, 2]) await store.stageLayout(dead, { page, bytes: Uint8Array.of(1) }, NEVER);
        expect(await store.sweepStaged((versionId) => versionId === live, NEVER)).toBe(603);
        for (const page of [0, 1, 2]) expect(await store.readLayout(dead, page, NEVER)).toBeUndefined();
        for (const versionId of [committed.manifest.versionId, abandoned, live])
          expect(await store.readLayout(versionId, 0, NEVER)).toBeDefined();
        expect(await store.sweepStaged(() => false, NEVER)).toBe(1);
        expect(await store.sweepStaged(() => false, NEVER)).toBe(0);
      });

      it('never sweeps the pages of a version that is committed meanwhile, though it is said to be dead', async () => {
        const creations = Array.from({ length: 50 }, (_, index) => makeCreation(`f${index}`));
        await Promise.all(creations.map(({ manifest }) => store.stageLayout(manifest.versionId, PAGE, NEVER)));
        const commits = creations.map((creation) =>
          codeOf(store.commit({ ...creation, lastPage: { page: 1, bytes: Uint8Array.of(1) } }, NEVER)),
        );
        const [removed, ...codes] = await Promise.all([store.sweepStaged(() => false, NEVER), ...commits]);
        expect(removed).toBe(codes.filter((code) => code !== 'none').length);
        for (const [index, { manifest }] of creations.entries()) {
          expect((await store.readLayout(manifest.versionId, 0, NEVER)) !== undefined).toBe(codes[index] === 'none');
        }
      });
    });

    describe('keys and counters', () => {
      it('tells which versions a key wraps, and only by its whole id', async () => {
        const made = await Promise.all(['k', 'k', 'k', 'k2', 'kk'].map((kekId) => createFile(store, 'a', { kekId })));
        const ofKey = made.slice(0, 3).map(({ manifest }) => manifest);
        expect(new Set(await store.wrappedBy('k', 10, NEVER))).toEqual(new Set(ofKey));
        expect(await store.wrappedBy('k', 2, NEVER)).toHaveLength(2);
        expect(await store.wrappedBy('', 10, NEVER)).toEqual([]);
      });

      it('wraps a version anew once of many, and never one that is gone', async () => {
        const { file, manifest } = await createFile(store, 'a');
        const change = (fill: number) =>
          makeAmendment({ file, manifest }, { wrapped: { kekId: `key-${fill}`, wrappedKey: new Uint8Array(61).fill(fill) } });
        const results = await Promise.all([2, 3, 4].map((fill) => codeOf(store.amend(file.id, change(fill), undefined, NEVER))));
        expect(results.toSorted()).toEqual(['ERR_STALE_BASIS', 'ERR_STALE_BASIS', 'none']);
        const fill = results.indexOf('none') + 2;
        const seal = { ...manifest.seal, kekId: `key-${fill}`, wrappedKey: new Uint8Array(61).fill(fill) };
        expect((await store.find(file.id, NEVER))?.manifest).toEqual({ ...manifest, seal });
        expect(await store.wrappedBy('key-1', 10, NEVER)).toEqual([]);
        expect(await store.wrappedBy(seal.kekId, 10, NEVER)).toEqual([{ ...manifest, seal }]);
        await removeFile(store, file.id);
        expect(await codeOf(store.amend(file.id, change(9), undefined, NEVER))).toBe('file-not-found');
        expect(await store.wrappedBy(seal.kekId, 10, NEVER)).toEqual([]);
        expect(await store.wrappedBy('key-9', 10, NEVER)).toEqual([]);
      });

      it('wraps anew by the same key id', async () => {
        const creation = await createFile(store, 'a');
        const wrapped = { kekId: 'key-1', wrappedKey: new Uint8Array(61) };
        await store.amend(creation.file.id, makeAmendment(creation, { wrapped }), undefined, NEVER);
        expect(await store.wrappedBy('key-1', 10, NEVER)).toHaveLength(1);
      });

      it('counts what each node holds, exactly, through any mix of concurrent changes', async () => {
        const usageOf = (seed: number): NodeUsage[] => [
          { node: seed % 5, shards: 1 + (seed % 3), bytes: seed * 2 ** 30 },
          { node: 5 + (seed % 70_000), shards: 2, bytes: seed },
        ];
        const made = await Promise.all(
          Array.from({ length: 120 }, (_, index) => createFile(store, 'a', { usage: usageOf(index) })),
        );
        const current = new Map(made.map(({ file, manifest }) => [file.id, manifest.usage]));
        await Promise.all(
          made.map(async ({ file }, index) => {
            if (index % 3 === 0) {
              await removeFile(store, file.id);
              current.delete(file.id);
            } else if (index % 3 === 1) {
              const manifest = makeManifest(file.id, { usage: usageOf(index * 7) });
              await store.commit(makeReplacement(file, manifest, { lastPage: PAGE }), NEVER);
              current.set(file.id, manifest.usage);
            }
          }),
        );
        const model = new Map<number, NodeUsage>();
        for (const { node, shards, bytes } of [...current.values()].flat()) {
          const before = model.get(node) ?? { node, shards: 0, bytes: 0 };
          model.set(node, { node, shards: before.shards + shards, bytes: before.bytes + bytes });
        }
        const byNode = (left: NodeUsage, right: NodeUsage): number => left.node - right.node;
        expect((await store.usage(NEVER)).toSorted(byNode)).toEqual([...model.values()].sort(byNode));
        await Promise.all([...current.keys()].map((id) => removeFile(store, id)));
        expect(await store.usage(NEVER)).toEqual([]);
      });
    });

    describe('revisions and tombstones', () => {
      it('gives revisions that only grow, also to many at once and after it was opened again', async () => {
        const given: number[] = [];
        for (let round = 0; round < 3; round++) {
          given.push(...(await Promise.all(Array.from({ length: 500 }, () => store.nextRevision(NEVER)))));
          expect(await store.revisionCeiling(NEVER)).toBeGreaterThanOrEqual(given.at(-1)!);
          await store.close();
          store = await harness.open();
        }
        expect(given.toSorted((a, b) => a - b)).toEqual(given);
        expect(new Set(given).size).toBe(given.length);
        expect(await store.revisionCeiling(NEVER)).toBeGreaterThanOrEqual(given.at(-1)!);
      });

      it('gives none that a node is known to have', async () => {
        const far = (await store.nextRevision(NEVER)) + 10 ** 12;
        await store.raiseRevision(far, NEVER);
        await store.raiseRevision(1, NEVER);
        expect(await store.nextRevision(NEVER)).toBeGreaterThan(far);
        await store.close();
        store = await harness.open();
        expect(await store.nextRevision(NEVER)).toBeGreaterThan(far);
      });

      it('keeps the tombstone of a removed file until it is dropped, and only that one', async () => {
        const { file } = await createFile(store, 'a');
        const removal = makeRemoval(file, [2, 3]);
        await store.remove(removal, undefined, NEVER);
        expect(await store.findTombstone(file.id, NEVER)).toEqual(removal.tombstone);
        await store.dropTombstone({ ...removal.tombstone, revision: removal.tombstone.revision + 1 }, NEVER);
        expect(await collect(store.tombstones(NEVER))).toEqual([removal.tombstone]);
        await store.dropTombstone(removal.tombstone, NEVER);
        expect(await store.findTombstone(file.id, NEVER)).toBeUndefined();
      });

      it('takes a tombstone for a file that it does not have, and none for one that it has', async () => {
        const { file } = await createFile(store, 'a');
        const tombstone = { fileId: file.id, revision: nextRevision(), kekId: 'k', nodes: [1] };
        expect(await store.addTombstone(tombstone, NEVER)).toBe(false);
        expect(await store.findTombstone(file.id, NEVER)).toBeUndefined();
        const other = { ...tombstone, fileId: newId<FileId>() };
        expect(await store.addTombstone(other, NEVER)).toBe(true);
        expect(await store.addTombstone({ ...other, revision: 1 }, NEVER)).toBe(true);
        expect(await store.findTombstone(other.fileId, NEVER)).toEqual(other);
      });

      it('remembers how far a node was swept, and never less', async () => {
        expect(await store.sweptThrough(3, NEVER)).toBe(0);
        await store.noteSwept(3, 50, NEVER);
        await store.noteSwept(3, 40, NEVER);
        expect(await store.sweptThrough(3, NEVER)).toBe(50);
        expect(await store.sweptThrough(4, NEVER)).toBe(0);
      });

      it('remembers through which revision all is settled, and never less', async () => {
        expect(await store.settledThrough(NEVER)).toBe(0);
        await store.noteSettled(7, NEVER);
        await store.noteSettled(5, NEVER);
        await store.close();
        store = await harness.open();
        expect(await store.settledThrough(NEVER)).toBe(7);
      });

      it('finds a file by its current version alone', async () => {
        const { file, manifest } = await createFile(store, 'a');
        const next = makeManifest(file.id);
        await store.commit(makeReplacement(file, next, { lastPage: PAGE }), NEVER);
        expect(await store.findByVersion(manifest.versionId, NEVER)).toBeUndefined();
        expect(await store.findByVersion(next.versionId, NEVER)).toEqual(await store.find(file.id, NEVER));
      });

      it('walks over all files', async () => {
        const made = await Promise.all(Array.from({ length: 600 }, (_, index) => createFile(store, `f${index}`)));
        const ids = (await collect(store.files(NEVER))).map(({ file }) => file.id);
        expect(ids).toEqual(made.map(({ file }) => file.id).toSorted());
      });
    });

    describe('damage', () => {
      it('is kept until it is cleared, each once, by version, and no more of it than was allowed', async () => {
        const [zeroth, first, second] = [newId<VersionId>(), newId<VersionId>(), newId<VersionId>()] as const;
        const at = (versionId: VersionId, stripe: number, node: number) => ({ node, shard: { versionId, stripe, index: 1 } });
        const all = [at(zeroth, 3, 7), at(first, 2, 3), at(first, 2 ** 40, 1), at(second, 0, 300)];
        await store.noteDamage(all.toReversed(), 10, NEVER);
        await store.noteDamage(all, 10, NEVER);
        await store.close();
        store = await harness.open();
        expect(await collect(store.damage(NEVER))).toEqual(all);
        expect(await store.damageOf(first, NEVER)).toEqual([all[1], all[2]]);
        expect(await store.damageOf(newId<VersionId>(), NEVER)).toEqual([]);
        await store.noteDamage([at(second, 1, 1), at(second, 2, 1)], 5, NEVER);
        expect(await collect(store.damage(NEVER))).toHaveLength(5);
        await store.clearDamage([all[1]!, all[1]!, at(first, 9, 9)], NEVER);
        expect((await collect(store.damage(NEVER))).slice(0, 2)).toEqual([all[0], all[2]]);
      });

      it('remembers how far a scrub has come', async () => {
        const note = { startedAt: 1_700_000_000_000, after: newId<FileId>(), unproven: [3, 300] };
        expect(await store.scrubNote(NEVER)).toBeUndefined();
        await store.noteScrub({ ...note, startedAt: 1 }, NEVER);
        await store.noteScrub(note, NEVER);
        expect(await store.scrubNote(NEVER)).toEqual(note);
        await store.noteScrub(undefined, NEVER);
        expect(await store.scrubNote(NEVER)).toBeUndefined();
      });

      it('remembers since when everything on a node is proven', async () => {
        expect(await store.provenAt(3, NEVER)).toBeUndefined();
        await store.noteProven(3, 1_700_000_000_000, NEVER);
        await store.noteProven(3, 5, NEVER);
        expect(await store.provenAt(3, NEVER)).toBe(1_700_000_000_000);
        expect(await store.provenAt(4, NEVER)).toBeUndefined();
        await store.noteProven(4, 7, NEVER);
        await store.noteProven(3, undefined, NEVER); // what was proven is gone
        expect([await store.provenAt(3, NEVER), await store.provenAt(4, NEVER)]).toEqual([undefined, 7]);
      });
    });

    describe('relocation', () => {
      const bytes = Uint8Array.of(4, 5);

      it('changes places, counters, m and record nodes of the current version, and nothing else', async () => {
        const other = await createFile(store, 'other');
        const creation = makeCreation('a');
        const { versionId } = creation.manifest;
        for (const page of [0, 1]) await store.stageLayout(versionId, { page, bytes: Uint8Array.of(page) }, NEVER);
        await store.commit({ ...creation, lastPage: { page: 2, bytes: Uint8Array.of(2) } }, NEVER);
        const usage = [
          { node: 4, shards: 1, bytes: 900 },
          { node: 6, shards: 4, bytes: 4_100 },
        ];
        const pages = [1, 2].map((page) => ({ page, bytes }));
        const relocation = makeRelocation(creation, { m: 2, usage, recordNodes: [4, 6, 7], pages });
        const moved = await store.relocate(relocation, NEVER);
        const { revision, m, recordNodes } = relocation;
        const expected = {
          file: { ...creation.file, revision },
          manifest: { ...creation.manifest, m, usage, recordNodes },
        };
        expect(moved).toEqual(expected);
        expect(await store.find(creation.file.id, NEVER)).toEqual(expected);
        expect(await store.findByVersion(versionId, NEVER)).toEqual(expected);
        expect(await listAll(store, { owner: STORE_OWNER, order: 'name', prefix: 'a', limit: 2 })).toEqual([expected.file]);
        const layout = await Promise.all([0, 1, 2, 3].map((page) => store.readLayout(versionId, page, NEVER)));
        expect(layout.map((page) => page && [...page])).toEqual([[0], [4, 5], [4, 5], undefined]);
        const [first, second] = USAGE as [NodeUsage, NodeUsage];
        expect(await store.usage(NEVER)).toEqual([
          first,
          { node: 4, shards: second.shards + 1, bytes: second.bytes + 900 },
          { node: 6, shards: 4, bytes: 4_100 },
        ]);
        expect(await collect(store.garbage(NEVER))).toEqual([]);
        expect(await store.wrappedBy('key-1', 5, NEVER)).toEqual(expect.arrayContaining([other.manifest, expected.manifest]));
        // What the nodes keep of page 1 is of this change, of page 0 as it was; the last page has no record of its own.
        const revisions = await Promise.all([0, 1, 2].map((page) => store.layoutRevision(versionId, page, NEVER)));
        expect(revisions).toEqual([1, revision, 1]);
        await removeFile(store, creation.file.id);
        expect(await collect(store.garbage(NEVER))).toEqual([{ versionId, nodes: [4, 6, 7], pages: 3 }]);
        for (const node of [4, 6, 7]) await store.clearGarbage(versionId, node, NEVER);
        expect(await store.readLayout(versionId, 1, NEVER)).toBeUndefined();
        expect(await store.layoutRevision(versionId, 1, NEVER)).toBe(1);
        expect(await store.usage(NEVER)).toEqual(USAGE);
      });

      it('is refused for another version, from another revision and for no file, and changes nothing', async () => {
        const creation = await createFile(store, 'a');
        const relocation = makeRelocation(creation, { usage: [], pages: [{ page: 0, bytes }] });
        const other = { ...relocation, versionId: newId<VersionId>() };
        expect(await codeOf(store.relocate(other, NEVER))).toBe('precondition-failed');
        const stale = { ...relocation, basis: relocation.basis - 1 };
        expect(await codeOf(store.relocate(stale, NEVER))).toBe('ERR_STALE_BASIS');
        const absent = { ...relocation, fileId: newId<FileId>() };
        expect(await codeOf(store.relocate(absent, NEVER))).toBe('file-not-found');
        const beyond = { ...relocation, pages: [{ page: 1, bytes }] };
        expect(await codeOf(store.relocate(beyond, NEVER))).not.toBe('none');
        expect(await store.find(creation.file.id, NEVER)).toEqual({ file: creation.file, manifest: creation.manifest });
        expect([...(await store.readLayout(creation.manifest.versionId, 0, NEVER))!]).toEqual([1, 2, 3]);
        expect(await store.usage(NEVER)).toEqual(USAGE);
      });

      it('notes with which revision the whole layout was put on the nodes anew', async () => {
        const creation = makeCreation('a');
        const { versionId } = creation.manifest;
        await store.stageLayout(versionId, PAGE, NEVER);
        await store.commit({ ...creation, lastPage: { page: 1, bytes } }, NEVER);
        const amendment = makeAmendment(creation);
        await store.amend(creation.file.id, { ...amendment, layoutRevision: amendment.revision }, undefined, NEVER);
        expect(await store.layoutRevision(versionId, 0, NEVER)).toBe(amendment.revision);
      });
    });

    describe('import', () => {
      const asRecord = ({ file, manifest, lastPage }: ReturnType<typeof makeCreation>) =>
        ({ kind: 'file', file, manifest, lastPage }) as const;

      it('keeps of each page of a layout the one with the highest revision', async () => {
        const creation = makeCreation('long');
        const { versionId } = creation.manifest;
        const page = (revision: number) =>
          ({ kind: 'layout', versionId, revision, page: { page: 0, bytes: Uint8Array.of(revision) } }) as const;
        const records = [page(1), page(9), page(5), { ...asRecord(creation), lastPage: { page: 1, bytes: Uint8Array.of(7) } }];
        for (const order of [records, records.toReversed(), [...records, ...records]]) {
          const own = await makeHarness();
          const index = await own.open();
          for (const record of order) await index.importRecords([record], NEVER);
          expect([...(await index.readLayout(versionId, 0, NEVER))!]).toEqual([9]);
          expect([...(await index.readLayout(versionId, 1, NEVER))!]).toEqual([7]);
          expect(await index.layoutRevision(versionId, 0, NEVER)).toBe(9);
          await index.close();
          await own.dispose();
        }
      });

      it('comes to the same index in whatever order the records come, and however often', async () => {
        const first = makeCreation('first');
        const renamed = { ...first, file: { ...first.file, name: 'renamed', revision: nextRevision() } };
        const manifest = makeManifest(first.file.id, { usage: [{ node: 2, shards: 1, bytes: 7 }] });
        const replaced = {
          ...first,
          manifest,
          file: { ...first.file, versionId: manifest.versionId, revision: nextRevision() },
        };
        const doomed = makeCreation('doomed');
        const { tombstone } = makeRemoval(doomed.file);
        const records = [...[first, renamed, replaced, doomed].map(asRecord), { kind: 'tombstone', tombstone } as const];
        const orders = [records, records.toReversed(), [2, 0, 4, 1, 3].map((at) => records[at]!), [...records, ...records]];
        for (const order of orders) {
          const own = await makeHarness();
          const index = await own.open();
          for (const record of order) await index.importRecords([record], NEVER);
          expect(await collect(index.files(NEVER))).toEqual([{ file: replaced.file, manifest }]);
          expect(await listAll(index, { owner: STORE_OWNER, order: 'name', prefix: '', limit: 5 })).toEqual([replaced.file]);
          expect(await index.usage(NEVER)).toEqual(manifest.usage);
          expect(await collect(index.tombstones(NEVER))).toEqual([tombstone]);
          expect(await index.isCommitted(first.manifest.versionId, NEVER)).toBe(false);
          expect(await collect(index.garbage(NEVER))).toEqual([]);
          expect(await index.wrappedBy('key-1', 10, NEVER)).toEqual([manifest]);
          expect(await index.revisionCeiling(NEVER)).toBe(tombstone.revision);
          await index.close();
          const again = await own.open();
          expect(await again.revisionCeiling(NEVER)).toBe(tombstone.revision);
          expect(await again.nextRevision(NEVER)).toBeGreaterThan(tombstone.revision);
          await again.close();
          await own.dispose();
        }
      });

      it('lets a file live whose deletion was taken back', async () => {
        const creation = makeCreation('a');
        const { tombstone } = makeRemoval(creation.file);
        const later = { ...creation, file: { ...creation.file, revision: nextRevision() } };
        await store.importRecords([{ kind: 'tombstone', tombstone }, asRecord(later), asRecord(creation)], NEVER);
        expect(await collect(store.files(NEVER))).toEqual([{ file: later.file, manifest: later.manifest }]);
        expect(await collect(store.tombstones(NEVER))).toEqual([]);
      });
    });

    describe('snapshot', () => {
      const damage = { node: 1, shard: { versionId: newId<VersionId>(), stripe: 3, index: 1 } };
      const note = { startedAt: 5, after: newId<FileId>(), unproven: [2] };

      it('has everything: files of all owners, all layout pages with their revisions, tombstones, and notes', async () => {
        const stored = await createFile(store, 'a');
        const owned = await createFile(store, 'b', { owner: newId<FileId>() as string as OwnerId });
        const creation = makeCreation('large');
        const { versionId } = creation.manifest;
        for (const page of [0, 1]) await store.stageLayout(versionId, { page, bytes: Uint8Array.of(page) }, NEVER);
        await store.commit({ ...creation, lastPage: { page: 2, bytes: Uint8Array.of(2) } }, NEVER);
        await store.stageLayout(newId<VersionId>(), { page: 0, bytes: Uint8Array.of(7) }, NEVER);
        const layoutRevision = nextRevision();
        const large = await store.find(creation.file.id, NEVER);
        const amendment = makeAmendment(large!, { layoutRevision, revision: layoutRevision });
        const file = await store.amend(creation.file.id, amendment, undefined, NEVER);
        const gone = await createFile(store, 'gone');
        const tombstone = makeRemoval(gone.file).tombstone;
        await store.remove({ tombstone, basis: gone.file.revision }, undefined, NEVER);
        await store.noteDamage([damage], 10, NEVER);
        await store.noteProven(4, 77, NEVER);
        await store.noteScrub(note, NEVER);
        const entries = await collect(store.snapshot(NEVER));
        const expected = [
          { ...stored, kind: 'file' },
          { ...owned, kind: 'file' },
          { kind: 'layout', versionId, page: { page: 0, bytes: Uint8Array.of(0) }, revision: layoutRevision },
          { kind: 'layout', versionId, page: { page: 1, bytes: Uint8Array.of(1) }, revision: layoutRevision },
          { kind: 'file', file, manifest: creation.manifest, lastPage: { page: 2, bytes: Uint8Array.of(2) } },
          { kind: 'tombstone', tombstone },
          { kind: 'damage', damage },
          { kind: 'proven', node: 4, at: 77 },
          { kind: 'scrub', note },
        ];
        expect(entries).toHaveLength(expected.length);
        for (const entry of expected) expect(entries).toContainEqual(entry);
      });

      it('is of one moment, whatever is changed while it is read', async () => {
        const before = [];
        for (let number = 0; number < 600; number += 1) before.push(createFile(store, `f${number}`));
        const files = (await Promise.all(before)).map(({ file }) => file);
        const names = new Set<string>();
        for await (const entry of store.snapshot(NEVER)) {
          if (entry.kind !== 'file') throw new Error(`a ${entry.kind} was made later`);
          if (names.size === 0) {
            for (const file of files.slice(300)) await removeFile(store, file.id);
            await createFile(store, 'later');
            for (const { id } of files.slice(0, 300)) {
              const found = await store.find(id, NEVER);
              await store.amend(id, makeAmendment(found!, { name: 'renamed' }), undefined, NEVER);
            }
          }
          names.add(entry.file.name);
        }
        expect([...names].sort()).toEqual(files.map(({ name }) => name).sort());
        const now = await collect(store.snapshot(NEVER));
        expect(now.filter(({ kind }) => kind === 'file')).toHaveLength(301);
      });

      it('may be left in the middle, and ends when its caller leaves or the store is closed', async () => {
        for (let number = 0; number < 600; number += 1) await createFile(store, `f${number}`);
        for await (const entry of store.snapshot(NEVER)) {
          expect(entry.kind).toBe('file');
          break;
        }
        const leaving = new AbortController();
        const left = (async () => {
          for await (const entry of store.snapshot(leaving.signal)) if (entry.kind === 'file') leaving.abort(new Error('left'));
        })();
        await expect(left).rejects.toThrow('left');
        const closed = (async () => {
          for await (const entry of store.snapshot(NEVER)) if (entry.kind === 'file') await store.close();
        })();
        expect(await codeOf(closed)).toBe('index-unavailable');
        store = await harness.open();
        expect(await collect(store.snapshot(NEVER))).toHaveLength(600);
      });
    });

    describe('life', () => {
      it('takes 1,000 concurrent commits and shows each as soon as it resolved', async () => {
        const creations = Array.from({ length: 1000 }, (_, index) => makeCreation(`file-${String(index).padStart(4, '0')}`));
        await Promise.all(
          creations.map(async (creation) => {
            await store.commit(creation, NEVER);
            expect((await store.find(creation.file.id, NEVER))?.file).toEqual(creation.file);
          }),
        );
        const listed = await listAll(store, { owner: STORE_OWNER, order: 'name', prefix: '', limit: 300 });
        expect(listed).toEqual(creations.map(({ file }) => file));
        expect(await store.usage(NEVER)).toEqual(
          USAGE.map(({ node, shards, bytes }) => ({ node, shards: 1000 * shards, bytes: 1000 * bytes })),
        );
      });

      it('has everything after it was closed and opened again', async () => {
        const kept = await createFile(store, 'kept');
        const removed = await createFile(store, 'removed');
        await removeFile(store, removed.file.id);
        const before = [
          await listAll(store, { owner: STORE_OWNER, order: 'name', prefix: '', limit: 5 }),
          await collect(store.garbage(NEVER)),
          await store.usage(NEVER),
        ];
        await store.close();
        store = await harness.open();
        const after = [
          await listAll(store, { owner: STORE_OWNER, order: 'name', prefix: '', limit: 5 }),
          await collect(store.garbage(NEVER)),
          await store.usage(NEVER),
        ];
        expect(after).toEqual(before);
        expect(await store.find(kept.file.id, NEVER)).toEqual({ file: kept.file, manifest: kept.manifest });
        expect(await store.wrappedBy('key-1', 5, NEVER)).toEqual([kept.manifest]);
        expect([...(await store.readLayout(kept.manifest.versionId, 0, NEVER))!]).toEqual([1, 2, 3]);
        await store.probe(NEVER);
      });

      it('finishes what is under way when it is closed', async () => {
        const creations = Array.from({ length: 2000 }, (_, index) => makeCreation(`f${index}`));
        const commits = creations.map((creation) => store.commit(creation, NEVER));
        const closing = store.close();
        await Promise.all(commits);
        await closing;
        store = await harness.open();
        expect(await listAll(store, { owner: STORE_OWNER, order: 'name', prefix: '', limit: 1000 })).toHaveLength(2000);
      });

      const calls = (signal: AbortSignal): Record<string, () => Promise<unknown>> => {
        const versionId = newId<VersionId>();
        const fileId = newId<FileId>();
        const tombstone = { fileId, revision: 2, kekId: 'key-1', nodes: [1] };
        return {
          stageLayout: () => store.stageLayout(versionId, PAGE, signal),
          readLayout: () => store.readLayout(versionId, 0, signal),
          commit: () => store.commit(makeCreation('a'), signal),
          find: () => store.find(fileId, signal),
          nextRevision: () => store.nextRevision(signal),
          revisionCeiling: () => store.revisionCeiling(signal),
          raiseRevision: () => store.raiseRevision(1, signal),
          noteSettled: () => store.noteSettled(1, signal),
          settledThrough: () => store.settledThrough(signal),
          noteDamage: () => store.noteDamage([{ node: 1, shard: { versionId, stripe: 0, index: 0 } }], 1, signal),
          damage: () => collect(store.damage(signal)),
          damageOf: () => store.damageOf(versionId, signal),
          clearDamage: () => store.clearDamage([{ node: 1, shard: { versionId, stripe: 0, index: 0 } }], signal),
          noteProven: () => store.noteProven(1, 1, signal),
          noteScrub: () => store.noteScrub(undefined, signal),
          scrubNote: () => store.scrubNote(signal),
          provenAt: () => store.provenAt(1, signal),
          relocate: () => store.relocate(makeRelocation(makeCreation('a'), {}), signal),
          layoutRevision: () => store.layoutRevision(versionId, 0, signal),
          amend: () => store.amend(fileId, { basis: 1, revision: 2, recordNodes: [] }, undefined, signal),
          remove: () => store.remove({ basis: 1, tombstone }, undefined, signal),
          addTombstone: () => store.addTombstone(tombstone, signal),
          findTombstone: () => store.findTombstone(fileId, signal),
          tombstones: () => collect(store.tombstones(signal)),
          dropTombstone: () => store.dropTombstone(tombstone, signal),
          noteSwept: () => store.noteSwept(1, 1, signal),
          sweptThrough: () => store.sweptThrough(1, signal),
          findByVersion: () => store.findByVersion(versionId, signal),
          files: () => collect(store.files(signal)),
          importRecords: () => store.importRecords([{ kind: 'tombstone', tombstone }], signal),
          list: () => store.list({ owner: STORE_OWNER, order: 'name', prefix: '', limit: 1 }, signal),
          isCommitted: () => store.isCommitted(versionId, signal),
          abandon: () => store.abandon({ versionId, nodes: [1] }, PAGE, signal),
          garbage: () => collect(store.garbage(signal)),
          clearGarbage: () => store.clearGarbage(versionId, 1, signal),
          sweepStaged: () => store.sweepStaged(() => false, signal),
          wrappedBy: () => store.wrappedBy('k', 1, signal),
          usage: () => store.usage(signal),
          probe: () => store.probe(signal),
        };
      };

      it('does nothing for a caller that has left', async () => {
        const reason = new Error('the caller has left');
        for (const [call, start] of Object.entries(calls(AbortSignal.abort(reason)))) {
          const [result] = await Promise.allSettled([start()]);
          expect([call, result]).toEqual([call, { status: 'rejected', reason }]);
        }
        expect(await listAll(store, { owner: STORE_OWNER, order: 'name', prefix: '', limit: 5 })).toEqual([]);
        expect(await collect(store.garbage(NEVER))).toEqual([]);
      });

      it('stops telling garbage when its caller leaves', async () => {
        await Promise.all(
          Array.from({ length: 600 }, () => store.abandon({ versionId: newId<VersionId>(), nodes: [1] }, PAGE, NEVER)),
        );
        const controller = new AbortController();
        const walk = async (): Promise<void> => {
          for await (const garbage of store.garbage(controller.signal)) if (garbage.pages === 1) controller.abort();
        };
        expect(await codeOf(walk())).not.toBe('none');
      });

      it('may be closed twice and refuses every call afterwards', async () => {
        await Promise.all([store.close(), store.close()]);
        await store.close();
        for (const [call, start] of Object.entries(calls(NEVER)))
          expect([call, await codeOf(start())]).toEqual([call, 'index-unavailable']);
      });
    });
  });
}
