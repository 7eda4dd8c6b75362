import { newId, STORE_OWNER } from '../../src/common/ids.js';
import type { FileId, OwnerId, VersionId } from '../../src/common/ids.js';
import type { FileRecord, ListOrder, MetadataStore } from '../../src/metadata/metadata-store.js';
import {
  collect,
  createFile,
  makeAmendment,
  makeCreation,
  makeManifest,
  makeRelocation,
  makeRemoval,
  makeReplacement,
  NEVER,
  USAGE,
} from './metadata-fixtures.js';

export const OWNERS = [STORE_OWNER, newId<FileId>(), `drive:${newId<FileId>()}`, 'system:accounts'] as OwnerId[];
const ORDERS: readonly ListOrder[] = ['name', '-name', 'createdAt', '-createdAt'];
const NAMES = ['a', 'a', 'a!', 'ä', '𝄞 music', 'quote\'s "and" \\ back', 'z'.repeat(1024), 'same'];

/** Puts something of every kind into an index, by its port. */
export async function fillIndex(store: MetadataStore, more: number): Promise<void> {
  for (const owner of OWNERS) for (const name of NAMES) await createFile(store, name, { owner });
  const sizes = Array.from({ length: more }, (_, at) => at);
  await Promise.all(
    sizes.map((at) => createFile(store, `many ${at % 7}`, { owner: OWNERS[at % 2]!, size: at, kekId: `k${at % 3}` })),
  );
  await addLong(store);
  const [replaced, amended, gone] = await Promise.all(['replaced', 'amended', 'gone'].map((name) => createFile(store, name)));
  const manifest = makeManifest(replaced!.file.id, { size: 5, kekId: 'key-2' });
  await store.commit(makeReplacement(replaced!.file, manifest, { lastPage: { page: 0, bytes: Uint8Array.of(7) } }), NEVER);
  const wrapped = { kekId: 'key-9', wrappedKey: Uint8Array.of(1, 2) };
  await store.amend(amended!.file.id, makeAmendment(amended!, { name: 'amended too', wrapped, updatedAt: 5 }), undefined, NEVER);
  await store.remove(makeRemoval(gone!.file), undefined, NEVER);
  await store.addTombstone({ fileId: newId<FileId>(), revision: 17, kekId: 'key-1', nodes: [3, 1, 2] }, NEVER);
  await addNotes(store);
}

/** A version of many pages, of which some were put anew, an upload that goes on, and one that was given up. */
async function addLong(store: MetadataStore): Promise<void> {
  const long = makeCreation('long', { owner: OWNERS[1]!, size: 2 ** 40 });
  const { versionId } = long.manifest;
  for (let page = 0; page < 40; page += 1)
    await store.stageLayout(versionId, { page, bytes: new Uint8Array(40_000).fill(page) }, NEVER);
  await store.commit({ ...long, lastPage: { page: 40, bytes: Uint8Array.of(40) } }, NEVER);
  const pages = [{ page: 3, bytes: Uint8Array.of(3, 3) }];
  const moved = await store.relocate(
    makeRelocation(long, { m: 2, pages, usage: [...USAGE, { node: 9, shards: 1, bytes: 7 }] }),
    NEVER,
  );
  await store.amend(moved.file.id, makeAmendment(moved, { layoutRevision: 12_345 }), undefined, NEVER);
  await store.stageLayout(newId<VersionId>(), { page: 2, bytes: Uint8Array.of(1) }, NEVER);
  await store.abandon({ versionId: newId<VersionId>(), nodes: [4, 2, 4] }, { page: 1, bytes: Uint8Array.of(5) }, NEVER);
}

async function addNotes(store: MetadataStore): Promise<void> {
  const [first] = await collect(store.files(NEVER));
  const { versionId } = first!.manifest;
  const damage = [0, 255, 2 ** 33].map((stripe, index) => ({
    node: index + 1,
    shard: { versionId, stripe, index: index * 100 },
  }));
  await store.noteDamage(damage, 100, NEVER);
  await store.noteSwept(1, 77, NEVER);
  await store.noteSwept(300, 78, NEVER);
  await store.noteProven(2, 1_700_000_000_000, NEVER);
  await store.noteProven(300, 5, NEVER);
  await store.noteProven(4, 9, NEVER);
  await store.noteProven(4, undefined, NEVER);
  await store.noteScrub({ startedAt: 99, after: newId<FileId>(), unproven: [3, 1] }, NEVER);
  await store.raiseRevision((await store.nextRevision(NEVER)) + 10 ** 6, NEVER);
  await store.noteSettled(4242, NEVER);
}

/** Everything that the port tells of an index: also each page of each list, with its cursor. */
export async function everythingOf(store: MetadataStore): Promise<object> {
  const files = await collect(store.files(NEVER));
  const layouts = [];
  for (const { file } of files) {
    for (let page = 0; ; page += 1) {
      const bytes = await store.readLayout(file.versionId, page, NEVER);
      if (bytes === undefined) break;
      layouts.push([
        file.versionId,
        page,
        Buffer.from(bytes).toString('base64'),
        await store.layoutRevision(file.versionId, page, NEVER),
      ]);
    }
  }
  const damage = await collect(store.damage(NEVER));
  const nodes = [0, 1, 2, 3, 4, 299, 300];
  const sorted = <Item>(items: readonly Item[]): Item[] =>
    [...items].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return {
    files,
    layouts,
    lists: await Promise.all(OWNERS.flatMap((owner) => ORDERS.map((order) => listOf(store, owner, order)))),
    names: await Promise.all(OWNERS.flatMap((owner) => NAMES.map((name) => store.findByName(owner, name, NEVER)))),
    byVersion: await Promise.all(files.slice(0, 20).map(({ file }) => store.findByVersion(file.versionId, NEVER))),
    owners: await Promise.all(OWNERS.map((owner) => store.usageOf(owner, NEVER))),
    usage: await store.usage(NEVER),
    keys: await Promise.all(['k0', 'k1', 'key-1', 'key-2', 'key-9'].map((kekId) => store.wrappedBy(kekId, 1000, NEVER))),
    garbage: sorted(await collect(store.garbage(NEVER))),
    tombstones: sorted(await collect(store.tombstones(NEVER))),
    damage,
    damageOf: await Promise.all(damage.map(({ shard }) => store.damageOf(shard.versionId, NEVER))),
    swept: await Promise.all(nodes.map((node) => store.sweptThrough(node, NEVER))),
    proven: await Promise.all(nodes.map((node) => store.provenAt(node, NEVER))),
    scrub: await store.scrubNote(NEVER),
    settled: await store.settledThrough(NEVER),
    ceiling: await store.revisionCeiling(NEVER),
  };
}

async function listOf(store: MetadataStore, owner: OwnerId, order: ListOrder): Promise<object> {
  const pages: { files: readonly FileRecord[]; cursor: string | undefined }[] = [];
  for (const prefix of order.endsWith('name') ? ['', 'many 3', 'ä'] : ['']) {
    for (let cursor: Uint8Array | undefined; ;) {
      const page = await store.list({ owner, order, prefix, limit: 23, ...(cursor && { cursor }) }, NEVER);
      cursor = page.nextCursor;
      pages.push({ files: page.files, cursor: cursor && Buffer.from(cursor).toString('hex') });
      if (cursor === undefined) break;
    }
  }
  return pages;
}
