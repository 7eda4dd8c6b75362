import { beforeEach, describe, expect, it } from '@jest/globals';
import { DriveWorld, type KnownNode, type Member } from '../../test/support/drive-world.js';
import { flipped, newPerson, newUuid } from '../../test/support/e2ee-world.js';
import { MemoryDocumentStore } from '../../test/support/memory.document-store.js';
import { newId, type FileId } from '../common/ids.js';
import type { NodeSharing, Rights } from './sharing-lookup.js';

const code = (value: string): object => ({ code: value });

let world: DriveWorld;
let documents: MemoryDocumentStore;
let ada: Member;
let bob: Member;
let root: KnownNode;

beforeEach(async () => {
  documents = new MemoryDocumentStore();
  world = await DriveWorld.make(documents);
  [ada, bob] = [await world.join('ada'), await world.join('bob')];
  root = await world.folder(ada);
});

/** Shares a node with bob. */
function share(
  node: KnownNode,
  rights: Rights,
  { revision = 1, toRevision }: { revision?: number; toRevision?: number } = {},
): void {
  const key = { accountId: bob.id, bundleVersion: 1, verifyKey: bob.bundle.verifyKey, fromRevision: 1 };
  const entries = rights === 'write' ? [{ ...key, ...(toRevision !== undefined && { toRevision }) }] : [];
  const sharing: NodeSharing = { writers: Uint8Array.of(revision), revision, entries, grants: new Map([[bob.id, rights]]) };
  world.sharing.nodes.set(node.id, sharing);
}

const by = (person: Member, node: KnownNode, revision = 1): typeof person.writer => ({
  ...person.writer,
  list: { nodeId: node.id, revision },
});

describe('what lies in a drive', () => {
  it('is found by its owner, from the root down, and listed in pages', async () => {
    const docs = await world.folder(ada, root, { name: 'docs' });
    const inner = await world.folder(ada, docs, { name: 'inner' });
    expect((await world.reads.root(ada.principal, world.signal)).document.id).toBe(root.id);
    const { nodes, lists } = await world.reads.path(ada.principal, inner.id, world.signal);
    expect([nodes.map(({ document }) => document.id), lists]).toEqual([[root.id, docs.id, inner.id], []]);
    await world.folder(ada, root, { name: 'more' });
    const at = { principal: ada.principal, id: root.id };
    const all = { limit: 1, cursor: undefined, nameTag: undefined };
    const first = await world.reads.children(at, all, world.signal);
    const second = await world.reads.children(at, { ...all, cursor: first.nextCursor }, world.signal);
    expect([first.nodes.length, second.nodes.length, second.nextCursor]).toEqual([1, 1, undefined]);
  });

  it('is for others as if it were not there', async () => {
    const docs = await world.folder(ada, root);
    const [foreign, unknown] = [docs.id, newId<FileId>()].map((id) =>
      world.reads.see(bob.principal, id, world.signal).catch(String),
    );
    expect(await foreign).toBe(await unknown);
    expect(await unknown).toMatch('node-not-found');
    const intruder = await world.draft(bob, docs, { name: 'x' });
    await expect(world.send(bob, intruder)).rejects.toMatchObject(code('node-not-found'));
    await expect(world.remove(bob, docs)).rejects.toMatchObject(code('node-not-found'));
    await expect(world.change(bob, await world.next(bob, docs, { name: 'mine' }))).rejects.toMatchObject(code('node-not-found'));
  });

  it('has one root, and one node of each name in a folder', async () => {
    await expect(world.folder(ada)).rejects.toMatchObject(code('name-taken'));
    const [docs, other] = [await world.folder(ada, root, { name: 'docs' }), await world.folder(ada, root, { name: 'other' })];
    await expect(world.folder(ada, root, { name: 'docs' })).rejects.toMatchObject(code('name-taken'));
    await expect(world.change(ada, await world.next(ada, other, { name: 'docs' }))).rejects.toMatchObject(code('name-taken'));
    await world.change(ada, await world.next(ada, docs, { name: 'papers' }));
    await world.folder(ada, root, { name: 'docs' });
  });

  it('is made under ids that were given out, each once, and given back if the name was taken', async () => {
    await expect(world.folder(ada, root, { id: newUuid() as FileId })).rejects.toMatchObject(code('id-not-issued'));
    const [id] = world.ids.issue(bob.id, 1);
    await expect(world.folder(ada, root, { id: id! })).rejects.toMatchObject(code('id-not-issued'));
    await world.folder(ada, root, { name: 'docs' });
    const [own] = world.ids.issue(ada.id, 1);
    await expect(world.folder(ada, root, { name: 'docs', id: own! })).rejects.toMatchObject(code('name-taken'));
    await world.folder(ada, root, { name: 'more', id: own! });
    await expect(world.folder(ada, root, { name: 'again', id: own! })).rejects.toMatchObject(code('id-not-issued'));
  });
});

describe('what is signed', () => {
  it('has to be so by who sends it, with the newest identity', async () => {
    const node = await world.draft(ada, root);
    const sent = (record: Uint8Array): Promise<unknown> => world.send(ada, { ...node, record });
    await expect(sent(flipped(node.record, node.record.length - 1))).rejects.toMatchObject(code('invalid-record'));
    await expect(sent(node.record.subarray(1))).rejects.toMatchObject(code('invalid-record'));
    const other = await world.draft({ ...ada, identity: bob.identity }, root);
    await expect(world.send(ada, other)).rejects.toMatchObject(code('invalid-record'));
    const named = await world.draft(ada, root, { writer: bob.writer });
    await expect(world.send(ada, named)).rejects.toMatchObject(code('invalid-record'));
    const later = await world.draft(ada, root, { writer: { ...ada.writer, bundleVersion: 2 } });
    await expect(world.send(ada, later)).rejects.toMatchObject(code('identity-outdated'));
    await world.send(ada, node);
  });

  it('counts by the identity of now as soon as there is another one', async () => {
    const node = await world.draft(ada, root);
    const login = (await world.logins.find('ada' as never, world.signal))!;
    const { bundleBytes } = await newPerson('ada', ada.id);
    const bundle = { ...login.login.bundle, identity: bundleBytes };
    await world.logins.replace(login, { ...login.login, bundle }, world.signal);
    await expect(world.send(ada, node)).rejects.toMatchObject(code('invalid-record'));
    expect(await world.identities.all(ada.id, world.signal)).toEqual(
      [Buffer.from(ada.bundleBytes), Buffer.from(bundleBytes)].map((b) => Uint8Array.from(b)),
    );
  });

  it('follows the record before, under keys that are no older, in a folder as it is', async () => {
    const docs = await world.folder(ada, root);
    const change = async (wish: Parameters<DriveWorld['next']>[2]): Promise<unknown> =>
      world.change(ada, await world.next(ada, docs, wish));
    await expect(change({ revision: 3 })).rejects.toMatchObject(code('precondition-failed'));
    await expect(change({ previousHash: new Uint8Array(32) })).rejects.toMatchObject(code('precondition-failed'));
    await expect(world.change(ada, await world.next(ada, docs), '"x"')).rejects.toMatchObject(code('precondition-failed'));
    const change2 = { record: (await world.next(ada, docs)).record, ifMatch: undefined };
    const at = { principal: ada.principal, id: docs.id };
    await expect(world.changes.change(at, change2, world.signal)).rejects.toMatchObject(code('precondition-required'));
    const turned = await world.next(ada, docs, { keys: docs.draft.keys.next() });
    await world.change(ada, turned);
    const back = await world.next(ada, turned, { keys: docs.draft.keys });
    await expect(world.change(ada, back)).rejects.toMatchObject(code('invalid-record'));
    await expect(world.folder(ada, docs)).rejects.toMatchObject(code('folder-changed'));
    await world.folder(ada, turned);
  });
});

describe('moves', () => {
  it('let no two folders come to lie in each other, however they meet', async () => {
    const [one, other] = [await world.folder(ada, root, { name: 'one' }), await world.folder(ada, root, { name: 'other' })];
    const moves = [await world.next(ada, one, { into: other }), await world.next(ada, other, { into: one })];
    const ends = await Promise.allSettled(moves.map((move) => world.change(ada, move)));
    expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(ends.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'folder-in-itself' } });
    await expect(world.change(ada, await world.next(ada, one, { into: one }))).rejects.toThrow();
  });

  it('end where folders lie too deep', async () => {
    const chain = [root];
    for (let depth = 2; depth <= 100; depth += 1) chain.push(await world.folder(ada, chain.at(-1)));
    await expect(world.folder(ada, chain.at(-1))).rejects.toMatchObject(code('folder-changed'));
    const top = await world.folder(ada, root, { name: 'top' });
    await world.folder(ada, await world.folder(ada, top));
    await expect(world.change(ada, await world.next(ada, top, { into: chain[98]! }))).rejects.toMatchObject(
      code('folder-changed'),
    );
    await world.change(ada, await world.next(ada, top, { into: chain[90]! }));
  });
});

describe('removals', () => {
  it('take a folder out of sight with all that lies in it', async () => {
    const docs = await world.folder(ada, root);
    const inner = await world.folder(ada, docs);
    await expect(world.remove(ada, docs, '"x"')).rejects.toMatchObject(code('precondition-failed'));
    await world.remove(ada, docs);
    await expect(world.reads.see(ada.principal, inner.id, world.signal)).rejects.toMatchObject(code('node-not-found'));
    await expect(world.folder(ada, inner)).rejects.toMatchObject(code('node-not-found'));
    expect(world.removed).toEqual([docs.id]);
  });

  it('are seen by who makes something in the folder meanwhile', async () => {
    const docs = await world.folder(ada, root);
    const node = await world.draft(ada, docs);
    const place = documents.place.bind(documents);
    documents.place = async (...all) => {
      documents.place = place;
      await world.remove(ada, docs);
      return place(...all);
    };
    await expect(world.send(ada, node)).rejects.toMatchObject(code('node-not-found'));
    expect(await world.store.find(node.id, world.signal)).toBeUndefined();
  });

  it('of the root take the vault with it', async () => {
    const item = { name: 'settings', bytes: Uint8Array.of(1), revision: 1, ifMatch: undefined, ifNoneMatch: '*' } as const;
    await world.vault.put(ada.principal, item, world.signal);
    await world.remove(ada, root);
    expect((await world.store.heads(ada.id, { prefix: '', limit: 10 }, world.signal)).heads).toEqual([]);
  });
});

describe('what is shared', () => {
  it('is read by who may read it, from there on, and written by its writers alone', async () => {
    const docs = await world.folder(ada, root);
    const inner = await world.folder(ada, docs);
    share(docs, 'read');
    const { nodes, lists } = await world.reads.path(bob.principal, inner.id, world.signal);
    expect(nodes.map(({ document }) => document.id)).toEqual([docs.id, inner.id]);
    expect(lists).toEqual([{ nodeId: docs.id, list: Uint8Array.of(1) }]);
    await expect(world.reads.see(bob.principal, root.id, world.signal)).rejects.toMatchObject(code('node-not-found'));
    await expect(world.folder(bob, docs, { writer: by(bob, docs) })).rejects.toMatchObject(code('forbidden'));
    await expect(world.remove(bob, inner)).rejects.toMatchObject(code('forbidden'));
    share(docs, 'write');
    const made = await world.folder(bob, docs, { name: 'of bob', writer: by(bob, docs) });
    expect((await world.reads.see(ada.principal, made.id, world.signal)).account).toBe(ada.id);
    await expect(world.remove(bob, docs)).rejects.toMatchObject(code('forbidden'));
    await world.remove(bob, made);
  });

  it('is written by the newest list, by its owner too', async () => {
    const docs = await world.folder(ada, root);
    share(docs, 'write', { revision: 2 });
    await expect(world.folder(ada, docs)).rejects.toMatchObject(code('writers-changed'));
    await expect(world.folder(ada, docs, { writer: by(ada, docs, 1) })).rejects.toMatchObject(code('writers-changed'));
    await world.folder(ada, docs, { name: 'a', writer: by(ada, docs, 2) });
    await expect(world.folder(bob, docs, { writer: by(bob, docs, 1) })).rejects.toMatchObject(code('writers-changed'));
    share(docs, 'write', { revision: 3, toRevision: 2 });
    await expect(world.folder(bob, docs, { writer: by(bob, docs, 3) })).rejects.toMatchObject(code('forbidden'));
  });

  it('by a link is read and nothing else', async () => {
    const docs = await world.folder(ada, root);
    const inner = await world.folder(ada, docs);
    const guest = { principal: { ...bob.principal, credentialId: 'link' } };
    world.sharing.links.set('link', { account: ada.id, nodeId: docs.id });
    expect((await world.reads.see(guest.principal, inner.id, world.signal)).reach).toEqual({ by: 'link', topId: docs.id });
    await expect(world.reads.see(guest.principal, root.id, world.signal)).rejects.toMatchObject(code('node-not-found'));
    await expect(world.remove(guest, inner)).rejects.toMatchObject(code('forbidden'));
  });
});

describe('a vault', () => {
  const item = { name: 'contacts', bytes: Uint8Array.of(1), revision: undefined, ifMatch: undefined, ifNoneMatch: '*' } as const;

  it('is put first once, and replaced by who knows what it has', async () => {
    const put = (change: object): ReturnType<DriveWorld['vault']['put']> =>
      world.vault.put(ada.principal, { ...item, ...change }, world.signal);
    await expect(world.vault.get(ada.principal, 'contacts', world.signal)).rejects.toMatchObject(code('vault-not-found'));
    await expect(put({ ifNoneMatch: undefined })).rejects.toMatchObject(code('precondition-required'));
    const { version } = await put({});
    await expect(put({})).rejects.toMatchObject(code('precondition-failed'));
    const ifMatch = `"${version}"`;
    await expect(put({ ifMatch, ifNoneMatch: undefined, revision: 1 })).rejects.toMatchObject(code('precondition-failed'));
    expect(await put({ ifMatch, ifNoneMatch: undefined, bytes: Uint8Array.of(2), revision: 2 })).toMatchObject({ revision: 2 });
    await expect(put({ ifMatch, ifNoneMatch: undefined })).rejects.toMatchObject(code('precondition-failed'));
    await expect(world.vault.get(bob.principal, 'contacts', world.signal)).rejects.toMatchObject(code('vault-not-found'));
  });

  it('and everything else is not for tokens with a prefix', async () => {
    const principal = { ...ada.principal, prefix: 'a' };
    await expect(world.vault.get(principal, 'contacts', world.signal)).rejects.toMatchObject(code('forbidden'));
    await expect(world.reads.see(principal, root.id, world.signal)).rejects.toMatchObject(code('forbidden'));
  });
});
