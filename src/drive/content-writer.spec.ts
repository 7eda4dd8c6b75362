import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ContentWorld } from '../../test/support/drive-contents.js';
import { DomainError } from '../common/errors.js';
import { newId, type FileId } from '../common/ids.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const bytes = (text: string): Buffer => Buffer.from(text);

let world: ContentWorld;
let root: FileId;

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['setTimeout', 'setInterval', 'setImmediate', 'nextTick', 'queueMicrotask'] });
  world = await ContentWorld.make();
  root = await world.folder(world.account);
});

afterEach(() => {
  jest.useRealTimers();
});

function pass(ms: number): void {
  jest.setSystemTime(Date.now() + ms);
}

/** An upload of a new file with these parts, and their digests. */
async function upload(...parts: readonly string[]): Promise<{ id: FileId; nodeId: FileId; digests: Uint8Array[] }> {
  const nodeId = newId<FileId>();
  const { id } = await world.uploads.begin(world.account, nodeId, { by: world.account, parentId: root }, world.signal);
  const digests: Uint8Array[] = [];
  for (const [part, text] of parts.entries()) digests.push((await world.part(id, part, bytes(text)))!);
  return { id, nodeId, digests };
}

describe('contents of a drive', () => {
  it('are what was uploaded, and the upload takes no more parts', async () => {
    const { id, nodeId, digests } = await upload('one', 'two');
    await world.commit(nodeId, root, { revisionId: id, digests });
    expect(await world.read(nodeId)).toEqual(bytes('onetwo'));
    expect(await world.part(id, 0, bytes('other'))).toBeUndefined();
    expect(await world.keys('u/')).toEqual([]);
  });

  it('take the newest of several parts of one number, and remove the others', async () => {
    const { id, nodeId } = await upload('old');
    const digest = (await world.part(id, 0, bytes('new')))!;
    await world.part(id, 1, bytes('not wanted'));
    await world.commit(nodeId, root, { revisionId: id, digests: [digest] });
    expect(await world.read(nodeId)).toEqual(bytes('new'));
    expect(await world.keys('p/')).toHaveLength(1);
  });

  it('are refused if a part is missing or another one, and the upload goes on', async () => {
    const { id, nodeId, digests } = await upload('one', 'two');
    const [one, two] = digests as [Uint8Array, Uint8Array];
    for (const wrong of [[two, one], [one, two, one], undefined])
      await expect(world.commit(nodeId, root, { revisionId: id, ...(wrong && { digests: wrong }) })).rejects.toMatchObject({
        code: 'parts-missing',
      });
    await world.commit(nodeId, root, { revisionId: id, digests });
    expect(await world.read(nodeId)).toEqual(bytes('onetwo'));
  });

  it('come back by the id of an older revision, whose parts are then of both', async () => {
    const { id, nodeId, digests } = await upload('first');
    await world.commit(nodeId, root, { revisionId: id, digests });
    await world.commit(nodeId, root, { inline: bytes('second') });
    await world.commit(nodeId, root, { revisionId: id });
    expect(await world.read(nodeId)).toEqual(bytes('first'));
    expect(await world.read(nodeId, 2)).toEqual(bytes('second'));
    await expect(world.commit(nodeId, root, { revisionId: id, inline: bytes('x') })).rejects.toMatchObject({
      code: 'invalid-record',
    });
  });

  it('lose nothing when the first one is sent again for a file that was made', async () => {
    const nodeId = newId<FileId>();
    await world.commit(nodeId, root, { inline: randomBytes(20_000) });
    await world.commit(nodeId, root, { inline: bytes('second') });
    const writer = { accountId: world.account, bundleVersion: 1 };
    const head = { nodeId, revisionId: newId<FileId>(), generation: 1, revision: 1, previousHash: new Uint8Array(32), writer };
    const again = { account: world.account, nodeId, manifest: randomBytes(16), head, current: undefined, digests: undefined };
    await expect(
      world.writer.write({ ...again, content: randomBytes(20_000), isFor: () => true }, () => Promise.resolve(), world.signal),
    ).rejects.toMatchObject({ code: 'name-taken' });
    expect(await world.read(nodeId)).toEqual(bytes('second'));
    expect(await world.read(nodeId, 1)).toHaveLength(20_000);
  });

  it.each([0, 1, 2])(
    'are whole or not there if the process dies after %d changes, and the next commit goes through',
    async (changes) => {
      const { id, nodeId, digests } = await upload('one');
      world.documents.dieAfter(changes);
      const isDone = await world.commit(nodeId, root, { revisionId: id, digests }).then(
        () => true,
        () => false,
      );
      world = await world.restart();
      const node = await world.node(nodeId);
      expect(node?.content?.revisionId).toBe(changes === 2 ? id : undefined);
      expect(isDone).toBe(changes === 2);
      // After the node names it, the parts are the revision's, although the upload is still there.
      expect((await world.part(id, 0, bytes('changed'))) === undefined).toBe(changes === 2);
      if (node === undefined) {
        const digest = (await world.part(id, 0, bytes('one more')))!;
        await world.commit(nodeId, root, { revisionId: id, digests: [digest] });
        expect(await world.read(nodeId)).toEqual(bytes('one more'));
      } else {
        expect(await world.read(nodeId)).toEqual(bytes('one'));
      }
      expect(await world.keys('r/')).toHaveLength(1);
      pass(8 * DAY_MS);
      expect(await world.sweep()).toEqual([]);
      expect(await world.keys()).toHaveLength(4); // root, node, revision, part
    },
  );

  it('shows a part out that is on its way when the commit begins', async () => {
    const { id, nodeId, digests } = await upload('one');
    const late = world.gate.enter(id, world.signal);
    const commit = world.commit(nodeId, root, { revisionId: id, digests });
    await new Promise((resolve) => late.signal.addEventListener('abort', resolve));
    expect(() => world.gate.enter(id, world.signal)).toThrow('too-busy');
    for (let tick = 0; tick < 50; tick += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(await world.node(nodeId)).toBeUndefined();
    late.leave();
    await commit;
    expect(await world.read(nodeId)).toEqual(bytes('one'));
  });

  it('are kept in their newest 100 revisions', async () => {
    const { id, nodeId, digests } = await upload('first');
    await world.commit(nodeId, root, { revisionId: id, digests });
    for (let revision = 2; revision <= 102; revision += 1) await world.commit(nodeId, root, { inline: bytes(String(revision)) });
    expect(await world.read(nodeId, 2)).toBeUndefined();
    expect(await world.read(nodeId, 3)).toEqual(bytes('3'));
    await world.tidier.tidy({ account: world.account, nodeId }, world.signal);
    expect(await world.keys('r/')).toHaveLength(100);
    expect(await world.keys('p/')).toEqual([]);
    await expect(world.commit(nodeId, root, { revisionId: id })).rejects.toMatchObject({ code: 'parts-missing' });
  });
});

describe('the first content of a file, if it is small,', () => {
  const small = bytes('small');

  async function smallFile(): Promise<FileId> {
    const nodeId = newId<FileId>();
    await world.commit(nodeId, root, { inline: small });
    return nodeId;
  }

  it('lies in its node, and gets a document of its own before the next one counts', async () => {
    const nodeId = await smallFile();
    expect([await world.keys('r/'), await world.read(nodeId)]).toEqual([[], small]);
    await world.commit(nodeId, root, { inline: bytes('next') });
    expect(await world.keys('r/')).toHaveLength(2);
    expect([await world.read(nodeId, 1), await world.read(nodeId)]).toEqual([small, bytes('next')]);
    expect((await world.node(nodeId))?.content?.kept).toBeUndefined();
  });

  it('comes back by its id, also right behind itself', async () => {
    const nodeId = await smallFile();
    const { revisionId } = (await world.node(nodeId))!.content!;
    await expect(world.commit(nodeId, root, { revisionId, inline: bytes('x') })).rejects.toMatchObject({
      code: 'invalid-record',
    });
    await world.commit(nodeId, root, { revisionId });
    await world.commit(nodeId, root, { inline: bytes('third') });
    await world.commit(nodeId, root, { revisionId });
    const all = [1, 2, 3, 4].map((revision) => world.read(nodeId, revision));
    expect(await Promise.all(all)).toEqual([small, small, bytes('third'), small]);
  });

  it.each([
    [0, 'the next commit'],
    [1, 'the sweep'],
    [1, 'the next commit'],
    [2, 'the sweep'],
    [2, 'the next commit'],
    [3, 'the next commit'],
  ])('is there once, if the process dies after %d changes of a commit and %s comes then', async (changes, then) => {
    const nodeId = await smallFile();
    world.documents.dieAfter(changes);
    await world.commit(nodeId, root, { inline: bytes('next') }).catch(() => undefined);
    world = await world.restart();
    const isDone = changes === 3;
    expect(await world.read(nodeId, 1)).toEqual(small);
    expect(await world.read(nodeId)).toEqual(isDone ? bytes('next') : small);
    if (then === 'the sweep') {
      pass(2 * HOUR_MS);
      expect(await world.sweep()).toEqual([]);
      expect(await world.keys('r/')).toEqual([]);
    }
    await world.commit(nodeId, root, { inline: bytes('after') });
    expect(await world.read(nodeId, 1)).toEqual(small);
    expect(await world.read(nodeId)).toEqual(bytes('after'));
    expect(await world.keys('r/')).toHaveLength(isDone ? 3 : 2);
  });

  it('stays whole if a commit is taken back and the process dies in that', async () => {
    const nodeId = await smallFile();
    const { content } = (await world.node(nodeId))!;
    const head = {
      nodeId,
      revisionId: content!.revisionId, // it is restored right behind itself
      generation: 1,
      revision: 2,
      previousHash: Uint8Array.from(content!.manifestHash),
      writer: { accountId: world.account, bundleVersion: 1 },
    };
    const next = {
      account: world.account,
      nodeId,
      manifest: bytes('manifest'),
      head,
      current: content,
      content: undefined,
      digests: undefined,
      isFor: () => true,
    };
    const overtaken = world.writer.write(
      next,
      () => {
        world.documents.dieAfter(1); // one of both documents is taken back
        return Promise.reject(new DomainError('precondition-failed', 'somebody was faster'));
      },
      world.signal,
    );
    await expect(overtaken).rejects.toMatchObject({ code: 'precondition-failed' });
    world = await world.restart();
    expect(await world.read(nodeId)).toEqual(small);
    await world.commit(nodeId, root, { inline: bytes('after') });
    expect([await world.read(nodeId, 1), await world.read(nodeId)]).toEqual([small, bytes('after')]);
    expect(await world.keys('r/')).toHaveLength(2);
  });

  it.each([
    ['a content', { inline: Buffer.alloc(8 * 1024 + 1), manifest: Buffer.alloc(16, 1) }],
    ['a manifest', { inline: small, manifest: Buffer.alloc(4 * 1024 + 1, 1) }],
  ])('lies in a document of its own if it has %s that is too long for a list', async (_what, wish) => {
    const nodeId = newId<FileId>();
    await world.commit(nodeId, root, wish);
    expect(await world.keys('r/')).toHaveLength(1);
    expect(await world.read(nodeId)).toEqual(wish.inline);
  });

  it('goes with the node', async () => {
    const nodeId = await smallFile();
    await world.remove(nodeId);
    expect([await world.read(nodeId), await world.keys('n/')]).toEqual([undefined, [expect.any(String)]]);
  });
});

describe('the removal of a folder', () => {
  it('takes nothing from a node that is there', async () => {
    const { id, nodeId, digests } = await upload('one');
    await world.commit(nodeId, root, { revisionId: id, digests });
    expect(await world.tidier.clear({ account: world.account, nodeId }, world.signal)).toBe(0);
    expect(await world.read(nodeId)).toEqual(bytes('one'));
  });

  it('leaves a node that was moved out of it after it was listed', async () => {
    const folder = await world.folder(root);
    const moved = await world.folder(folder);
    const { heads } = await world.store.heads(world.account, { prefix: `n/${folder}/`, limit: 1 }, world.signal);
    const { document } = (await world.node(moved))!;
    const change = { bytes: document.bytes, key: `n/${root}/elsewhere`, expected: document.revision };
    await world.store.replace(world.account, moved, change, world.signal);
    expect(await world.removal.removeNode(world.account, heads[0]!, world.signal)).toBeUndefined();
    await world.remove(folder);
    expect(await world.node(moved)).toBeDefined();
  });
});

describe('the sweep of a drive', () => {
  it('leaves what is younger than an hour, and uploads that had a part within seven days', async () => {
    const { id } = await upload('one');
    pass(6 * DAY_MS);
    await world.part(id, 1, bytes('two'));
    pass(6 * DAY_MS);
    await world.sweep();
    expect(await world.keys('p/')).toHaveLength(2);
    pass(2 * DAY_MS);
    await world.sweep();
    expect(await world.keys()).toHaveLength(1);
    const lost = await world.folder(newId<FileId>());
    await world.sweep();
    expect(await world.node(lost)).toBeDefined();
    pass(HOUR_MS);
    await world.sweep();
    expect(await world.node(lost)).toBeUndefined();
  });

  it('leaves a revision that no node names until it is an hour old', async () => {
    const { id, nodeId, digests } = await upload('one');
    world.documents.dieAfter(1);
    await expect(world.commit(nodeId, root, { revisionId: id, digests })).rejects.toThrow('dead');
    world = await world.restart();
    await world.sweep();
    expect(await world.keys('r/')).toHaveLength(1);
    pass(HOUR_MS);
    await world.sweep();
    expect(await world.keys('r/')).toEqual([]);
    expect(await world.keys('p/')).toHaveLength(1);
  });

  it('goes on behind something that it cannot read, which it leaves as it is', async () => {
    const damaged = newId<FileId>();
    await world.commit(damaged, root, { inline: bytes('one') });
    await world.commit(damaged, root, { inline: bytes('two') });
    const { document } = (await world.node(damaged))!;
    const change = { bytes: bytes('not a node'), expected: document.revision };
    await world.store.replace(world.account, damaged, change, world.signal);
    await world.folder(newId<FileId>());
    const { id } = await upload('forgotten');
    await world.store.remove(world.account, id, undefined, world.signal);
    pass(DAY_MS);
    expect(await world.sweep()).toHaveLength(1);
    expect(await world.keys('p/')).toEqual([]);
    expect(await world.keys('r/')).toHaveLength(2);
    expect(await world.keys('n/')).toHaveLength(2);
  });
});
