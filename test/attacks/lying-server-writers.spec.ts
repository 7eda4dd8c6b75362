import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path/posix';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, sourceOfBytes, type Drive } from '../../src/sdk/index.js';
import { fromBase64Url } from '../../src/sdk/bytes.js';
import { readNodeHead } from '../../src/sdk/drive-record.js';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { nodeFloe } from '../../src/sdk/node-floe-back-end.js';
import { readManifestHead } from '../../src/sdk/revision-manifest.js';
import { failureOf, newUuid } from '../support/e2ee-world.js';
import { changesSent, heard, lastHeard, telling, type Json } from '../support/lies.js';
import { SdkServer, TamperedNet } from '../support/sdk-server.js';

/** Rights to write, by the whole client. Mallory, who may read one folder and write in another, does what the server asks her to. */
const LARGE_BYTES = 100_000;

let world: SdkServer;
let alice: Drive;
let mallory: Drive;
const net = new TamperedNet();
const theirs = new TamperedNet();
const state = new MemoryStateStore();

beforeAll(async () => {
  world = await SdkServer.start();
  alice = await world.join('alice', { fetch: net.fetch, state });
  mallory = await world.join('mallory', { fetch: theirs.fetch });
  for (const [path, rights] of [
    ['/read', 'read'],
    ['/write', 'write'],
    ['/lent', 'write'],
  ] as const) {
    await alice.mkdir(path);
    await put(alice, `${path}/file`);
    await alice.share(path, 'mallory', rights);
  }
  for await (const { id } of mallory.shared()) await mallory.accept(id);
});

afterEach(() => {
  net.honest();
  theirs.honest();
});

afterAll(async () => {
  await world.remove();
});

const put = (drive: Drive, path: string, size = LARGE_BYTES): Promise<unknown> =>
  drive.upload(path, sourceOfBytes(randomBytes(size)), { changedAt: new Date(1_700_000_000_000) });

const told = (path: string): Promise<Json> => lastHeard(net, 'record', () => alice.stat(path));

/** The newest list of writers of a folder. */
async function listOf(path: string): Promise<Json> {
  const lists = await heard(net, 'list', () => Array.fromAsync(alice.list(path)));
  const { id } = await alice.stat(path);
  return lists.find(({ nodeId }) => nodeId === id)!;
}

/** The lists of an answer with these among them, in the place of those of the same nodes. */
function withLists({ writers }: Json, lists: readonly Json[]): readonly Json[] {
  const isTold = ({ nodeId }: Json): boolean => lists.some((list) => list['nodeId'] === nodeId);
  return [...(writers as Json[]).filter((list) => !isTold(list)), ...lists];
}

/** What Mallory's client sends for a change, if the server tells her these lists and takes everything. */
async function written(lists: readonly Json[], change: () => Promise<unknown>): Promise<Json> {
  let sent: Json = {};
  const taken = (path: string, body: Json): Json | undefined => {
    if (path === '/drive/uploads') return { nodeId: newUuid(), ...body, uploadId: newUuid() };
    return path.startsWith('/drive/uploads/') ? {} : undefined;
  };
  theirs.before = ({ method, path, init }) => {
    if (method !== 'GET' && path.startsWith('/drive/nodes')) sent = JSON.parse(init.body as string) as Json;
  };
  theirs.answer = (passing, response) => {
    const body = typeof passing.init.body === 'string' ? (JSON.parse(passing.init.body) as Json) : {};
    const answer = taken(passing.path, body);
    return answer === undefined
      ? telling('writers', (way) => ({ ...way, writers: withLists(way, lists) }))(passing, response)
      : Response.json(answer);
  };
  expect(await failureOf(change())).toBeDefined(); // what the honest server says to it
  theirs.honest();
  expect(sent).not.toEqual({});
  return sent;
}

/** A node as a server would tell of it that has taken that. */
function nodeOf(sent: Json, before?: Json): Json {
  const record = (sent['record'] ?? before?.['record']) as string;
  const { nodeId } = readNodeHead(fromBase64Url(record)!);
  const manifest = sent['manifest'] as string | undefined;
  const head = manifest === undefined ? undefined : readManifestHead(fromBase64Url(manifest)!);
  const content = head && { revision: head.revision, revisionId: head.revisionId, manifest, bytes: 1, inlined: false };
  return { owner: alice.account.id, etag: '"1"', content: null, ...before, id: nodeId, record, ...(content && { content }) };
}

/** Tells Alice of a node wherever it could be, and of these lists besides her own. */
function showing(node: Json, lists: readonly Json[] = []): TamperedNet['answer'] {
  const told = telling('items', (page, { path }) => {
    const items = (page['items'] as Json[]).map((item) => (item['id'] === node['id'] ? node : item));
    const isAskedFor = items.length === 0 || !path.includes('nameTag');
    return { ...page, items: items.includes(node) || !isAskedFor ? items : [...items, node] };
  });
  const listed = telling('writers', (way) => ({ ...way, writers: withLists(way, lists) }));
  return async (passing, response) => {
    if (passing.path === `/drive/nodes/${String(node['id'])}`) return Response.json(node);
    if (passing.path === `/drive/nodes/${String(node['id'])}/path` && !response.ok)
      return Response.json({ nodes: [], writers: lists });
    return listed(passing, await told(passing, response));
  };
}

async function expectRefused(path: string, failure: string): Promise<void> {
  const calls: readonly (() => Promise<unknown>)[] = [
    () => alice.stat(path),
    () => alice.download(path),
    () => Array.fromAsync(alice.list(dirname(path))),
    () => alice.rename(path, 'renamed'),
    () => alice.remove(path),
    () => put(alice, path),
  ];
  await expectAll(calls, failure);
}

async function expectAll(calls: readonly (() => Promise<unknown>)[], failure: string): Promise<void> {
  const sent = await changesSent(net, async () => {
    for (const [at, call] of calls.entries()) expect([at, await failureOf(call())]).toEqual([at, failure]);
  });
  expect(sent).toEqual([]);
}

// Stands on the lists of the folders above, and of no others, by which a signature counts (src/sdk/writers.ts, src/sdk/open-node.ts,
// src/sdk/way.ts): Mallory has the keys of `/read`, and signs by the list of `/write`.
describe('attack 13 and 14 through the client: a reader, together with the server,', () => {
  it('makes no file and no folder appear', async () => {
    const lists = [await listOf('/write'), await listOf('/read')];
    const file = await written(lists, () => put(mallory, '@read/new'));
    const small = await written(lists, () => put(mallory, '@read/new', 10));
    const folder = await written(lists, () => mallory.mkdir('@read/new'));
    for (const sent of [file, small, folder]) {
      net.answer = showing(nodeOf(sent), lists);
      await expectRefused('/read/new', 'not-yours');
    }
  });

  it('changes no content and no name, and no key that is given on', async () => {
    const lists = [await listOf('/write'), await listOf('/read')];
    const honest = await told('/read/file');
    const content = await written(lists, () => put(mallory, '@read/file'));
    const name = await written(lists, () => mallory.rename('@read/file', 'new'));
    for (const sent of [content, name]) {
      net.answer = showing(nodeOf(sent, honest), lists);
      await expectRefused('/read/file', 'not-yours');
    }
    const renamed = nodeOf(name, honest);
    net.answer = telling('nodes', (way) => ({
      nodes: (way['nodes'] as Json[]).map((node) => (node['id'] === honest['id'] ? renamed : node)),
      writers: withLists(way, lists),
    }));
    const calls = [
      () => alice.link('/read/file'),
      () => alice.share('/read/file', 'mallory', 'read'),
      () => alice.sharing('/read/file'),
    ];
    await expectAll(calls, 'not-yours');
    net.honest();
    expect(await alice.sharing('/read/file')).toEqual({ grants: [], links: [] });
  });
});

describe('attack 14 and 15 through the client: a right to write that was taken', () => {
  // Stands on what was seen of the list, on `isByOlderList` (src/sdk/succession.ts), and on the absence of a list that was seen.
  it('is not brought back by an older list, by none, or by what is dated back', async () => {
    await put(mallory, '@lent/file');
    const old = await listOf('/lent');
    await alice.share('/lent', 'mallory', 'read');
    await put(alice, '/lent/file');
    const honest = await told('/lent/file');
    const datedBack = nodeOf(await written([old], () => put(mallory, '@lent/file')), honest);
    net.answer = showing(datedBack);
    await expectRefused('/lent/file', 'rolled-back');

    await alice.close();
    alice = (await (await connect(world.server.url, { floe: nodeFloe, state, fetch: net.fetch })).resume())!;
    const lies = [
      telling('list', (list) => (list['nodeId'] === old['nodeId'] ? old : list)),
      telling('writers', (way) =>
        Array.isArray(way['writers']) ? { ...way, writers: [] } : { ...way, writers: null, etag: null },
      ),
    ];
    for (const lie of lies) {
      net.answer = lie;
      const calls = [
        () => Array.fromAsync(alice.list('/lent')),
        () => put(alice, '/lent/new'),
        () => alice.link('/lent'),
        () => alice.share('/lent', 'mallory', 'write'),
        () => alice.unshare('/lent', 'mallory'),
      ];
      await expectAll(calls, 'rolled-back');
    }
  });

  // Stands on what is remembered of an acknowledged change (src/sdk/acknowledged.ts).
  it('is not kept by a server that says that it was taken, and goes on as before', async () => {
    await alice.mkdir('/undone');
    await alice.share('/undone', 'mallory', 'write');
    const [node, list] = [await told('/undone'), await listOf('/undone')];
    const sharing = await lastHeard(net, 'grants', () => alice.sharing('/undone'));
    const lies = [
      telling('list', (honest) => (honest['nodeId'] === list['nodeId'] ? list : honest)),
      telling('record', (honest) => (honest['id'] === node['id'] ? node : honest)),
      telling('grants', () => sharing),
    ];
    net.answer = async (passing, response) => {
      let told = response;
      for (const lie of lies) told = await lie(passing, told);
      return told;
    };
    expect(await failureOf(alice.unshare('/undone', 'mallory'))).toBe('rolled-back');
    expect(await failureOf(put(alice, '/undone/secret'))).toBe('rolled-back');
  });
});
