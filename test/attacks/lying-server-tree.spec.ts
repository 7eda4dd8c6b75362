import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sourceOfBytes, type Drive, type Entry, type RevisionEntry } from '../../src/sdk/index.js';
import { failureOf } from '../support/e2ee-world.js';
import { changesSent, heard, lastHeard, telling, type Json } from '../support/lies.js';
import { SdkServer, TamperedNet } from '../support/sdk-server.js';

/** Names and places, by the whole client and from a real server whose answers are exchanged on their way. */
const ONE = randomBytes(100);
const TWO = randomBytes(200);
/** Behind the version, the node's and the folder's id. */
const KIND_AT = 33;

let world: SdkServer;
let drive: Drive;
const net = new TamperedNet();

beforeAll(async () => {
  world = await SdkServer.start();
  drive = await world.join('ada', { fetch: net.fetch });
});

afterEach(() => net.honest());

afterAll(async () => {
  await world.remove();
});

/** A folder with two files, and how the server tells of them. */
async function twoFiles(folder: string): Promise<{ readonly one: Json; readonly two: Json }> {
  await drive.mkdir(folder);
  await drive.upload(`${folder}/one`, sourceOfBytes(ONE), { mediaType: 'a/one' });
  await drive.upload(`${folder}/two`, sourceOfBytes(TWO), { mediaType: 'a/two' });
  const [one, two] = [await told(`${folder}/one`), await told(`${folder}/two`)];
  return { one, two };
}

/** A node as the server tells of it. */
const told = (path: string): Promise<Json> => lastHeard(net, 'record', () => drive.stat(path));

const listed = (path: string): Promise<Entry[]> => Array.fromAsync(drive.list(path));

const namesIn = async (path: string): Promise<readonly string[]> => (await listed(path)).map(({ name }) => name).sort();

/** One node in the place of another, wherever the server tells of it. */
const instead = (of: Json, by: Json): TamperedNet['answer'] => telling('record', (node) => (node['id'] === of['id'] ? by : node));

/** That every way to a file fails, and that nothing was changed by it. */
async function expectRefused(path: string, failure = 'damaged'): Promise<void> {
  const calls: readonly (() => Promise<unknown>)[] = [
    () => drive.stat(path),
    () => drive.download(path),
    () => Array.fromAsync(drive.history(path)),
    () => drive.restore(path, 1),
    () => drive.rename(path, 'renamed'),
    () => drive.remove(path),
    () => drive.upload(path, sourceOfBytes(randomBytes(60_000))),
    () => drive.share(path, 'ada', 'read'),
    () => drive.link(path),
  ];
  const sent = await changesSent(net, async () => {
    for (const [at, call] of calls.entries()) expect([at, await failureOf(call())]).toEqual([at, failure]);
  });
  expect(sent).toEqual([]);
}

describe('attack 5 through the client: another version of a format', () => {
  const versioned = (text: unknown, version: number): string => {
    const bytes = Buffer.from(text as string, 'base64url');
    bytes[0] = version;
    return bytes.toString('base64url');
  };

  // Stands on `format` of src/sdk/fields.ts.
  it('is neither older nor newer read, of a record or of a manifest', async () => {
    await twoFiles('/versions');
    for (const version of [0, 2, 255]) {
      net.answer = telling('record', (node) => ({ ...node, record: versioned(node['record'], version) }));
      await expectRefused('/versions/one', 'unsupported-format');
      net.answer = telling('manifest', (content) => ({ ...content, manifest: versioned(content['manifest'], version) }));
      expect(await failureOf(drive.download('/versions/one'))).toBe('unsupported-format');
      expect(await failureOf(Array.fromAsync(drive.history('/versions/one')))).toBe('unsupported-format');
    }
    net.honest();
    expect(await namesIn('/versions')).toEqual(['one', 'two']);
  });
});

describe('attack 11 through the client: names swapped in a folder', () => {
  // Stands on the name that was asked for (src/sdk/node-finder.ts), and behind another id on the id in the record (src/sdk/drive-record.ts).
  it('one file does not answer for another: it is not shown, not renamed, not removed and not written over', async () => {
    const { one, two } = await twoFiles('/swapped');
    for (const lie of [two, { ...two, id: one['id'] }, { ...one, record: two['record'] }, { ...one, content: two['content'] }]) {
      net.answer = instead(one, lie);
      await expectRefused('/swapped/one');
    }
    net.honest();
    expect(await namesIn('/swapped')).toEqual(['one', 'two']);
  });

  // Stands on the id in the record (src/sdk/drive-record.ts, `assertExpected`).
  it('no name is listed with the id of another, on a device that has seen neither', async () => {
    await twoFiles('/ids');
    for (const name of ['three', 'four']) await drive.mkdir(`/ids/${name}`);
    for (const names of [
      ['one', 'two'],
      ['three', 'four'],
    ]) {
      const fresh = await world.login('ada', { fetch: net.fetch });
      const [one, two] = (await Promise.all(names.map((name) => drive.stat(`/ids/${name}`)))) as [Entry, Entry];
      net.answer = telling('record', (node) => ({
        ...node,
        id: node['id'] === one.id ? two.id : node['id'] === two.id ? one.id : node['id'],
      }));
      expect(await failureOf(Array.fromAsync(fresh.list('/ids')))).toBe('damaged');
      net.honest();
    }
  });

  it('what the server answers to a change is what was changed', async () => {
    const { two } = await twoFiles('/answers');
    const answering = (method: string): TamperedNet['answer'] =>
      telling('record', (node, passing) => (passing.method === method ? two : node));
    net.answer = answering('PUT');
    expect(await failureOf(drive.rename('/answers/one', 'uno'))).toBe('damaged');
    net.answer = answering('POST');
    expect(await failureOf(drive.mkdir('/answers/new'))).toBe('damaged');
    expect(await failureOf(drive.upload('/answers/file', sourceOfBytes(ONE)))).toBe('damaged');
  });
});

describe('attack 12 through the client: a node elsewhere, or as something else', () => {
  // Stands on the folder's key and on the folder in the record (src/sdk/drive-record.ts): both are taken out.
  it('a file of one folder is not shown in another', async () => {
    const { one } = await twoFiles('/here');
    await drive.mkdir('/there');
    await drive.upload('/there/one', sourceOfBytes(TWO));
    const there = await told('/there/one');
    for (const lie of [one, { ...one, id: there['id'] }]) {
      net.answer = instead(there, lie);
      await expectRefused('/there/one');
      expect(await failureOf(listed('/there'))).toBe('damaged');
    }
    const [here] = [await told('/here')];
    net.answer = instead(await told('/there'), here);
    expect(await failureOf(listed('/there'))).toBe('damaged');
    expect(await failureOf(drive.move('/here/one', '/there'))).toBe('damaged');
  });

  // Stands on the signature, the context of the seals and the kind among the attributes (src/sdk/drive-record.ts): all three are taken out.
  it('a file does not pass for a folder', async () => {
    const { one } = await twoFiles('/kinds');
    const bytes = Buffer.from(one['record'] as string, 'base64url');
    expect(bytes[KIND_AT]).toBe(2);
    bytes[KIND_AT] = 1;
    net.answer = instead(one, { ...one, record: bytes.toString('base64url') });
    await expectRefused('/kinds/one');
    expect(await failureOf(listed('/kinds'))).toBe('damaged');
  });

  // Stands on src/sdk/open-node.ts, `openContent`.
  it('a file does not pass for an empty one, nor with another revision’s number', async () => {
    const { one } = await twoFiles('/empty');
    const content = one['content'] as Json;
    for (const lie of [null, undefined, { ...content, revision: 2 }, { ...content, revision: 0 }]) {
      net.answer = instead(one, { ...one, content: lie });
      await expectRefused('/empty/one');
    }
  });
});

describe('attack 13 through the client: what nobody put there', () => {
  // Stands on the owner, the signature and the folder's key, each of which is enough; against who has the key, see lying-server-writers.spec.ts.
  it('a file of somebody else is not shown', async () => {
    const theirs = new TamperedNet();
    const mallory = await world.join('mallory', { fetch: theirs.fetch });
    await mallory.upload('/one', sourceOfBytes(TWO));
    const foreign = await lastHeard(theirs, 'record', () => mallory.stat('/one'));
    const { one, two } = await twoFiles('/injected');
    const injected: Json = { ...foreign, owner: drive.account.id };
    for (const [lie, failure] of [
      [foreign, 'damaged'],
      [injected, 'not-yours'],
    ] as const) {
      const asked =
        (answer: TamperedNet['answer']): TamperedNet['answer'] =>
        (passing, response) =>
          passing.path.startsWith(`/drive/nodes/${String(lie['id'])}`)
            ? Response.json({ ...lie, writers: [] })
            : answer(passing, response);
      net.answer = asked(telling('items', (page) => ({ ...page, items: [...(page['items'] as Json[]), lie] })));
      expect(await failureOf(listed('/injected'))).toBe(failure);
      expect(await failureOf(drive.stat('/injected/three'))).toBe(failure);
      net.answer = asked(instead(two, lie));
      await expectRefused('/injected/two', failure);
    }
    net.answer = instead(two, { ...injected, id: one['id'] });
    await expectRefused('/injected/two');
  });
});

// Stands on what is shown being only what was sealed (src/sdk/open-node.ts, `entryOf`; src/sdk/drive-content.ts).
describe('attack 22 through the client: unsealed metadata', () => {
  const FALSE = {
    name: 'virus.exe',
    kind: 'folder',
    size: 7,
    trueSize: 7,
    bytes: 7,
    mediaType: 'text/html',
    type: 'text/html',
    path: '/elsewhere',
    createdAt: '2001-01-01T00:00:00.000Z',
    changedAt: '2001-01-01T00:00:00.000Z',
    modifiedAt: '2001-01-01T00:00:00.000Z',
    updatedAt: '2001-01-01T00:00:00.000Z',
    attributes: { name: 'virus.exe' },
  };

  it('that the server adds or changes is not shown, of nodes and of contents', async () => {
    await twoFiles('/plain');
    const seen = async (): Promise<unknown> => ({
      list: (await listed('/plain')).sort((a, b) => a.name.localeCompare(b.name)),
      stat: await drive.stat('/plain/one'),
      folder: await drive.stat('/plain'),
      download: (await drive.download('/plain/two')).entry,
    });
    const honest = await seen();
    const lies = [telling('record', (node) => ({ ...node, ...FALSE })), telling('revisionId', (of) => ({ ...of, ...FALSE }))];
    for (const lie of lies) {
      net.answer = lie;
      expect(await seen()).toEqual(honest);
    }
    net.answer = telling('record', (node) => ({ ...node, owner: FALSE_OWNER }));
    expect(await failureOf(listed('/plain'))).toBe('damaged');
    expect(await failureOf(drive.stat('/plain/one'))).toBe('damaged');
  });

  // But when a revision was taken, which the server alone knows (docs/e2ee.md says so).
  it('of revisions is not shown', async () => {
    await twoFiles('/past');
    await drive.upload('/past/one', sourceOfBytes(TWO));
    const signed = ({ createdAt: _, ...entry }: RevisionEntry): Omit<RevisionEntry, 'createdAt'> => entry;
    const seen = async (): Promise<readonly unknown[]> => (await Array.fromAsync(drive.history('/past/one'))).map(signed);
    const honest = await seen();
    expect(honest).toMatchObject([{ size: 200 }, { size: 100 }]);
    expect(await heard(net, 'manifest', seen)).not.toEqual([]);
    net.answer = telling('manifest', (of) => ({ ...of, ...FALSE, writer: FALSE_OWNER, revisionId: FALSE_OWNER }));
    expect(await seen()).toEqual(honest);
  });
});

const FALSE_OWNER = '01890a5d-ac96-774b-bcce-b302099a8057';
