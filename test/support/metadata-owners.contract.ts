import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { errorCode } from '../../src/common/errors.js';
import { newId, STORE_OWNER, type OwnerId } from '../../src/common/ids.js';
import type { FileRecord, ListOrder, MetadataStore } from '../../src/metadata/metadata-store.js';
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
  nextRevision,
  type Creation,
} from './metadata-fixtures.js';
import type { MetadataHarness } from './metadata-store.contract.js';

function owners(...names: string[]): OwnerId[] {
  return names as OwnerId[];
}

/** One is the beginning of another, and one comes before and one behind the store's own in any order. */
const OWNERS: readonly OwnerId[] = [
  STORE_OWNER,
  ...owners('01920000-0000-7000-8000-000000000001', 'system:a', 'system:a-b', 'zzz'),
];
const ORDERS: readonly ListOrder[] = ['name', '-name', 'createdAt', '-createdAt'];
const PAGE = { page: 0, bytes: Uint8Array.of(9) };

/** What every adapter of MetadataStore keeps of owners. */
export function describeOwners(title: string, makeHarness: () => Promise<MetadataHarness>): void {
  describe(`${title} keeps the files of owners apart`, () => {
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

    const fill = async (): Promise<FileRecord[]> => {
      const made: Creation[] = [];
      for (const name of ['b', 'a', 'c', 'a', 'ab', '~'])
        for (const owner of OWNERS) made.push(await createFile(store, name, { owner, size: made.length }));
      return made.map(({ file }) => file);
    };

    const listAll = async (owner: OwnerId, order: ListOrder, limit: number, prefix = ''): Promise<FileRecord[]> => {
      const files: FileRecord[] = [];
      for (let cursor: Uint8Array | undefined; ;) {
        const page = await store.list({ owner, order, prefix, limit, ...(cursor && { cursor }) }, NEVER);
        files.push(...page.files);
        if (page.nextCursor === undefined) return files;
        cursor = page.nextCursor;
      }
    };

    it('lists those of one, in every order and at every size of a page', async () => {
      const all = await fill();
      for (const owner of OWNERS) {
        const own = all.filter((file) => file.owner === owner);
        const byName = own.toSorted(compareByName);
        const model = { name: byName, '-name': byName.toReversed(), createdAt: own, '-createdAt': own.toReversed() };
        for (const order of ORDERS)
          for (const limit of [1, 2, 6, 7]) expect(await listAll(owner, order, limit)).toEqual(model[order]);
        const some = byName.filter(({ name }) => name.startsWith('a'));
        expect(await listAll(owner, 'name', 2, 'a')).toEqual(some);
        expect(await listAll(owner, '-name', 2, 'a')).toEqual(some.toReversed());
      }
    });

    it('lists all of all where everything is walked over, in the order of their ids', async () => {
      const all = await fill();
      expect((await collect(store.files(NEVER))).map(({ file }) => file)).toEqual(all);
    });

    it('lets no prefix and no cursor reach into what others have', async () => {
      await fill();
      for (const prefix of ['\u0001', '\u0001system:a\0', '\u0001s', '\0', '\u001f'])
        expect(await listAll(STORE_OWNER, 'name', 100, prefix)).toEqual([]);
      const key = Buffer.concat([Buffer.from('\u0001system:a\0'), new Uint8Array(16)]);
      for (const owner of [STORE_OWNER, 'zzz' as OwnerId]) {
        for (const order of ['name', '-name'] as const) {
          const cursor = Buffer.concat([Buffer.of(ORDERS.indexOf(order)), key]);
          const [page] = await Promise.allSettled([store.list({ owner, order, prefix: '', limit: 100, cursor }, NEVER)]);
          expect(page.status === 'rejected' ? errorCode(page.reason) : page.value).toBe('invalid-cursor');
        }
      }
    });

    it('goes on from the cursor of another among its own files', async () => {
      const all = await fill();
      const page = await store.list({ owner: 'system:a' as OwnerId, order: 'name', prefix: '', limit: 4 }, NEVER);
      const cursor = page.nextCursor!;
      const rest = await store.list({ owner: 'zzz' as OwnerId, order: 'name', prefix: '', limit: 100, cursor }, NEVER);
      expect(rest.files.every(({ owner }) => owner === 'zzz')).toBe(true);
      expect(rest.files.length).toBeLessThan(all.length / OWNERS.length);
    });

    it('finds the file of a name, exactly and of this owner', async () => {
      const all = await fill();
      for (const owner of OWNERS) {
        for (const name of ['b', 'ab', '~']) {
          const [file] = all.filter((one) => one.owner === owner && one.name === name);
          expect(await store.findByName(owner, name, NEVER)).toEqual(await store.find(file!.id, NEVER));
        }
        expect(await store.findByName(owner, 'abc', NEVER)).toBeUndefined();
        expect(await store.findByName(owner, 'system:a', NEVER)).toBeUndefined();
      }
      expect(await store.findByName('nobody' as OwnerId, 'a', NEVER)).toBeUndefined();
    });

    it('finds of several files of a name the one that changed last', async () => {
      const all = await fill();
      for (const owner of OWNERS) {
        const [first, second] = all.filter((one) => one.owner === owner && one.name === 'a');
        expect((await store.findByName(owner, 'a', NEVER))!.file.id).toBe(second!.id);
        const stored = (await store.find(first!.id, NEVER))!;
        await store.amend(first!.id, makeAmendment(stored), undefined, NEVER);
        expect((await store.findByName(owner, 'a', NEVER))!.file.id).toBe(first!.id);
      }
    });

    it('counts what each has, through all that can happen to a file and over a restart', async () => {
      const [own, other] = ['system:a', 'system:a-b'] as [OwnerId, OwnerId];
      const { file, manifest } = await createFile(store, 'a', { owner: own, size: 100 });
      const second = await createFile(store, 'b', { owner: own, size: 10 });
      await createFile(store, 'a', { owner: other, size: 7 });
      expect(await store.usageOf(own, NEVER)).toEqual({ files: 2, bytes: 110 });
      const replacement = makeReplacement(file, makeManifest(file.id, { size: 55 }), { lastPage: PAGE });
      const { file: replaced } = await store.commit(replacement, NEVER);
      expect(await store.usageOf(own, NEVER)).toEqual({ files: 2, bytes: 65 });
      expect(replaced.owner).toBe(own);
      const stored = (await store.find(file.id, NEVER))!;
      const amended = await store.amend(file.id, makeAmendment(stored, { name: 'z' }), undefined, NEVER);
      const moved = await store.relocate(makeRelocation({ ...stored, file: amended }), NEVER);
      expect(moved.file.owner).toBe(own);
      expect(await store.usageOf(own, NEVER)).toEqual({ files: 2, bytes: 65 });
      await expect(store.commit({ ...replacement, basis: 1, manifest: { ...manifest } }, NEVER)).rejects.toThrow();
      await expect(store.remove(makeRemoval(file), undefined, NEVER)).rejects.toThrow();
      await store.close();
      store = await harness.open();
      expect(await store.usageOf(own, NEVER)).toEqual({ files: 2, bytes: 65 });
      await store.remove(makeRemoval(moved.file), undefined, NEVER);
      expect(await store.usageOf(own, NEVER)).toEqual({ files: 1, bytes: 10 });
      await store.remove(makeRemoval(second.file), undefined, NEVER);
      expect(await store.usageOf(own, NEVER)).toEqual({ files: 0, bytes: 0 });
      expect(await store.usageOf(other, NEVER)).toEqual({ files: 1, bytes: 7 });
      expect(await store.usageOf(STORE_OWNER, NEVER)).toEqual({ files: 0, bytes: 0 });
    });

    it('takes owners in with the records of nodes, and counts each file once, whatever comes in which order', async () => {
      const owner = OWNERS[1]!;
      const { file, manifest, lastPage } = await createFile(store, 'a', { owner, size: 100 });
      const later = makeManifest(file.id, { size: 30 });
      const newer = { ...file, name: 'b', size: 30, versionId: later.versionId, revision: nextRevision() };
      const records = [
        { kind: 'file', file, manifest, lastPage },
        { kind: 'file', file: newer, manifest: later, lastPage },
        { kind: 'file', file, manifest, lastPage },
      ] as const;
      for (const record of records) await store.importRecords([record], NEVER);
      expect(await store.usageOf(owner, NEVER)).toEqual({ files: 1, bytes: 30 });
      expect((await store.findByName(owner, 'b', NEVER))!.file).toEqual(newer);
      expect(await store.findByName(owner, 'a', NEVER)).toBeUndefined();
      const tombstone = { fileId: file.id, revision: nextRevision(), kekId: 'key-1', nodes: [1] };
      await store.importRecords([{ kind: 'tombstone', tombstone }, ...records], NEVER);
      expect(await store.usageOf(owner, NEVER)).toEqual({ files: 0, bytes: 0 });
      expect(await store.addTombstone({ ...tombstone, fileId: newId() }, NEVER)).toBe(true);
    });

    it('makes no file of another owner twice, and no tombstone of one that is there', async () => {
      const creation = await createFile(store, 'a', { owner: OWNERS[2]! });
      await expect(store.commit({ ...creation, manifest: makeManifest(creation.file.id) }, NEVER)).rejects.toThrow();
      const tombstone = { fileId: creation.file.id, revision: nextRevision(), kekId: 'key-1', nodes: [1] };
      expect(await store.addTombstone(tombstone, NEVER)).toBe(false);
    });

    it('does no more steps for a page of one owner the more others have', async () => {
      const owner = 'system:a' as OwnerId;
      await createFile(store, 'm', { owner });
      const crowd = [STORE_OWNER, ...owners('system:a-b', 'system:Z')];
      await Promise.all(
        Array.from({ length: 1500 }, (_, at) => createFile(store, `m${at}`, { owner: crowd[at % 3]!, usage: [] })),
      );
      const time = async (who: OwnerId): Promise<number> => {
        const began = performance.now();
        for (let round = 0; round < 50; round += 1)
          for (const order of ORDERS) await store.list({ owner: who, order, prefix: '', limit: 1 }, NEVER);
        return performance.now() - began;
      };
      await time(owner);
      const [few, many] = [await time(owner), await time(STORE_OWNER)];
      // A walk over the files of others would be a thousand times as long.
      expect(few).toBeLessThan(many * 20 + 50);
      expect(await listAll(owner, 'createdAt', 5)).toHaveLength(1);
    });
  });
}
