import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, sourceOfBytes, type Drive, type DriveServer } from '../../src/sdk/index.js';
import { concat, fromBase64Url, sha256, utf8, type Bytes } from '../../src/sdk/bytes.js';
import { makeLink, openLink } from '../../src/sdk/link.js';
import { newLinkSecret } from '../../src/sdk/link-url.js';
import { nodeFloe } from '../../src/sdk/node-floe-back-end.js';
import { failureOf, newPerson, openLinkWith } from '../support/e2ee-world.js';
import { lastHeard, telling, turned, type Json } from '../support/lies.js';
import { SdkServer, TamperedNet, type Passing } from '../support/sdk-server.js';

/** Links, by the whole client and from a real server whose answers are exchanged on their way. */
const NODE_ID_AT = 1 + 16;
const COST_AT = 1 + 16 + 16 + 1 + 4 + 1 + 16;

let world: SdkServer;
let alice: Drive;
let gate: DriveServer;
const net = new TamperedNet();
const theirs = new TamperedNet();
/** Argon2id itself takes long, and has a test of its own. */
const hashed: Uint8Array[] = [];
const passwordHash = (password: Uint8Array, salt: Uint8Array): Promise<Bytes> => {
  hashed.push(password);
  return sha256(concat(password, salt));
};

beforeAll(async () => {
  world = await SdkServer.start();
  alice = await world.join('alice', { fetch: net.fetch, passwordHash });
  gate = await connect(world.server.url, { floe: nodeFloe, fetch: theirs.fetch, passwordHash });
  for (const folder of ['/Open', '/Closed']) {
    await alice.mkdir(folder);
    for (const name of ['one', 'two']) await put(`${folder}/${name}`, `${folder} ${name}`);
  }
});

afterEach(() => {
  net.honest();
  theirs.honest();
});

afterAll(async () => {
  await world.remove();
});

const put = (path: string, text: string): Promise<unknown> => alice.upload(path, sourceOfBytes(utf8(text)));

async function get(view: Pick<Drive, 'download'>, path: string): Promise<string> {
  return Buffer.concat(await Array.fromAsync((await view.download(path)).body)).toString('utf8');
}

/** The record of a link, which the server keeps. */
const recordOf = async (url: string, password?: string): Promise<string> =>
  (await lastHeard(theirs, 'credential', () => gate.openLink(url, password === undefined ? {} : { password })))['link'] as string;

/** The server gives another record for every link. */
const giving = (link: string): TamperedNet['answer'] => telling('credential', (of) => ({ ...of, link }));

const told = (path: string): Promise<Json> => lastHeard(net, 'record', () => alice.stat(path));

describe('attack 17 through the client: a link', () => {
  // Stands on the id and the whole head in the seal of a link (src/sdk/link.ts).
  it('is not pointed at another node', async () => {
    const [open, closed] = [await alice.link('/Open'), await alice.link('/Closed')];
    const [mine, other] = [await recordOf(open.url), await recordOf(closed.url)];
    theirs.answer = giving(other);
    expect(await failureOf(gate.openLink(open.url))).toBe('damaged');
    const moved = Buffer.from(mine, 'base64url');
    Buffer.from(other, 'base64url').copy(moved, NODE_ID_AT, NODE_ID_AT, NODE_ID_AT + 16);
    theirs.answer = giving(moved.toString('base64url'));
    expect(await failureOf(gate.openLink(open.url))).toBe('wrong-key');
    for (const at of [16, 33, 37, 45, 70, 100, -1]) {
      theirs.answer = giving(turned(mine, at));
      expect([at, await failureOf(gate.openLink(open.url))]).toEqual([at, expect.any(String)]);
    }
    theirs.honest();
    expect((await gate.openLink(open.url)).entry.name).toBe('Open');
  });

  // Stands on the secret, which the server has not got (src/sdk/link.ts).
  it('is not made anew by the server, for a folder of its own', async () => {
    const { id: linkId, url } = await alice.link('/Open');
    const mallory = await newPerson('mallory', alice.account.id);
    const { id: nodeId } = await alice.stat('/Closed');
    const draft = { linkId, nodeId, kind: 'folder', generation: 1, nodeKey: new Uint8Array(32), owner: mallory.owner } as const;
    theirs.answer = giving(Buffer.from(await makeLink({ ...draft, secret: newLinkSecret() })).toString('base64url'));
    expect(await failureOf(gate.openLink(url))).toBe('wrong-key');
  });

  // Stands on the id in the record and on what it is sealed under (src/sdk/drive-record.ts), as in an account's own tree.
  it('shows nothing in the place of what it was made for, and nothing older', async () => {
    const { url } = await alice.link('/Open');
    const [open, closed] = [await told('/Open'), await told('/Closed')];
    const [one, two] = [await told('/Open/one'), await told('/Open/two')];
    for (const lie of [closed, { ...closed, id: open['id'] }]) {
      theirs.answer = telling('record', (node) => (node['id'] === open['id'] ? lie : node));
      expect(await failureOf(gate.openLink(url))).toBe('damaged');
    }
    theirs.honest();
    const view = await gate.openLink(url);
    for (const lie of [two, { ...two, id: one['id'] }, { ...one, content: two['content'] }]) {
      theirs.answer = telling('record', (node) => (node['id'] === one['id'] ? lie : node));
      expect(await failureOf(view.stat('/one'))).toBe('damaged');
      expect(await failureOf(view.download('/one'))).toBe('damaged');
    }
    theirs.honest();
    await put('/Open/one', 'newer');
    expect(await get(view, '/one')).toBe('newer');
    theirs.answer = telling('record', (node) => (node['id'] === one['id'] ? one : node));
    expect(await failureOf(view.download('/one'))).toBe('rolled-back');
  });
});

describe('attack 17 through the client: the key of a link', () => {
  // Stands on the purposes of proof and key (src/sdk/link.ts), and on the secret's place behind the `#` (src/sdk/link-url.ts).
  it('is in nothing that the server is sent, and what it is shown opens nothing', async () => {
    const sent: Passing[] = [];
    for (const one of [net, theirs]) one.before = (passing) => void sent.push(passing);
    const { id, url } = await alice.link('/Open', { password: 'Sandburg' });
    const plain = await alice.link('/Open');
    await get(await gate.openLink(url, { password: 'Sandburg' }), '/two');
    await get(await gate.openLink(plain.url), '/two');
    const texts = sent.map(({ path, init: { headers, body } }) => JSON.stringify([path, headers, body]));
    expect(texts.some((text) => text.includes(id))).toBe(true);
    for (const link of [url, plain.url]) {
      const fragment = new URL(link).hash.slice(1);
      const secret = Buffer.from(fragment, 'base64url').subarray(1);
      for (const form of [fragment, secret.toString('base64url'), secret.toString('base64'), secret.toString('hex'), 'Sandburg'])
        expect(texts.filter((text) => text.includes(form))).toEqual([]);
    }
    const shown = sent.findLast(({ path }) => path === `/drive/links/${plain.id}/open`)!;
    const { proof } = JSON.parse(shown.init.body as string) as { proof: string };
    const record = fromBase64Url(await recordOf(plain.url))!;
    expect(await failureOf(openLink(record, { linkId: plain.id, secret: fromBase64Url(proof)! }))).toBe('wrong-key');
    expect(await failureOf(openLinkWith(fromBase64Url(proof)!, record))).toBe('damaged');
  });

  // Stands on the head in the seal of a link (src/sdk/link.ts), and on the floor of the cost (src/sdk/password-cost.ts).
  it('asks for its password whatever the server says, and for no weaker hash of it', async () => {
    const { url } = await alice.link('/Open', { password: 'Sandburg' });
    const record = await recordOf(url, 'Sandburg');
    const bytes = Buffer.from(record, 'base64url');
    const withPasswordAt = COST_AT - 16 - 1;
    expect(bytes[withPasswordAt]).toBe(1);
    const without = Buffer.concat([bytes.subarray(0, withPasswordAt), Buffer.of(0), bytes.subarray(COST_AT + 12)]);
    theirs.answer = giving(without.toString('base64url'));
    expect(await failureOf(gate.openLink(url))).toBe('wrong-key');
    expect(await failureOf(gate.openLink(url, { password: 'Sandburg' }))).toBe('wrong-key');
    const weak = Buffer.from(bytes);
    weak.writeUInt32BE(8, COST_AT);
    theirs.answer = giving(weak.toString('base64url'));
    hashed.length = 0;
    expect(await failureOf(gate.openLink(url, { password: 'Sandburg' }))).toBe('weak-password-cost');
    expect(hashed).toEqual([]);
  });
});
