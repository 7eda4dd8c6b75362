import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, sourceOfBytes, type Drive, type Entry } from '../../src/sdk/index.js';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { nodeFloe } from '../../src/sdk/node-floe-back-end.js';
import { failureOf } from '../support/e2ee-world.js';
import { changesSent, lastHeard, telling, type Json } from '../support/lies.js';
import { SdkServer, TamperedNet, type Passing } from '../support/sdk-server.js';

/** Older states, by the whole client and from a real server whose answers are exchanged on their way. */
const CHANGED_AT = new Date(1_700_000_000_000);
const LARGE_BYTES = 100_000;

let world: SdkServer;
let drive: Drive;
const net = new TamperedNet();
const state = new MemoryStateStore();

beforeAll(async () => {
  world = await SdkServer.start();
  drive = await world.join('ada', { fetch: net.fetch, state });
});

afterEach(() => net.honest());

afterAll(async () => {
  await world.remove();
});

/** The same device, as a program that is started anew finds it. */
async function restart(): Promise<void> {
  await drive.close();
  drive = (await (await connect(world.server.url, { floe: nodeFloe, state, fetch: net.fetch })).resume())!;
}

/** With times that stay as they are, so that the record does, too. */
const put = (path: string, size = LARGE_BYTES): Promise<Entry> =>
  drive.upload(path, sourceOfBytes(randomBytes(size)), { changedAt: CHANGED_AT });

const told = (path: string): Promise<Json> => lastHeard(net, 'record', () => drive.stat(path));

/** What was told of a node once is told again, whatever became of it. */
const still = (old: Json): TamperedNet['answer'] => telling('record', (node) => (node['id'] === old['id'] ? old : node));

async function expectRefused(path: string): Promise<void> {
  const calls: readonly (() => Promise<unknown>)[] = [
    () => drive.stat(path),
    () => drive.download(path),
    () => Array.fromAsync(drive.history(path)),
    () => drive.restore(path, 1),
    () => drive.rename(path, 'renamed'),
    () => drive.remove(path),
    () => put(path),
    () => drive.share(path, 'ada', 'read'),
    () => drive.link(path),
    () => Array.fromAsync(drive.list(path.slice(0, path.lastIndexOf('/')) || '/')),
  ];
  const sent = await changesSent(net, async () => {
    for (const [at, call] of calls.entries()) expect([at, await failureOf(call())]).toEqual([at, 'rolled-back']);
  });
  expect(sent).toEqual([]);
}

// Stands on what the device has seen (src/sdk/succession.ts) and keeps (src/sdk/device.ts, `keepSeen`).
describe('attack 15 through the client: what was seen is not taken back', () => {
  it.each(['at once', 'after a restart of the device'])('a content: %s', async (when) => {
    const path = `/${when}/content`;
    await drive.mkdir(`/${when}`);
    await put(path);
    const old = await told(path);
    await put(path, 50_000);
    if (when !== 'at once') await restart();
    net.answer = still(old);
    await expectRefused(path);
    net.honest();
    expect(await drive.stat(path)).toMatchObject({ size: 50_000, revision: 2 });
  });

  it.each(['at once', 'after a restart of the device'])('a record: %s', async (when) => {
    const path = `/record ${when}`;
    await put(path);
    const old = await told(path);
    await drive.rename(path, 'another');
    await drive.rename('/another', path.slice(1));
    if (when !== 'at once') await restart();
    net.answer = still(old);
    await expectRefused(path);
  });

  it('a name and a place: neither the old one is found again, nor the new one taken back', async () => {
    await drive.mkdir('/from');
    await drive.mkdir('/to');
    await put('/from/file');
    const [old, from] = [await told('/from/file'), await told('/from')];
    await drive.move('/from/file', '/to');
    await restart();
    net.answer = async (passing, response) => {
      const { path } = passing;
      if (path === `/drive/nodes/${String(old['id'])}`) return Response.json(old);
      return path.startsWith(`/drive/nodes/${String(from['id'])}/children`)
        ? Response.json({ items: [old], nextCursor: null })
        : response;
    };
    expect(await failureOf(drive.stat('/from/file'))).toBe('rolled-back');
    expect(await failureOf(Array.fromAsync(drive.list('/from')))).toBe('rolled-back');
  });

  it('a history: not its newest revision, and none in the place of another', async () => {
    for (const size of [10, 20, 30]) await put('/history', size);
    await restart();
    const history = (): Promise<string | undefined> => failureOf(Array.fromAsync(drive.history('/history')));
    for (const order of [[1, 2], [0, 2, 1], [0, 0, 2], [2]]) {
      net.answer = ({ path }, response) =>
        path.includes('/revisions?')
          ? telling('items', ({ items }) => ({ items: order.map((at) => (items as Json[])[at]) }))(
              { path, method: 'GET', init: {} },
              response,
            )
          : response;
      expect([order, await history()]).toEqual([order, 'rolled-back']);
    }
    net.honest();
    const second = await lastHeard(net, 'manifest', () => drive.download('/history', { revision: 2 }));
    const calls = [() => drive.download('/history', { revision: 1 }), () => drive.restore('/history', 1)];
    net.answer = telling('manifest', (of) => (of['createdAt'] === undefined ? of : second));
    for (const call of calls) expect(await failureOf(call())).toBe('damaged');
    net.answer = telling('manifest', (of) => (of['createdAt'] === undefined ? of : { ...second, revision: 1 }));
    for (const call of calls) expect(await failureOf(call())).toBe('damaged');
  });

  // Stands on src/sdk/drive-root.ts.
  it('the root: a drive that had one is not empty', async () => {
    await restart();
    net.answer = ({ path }, response) =>
      path === '/drive/root' ? Response.json({ code: 'node-not-found' }, { status: 404 }) : response;
    const sent = await changesSent(net, async () => {
      expect(await failureOf(drive.stat('/'))).toBe('rolled-back');
      expect(await failureOf(Array.fromAsync(drive.list('/')))).toBe('rolled-back');
      expect(await failureOf(put('/new'))).toBe('rolled-back');
    });
    expect(sent).toEqual([]);
  });
});

// Stands on what is remembered of an acknowledged change (src/sdk/acknowledged.ts).
describe('attack 15 through the client: what was acknowledged is not unmade', () => {
  const changes: readonly (readonly [string, (path: string) => Promise<unknown>])[] = [
    ['a content', (path) => put(path, 70_000)],
    ['a small content', (path) => put(path, 70)],
    ['a restored content', (path) => drive.restore(path, 1)],
    ['a name', (path) => drive.rename(path, 'renamed')],
    ['a place', (path) => drive.move(path, '/elsewhere')],
  ];

  it.each(changes)('%s, by a server that says that it took it and goes on as before', async (what, change) => {
    await drive.mkdir('/elsewhere', { parents: true });
    const path = `/${what} unmade`;
    await put(path);
    await put(path);
    const old = await told(path);
    const sent = await changesSent(net, async () => {
      net.answer = still(old);
      expect(await failureOf(change(path))).toBe(what === 'a place' ? 'damaged' : 'rolled-back');
    });
    expect(sent.length).toBeGreaterThan(0);
    if (what.endsWith('content')) return expectRefused(path);
    // The server has it elsewhere, and goes on to show it where it was.
    const there = telling('items', ({ items, ...page }) => ({ ...page, items: [...(items as Json[]), old] }));
    net.answer = async (passing, response) => there(passing, await still(old)(passing, response));
    expect(await failureOf(Array.fromAsync(drive.list('/')))).toBe('rolled-back');
  });
});

// Stands on the key that is drawn for each content and each folder (src/sdk/file-writer.ts, `isOf`; src/sdk/drive-tree.ts): ids are the server's.
describe('attack 15 through the client: an id that was given before', () => {
  it('does not make an old content pass for the new one', async () => {
    await put('/replaced');
    const old = await told('/replaced');
    const { revisionId } = old['content'] as { revisionId: string };
    net.answer = (passing, response) => {
      if (passing.path.includes('/parts/') && passing.method === 'PUT') return Response.json({});
      return telling('uploadId', (upload) => ({ ...upload, uploadId: revisionId }))(passing, response);
    };
    const sent = await changesSent(net, () => failureOf(put('/replaced', 60_000)));
    expect(sent.at(-1)).toMatch(/^POST .*\/revisions$/u);
  });

  it('does not make a file or a folder that is there pass for the new one, if an answer is lost', async () => {
    await put('/there');
    await drive.mkdir('/folder');
    const [file, folder] = [await told('/there'), await told('/folder')];
    await restart(); // without the ids that are at hand
    let lost = 0;
    net.before = ({ method, path }) => {
      if (method === 'POST' && path === '/drive/nodes' && (lost += 1) === 1) throw new TypeError('terminated');
    };
    const taken = (): Response => Response.json({ code: 'name-taken' }, { status: 409 });
    const isMade = ({ method, path }: Passing): boolean => method === 'POST' && path === '/drive/nodes';
    const givingIds = telling('ids', ({ ids }) => ({ ids: (ids as string[]).map(() => folder['id']) }));
    net.answer = (passing, response) => (isMade(passing) ? taken() : givingIds(passing, response));
    expect(await failureOf(drive.mkdir('/folder'))).toBe('exists');
    expect(lost).toBe(2);
    lost = 0;
    const hiding = telling('items', (page) => (lost === 0 ? { ...page, items: [] } : page));
    net.answer = async (passing, response) => {
      if (passing.path.includes('/parts/') && passing.method === 'PUT') return Response.json({});
      if (isMade(passing)) return taken();
      const upload = await telling('uploadId', (of) => ({ ...of, nodeId: file['id'] }))(passing, response);
      return hiding(passing, upload);
    };
    expect(await failureOf(put('/there'))).toBe('exists');
    expect(lost).toBe(2);
    net.honest();
    expect(await drive.stat('/there')).toMatchObject({ size: LARGE_BYTES, revision: 1 });
  });
});
