import { beforeEach, describe, expect, it } from '@jest/globals';
import type { KnownNode, Member } from '../../test/support/drive-world.js';
import { flipped, newPerson } from '../../test/support/e2ee-world.js';
import { grantOf, listOf, SharingWorld, writes } from '../../test/support/drive-sharing-world.js';
import { etagOf } from '../http/conditional.js';

const code = (value: string): object => ({ code: value });
const HOUR = 3_600_000;

let world: SharingWorld;
let [ada, bob, eve]: [Member, Member, Member] = [] as never;
let root: KnownNode;
let docs: KnownNode;

beforeEach(async () => {
  world = await SharingWorld.make();
  ada = await world.drive.join('ada');
  bob = await world.drive.join('bob');
  eve = await world.drive.join('eve');
  root = await world.drive.folder(ada);
  docs = await world.drive.folder(ada, root, { name: 'docs' });
});

const see = (who: Member, node: KnownNode): Promise<unknown> => world.drive.reach.see(who.principal, node.id, world.drive.signal);
const sharedWith = async (who: Member): Promise<string[]> =>
  (await world.sharedNodes.list(who.principal, world.drive.signal)).map(({ node }) => node.id);

/** Bob may write, and eve may read. */
async function share(): Promise<{ writers: Uint8Array; grants: Uint8Array[]; etag: string }> {
  const writers = await listOf(ada, docs.draft, [writes(bob, 1)]);
  const grants = [await grantOf(ada, docs.draft, { to: bob, rights: 'write' }), await grantOf(ada, docs.draft, { to: eve })];
  const { version } = await world.put(ada, docs, { writers, grants });
  return { writers, grants, etag: etagOf(version) };
}

describe('a node that is shared', () => {
  it('is seen by whom it is granted to, with all below it and nothing above or beside it', async () => {
    const inner = await world.drive.folder(ada, docs, { name: 'inner' });
    const beside = await world.drive.folder(ada, root, { name: 'beside' });
    await share();
    const deep = await world.drive.folder(ada, inner, { name: 'deep', writer: byList(ada) });
    for (const node of [docs, inner, deep]) await expect(see(eve, node)).resolves.toMatchObject({ reach: { by: 'grant' } });
    for (const node of [root, beside]) await expect(see(eve, node)).rejects.toMatchObject(code('node-not-found'));
    expect([await sharedWith(bob), await sharedWith(eve), await sharedWith(ada)]).toEqual([[docs.id], [docs.id], []]);
  });

  it('is not seen any more when its grant is gone, at once and also where it was seen before', async () => {
    const { writers, grants, etag } = await share();
    await see(eve, docs);
    await world.put(ada, docs, { writers, grants: [grants[0]!] }, etag);
    await expect(see(eve, docs)).rejects.toMatchObject(code('node-not-found'));
    expect([await sharedWith(bob), await sharedWith(eve)]).toEqual([[docs.id], []]);
  });

  it('is written by who is in the list, until the list has an end for that one', async () => {
    const { writers, grants, etag } = await share();
    await world.drive.folder(bob, docs, { name: 'by bob', writer: byList(bob) });
    await expect(world.drive.folder(eve, docs, { name: 'by eve', writer: byList(eve) })).rejects.toMatchObject(code('forbidden'));
    const ended = await listOf(ada, docs.draft, [writes(bob, 1, 1)], writers);
    const reads = await grantOf(ada, docs.draft, { to: bob });
    await world.put(ada, docs, { writers: ended, grants: [reads, grants[1]!] }, etag);
    for (const revision of [1, 2])
      await expect(world.drive.folder(bob, docs, { name: 'once more', writer: byList(bob, revision) })).rejects.toMatchObject(
        code('forbidden'),
      );
    await expect(see(bob, docs)).resolves.toBeDefined();
  });

  it('is shared by its owner alone', async () => {
    const { writers, grants, etag } = await share();
    for (const who of [bob, eve]) {
      await expect(world.put(who, docs, { writers, grants }, etag)).rejects.toMatchObject(code('forbidden'));
      await expect(world.own(who, docs)).rejects.toMatchObject(code('forbidden'));
    }
    await expect(world.put(bob, root, { writers, grants })).rejects.toMatchObject(code('node-not-found'));
  });

  it('is changed only by who has seen how it is shared now', async () => {
    const { writers, grants, etag } = await share();
    const wish = { writers, grants };
    for (const ifMatch of [undefined, '"another"']) {
      const put = world.put(ada, docs, wish, ifMatch);
      await expect(put).rejects.toMatchObject(code('precondition-failed'));
    }
    await expect(world.put(ada, docs, wish, '*')).rejects.toMatchObject(code('precondition-required'));
    await expect(world.put(ada, root, wish, etag)).rejects.toMatchObject(code('precondition-failed'));
    const puts = await Promise.allSettled([1, 2, 3].map(() => world.put(ada, docs, wish, etag)));
    expect(puts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('a note of what is shared', () => {
  it('is there before it is shared, and is forgotten when it is over and old', async () => {
    const notes = async (): Promise<number> =>
      (await world.documents.list('drive-incoming', { prefix: '', limit: 9 }, world.drive.signal)).documents.length;
    const { writers, etag } = await share();
    const ended = await listOf(ada, docs.draft, [writes(bob, 1, 1)], writers);
    await world.put(ada, docs, { writers: ended, grants: [] }, etag);
    expect([await sharedWith(bob), await notes()]).toEqual([[], 2]);
    const now = Date.now;
    Date.now = () => now() + HOUR;
    try {
      expect([await sharedWith(bob), await notes()]).toEqual([[], 1]);
    } finally {
      Date.now = now;
    }
  });

  it('tells nothing of what lies in a folder that was removed', async () => {
    await share();
    await world.drive.remove(ada, root);
    expect(await sharedWith(eve)).toEqual([]);
  });
});

describe('what an owner sends', () => {
  const refused = async (writers: Uint8Array, grants: readonly Uint8Array[], as: string, etag?: string): Promise<void> => {
    await expect(world.put(ada, docs, { writers, grants }, etag)).rejects.toMatchObject(code(as));
  };

  it('names for writing exactly those who are in the list', async () => {
    const [none, both] = [await listOf(ada, docs.draft, []), await listOf(ada, docs.draft, [writes(bob, 1)])];
    const [reads, may] = [
      await grantOf(ada, docs.draft, { to: bob }),
      await grantOf(ada, docs.draft, { to: bob, rights: 'write' }),
    ];
    await refused(none, [may], 'invalid-record');
    await refused(both, [reads], 'invalid-record');
    await refused(both, [], 'invalid-record');
    await refused(none, [reads, reads], 'invalid-record');
    await refused(none, [await grantOf(ada, docs.draft, { to: ada })], 'invalid-record');
  });

  it('is signed by the owner, for this node, its keys and the newest identity of the recipient', async () => {
    const list = await listOf(ada, docs.draft, []);
    const good = await grantOf(ada, docs.draft, { to: bob });
    await refused(flipped(list, list.length - 1), [], 'invalid-record');
    await refused(list, [flipped(good, good.length - 1)], 'invalid-record');
    await refused(await listOf(eve, docs.draft, []), [], 'invalid-record');
    await refused(list, [await grantOf(eve, docs.draft, { to: bob })], 'invalid-record');
    await refused(await listOf(ada, root.draft, []), [], 'invalid-record');
    await refused(list, [await grantOf(ada, root.draft, { to: bob })], 'invalid-record');
    await refused(list, [await grantOf(ada, docs.draft, { to: bob, kind: 'file' })], 'invalid-record');
    await refused(list, [await grantOf(ada, docs.draft, { to: bob, generation: 3 })], 'folder-changed');
    await refused(list, [await grantOf(ada, docs.draft, { to: await newPerson('bob', bob.id) })], 'identity-outdated');
    const stranger = await listOf(ada, docs.draft, [writes(await newPerson('bob', bob.id), 1)]);
    await refused(stranger, [await grantOf(ada, docs.draft, { to: bob, rights: 'write' })], 'identity-outdated');
    await refused(list, [list], 'invalid-record');
    await world.put(ada, docs, { writers: list, grants: [await grantOf(ada, docs.draft, { to: bob, generation: 2 })] });
  });

  it('follows the list of before, in which nobody may vanish, come back or end at another time', async () => {
    const { writers, grants, etag } = await share();
    const [mayBob, mayEve] = [grants[0]!, await grantOf(ada, docs.draft, { to: eve, rights: 'write' })];
    const after = (entries: Parameters<typeof listOf>[2]): Promise<Uint8Array> => listOf(ada, docs.draft, entries, writers);
    await refused(await after([]), [], 'invalid-record', etag);
    await refused(await after([writes(bob, 1, 2)]), [], 'invalid-record', etag);
    await refused(await after([writes(bob, 1), writes(eve, 1)]), [mayBob, mayEve], 'invalid-record', etag);
    await refused(await after([writes(bob, 1), writes(eve, 2, 2)]), [mayBob], 'invalid-record', etag);
    await refused(await listOf(ada, docs.draft, []), [], 'precondition-failed', etag);
    const ended = await after([writes(bob, 1, 1), writes(eve, 2)]);
    const { version } = await world.put(ada, docs, { writers: ended, grants: [mayEve] }, etag);
    const reopened = await listOf(ada, docs.draft, [writes(bob, 1), writes(eve, 2)], ended);
    await refused(reopened, [mayBob, mayEve], 'invalid-record', etagOf(version));
  });
});

function byList(who: Member, revision = 1): Member['writer'] {
  return { ...who.writer, list: { nodeId: docs.id, revision } };
}
