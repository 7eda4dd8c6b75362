import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sha256, toBase64Url } from '../../src/sdk/bytes.js';
import { NodeKeys } from '../../src/sdk/drive-keys.js';
import { makeNodeRecord, type NodeDraft } from '../../src/sdk/drive-record.js';
import { rootParentKeys } from '../../src/sdk/key-change.js';
import { initAdmin, makeToken } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { attributesOf, NO_HASH, type Person as Sealer } from '../support/e2ee-world.js';
import { answerOf, codeOf } from '../support/logins.js';
import { registerMember } from '../support/drive-client.js';
import { TestServer } from '../support/server.js';
import { grantOf, linkTo, listOf, writes, type MadeLink } from '../support/drive-sharing-world.js';

const NOT_FOUND = '404 node-not-found';
const ATTEMPTS_MAX = 12;
const UNKNOWN_ID = '01920000-0000-7000-8000-000000000001';

interface Member extends Sealer {
  readonly client: Client;
}

interface Known {
  readonly draft: NodeDraft;
  readonly record: Uint8Array<ArrayBuffer>;
}

interface SharingJson {
  readonly writers: string | null;
  readonly grants: readonly string[];
  readonly links: readonly { readonly linkId: string; readonly usesLeft: number | null; readonly expiresAt: string | null }[];
  readonly etag: string | null;
}

let server: TestServer;
let admin: Client;
let [ada, bob, eve]: [Member, Member, Member] = [] as never;
let [root, docs, inner, beside]: [Known, Known, Known, Known] = [] as never;

async function join(userName: string): Promise<Member> {
  const { accountId, sealer } = await registerMember(server.url, admin, userName);
  const { token } = await makeToken(admin, { accountId });
  return { ...sealer, client: new Client(server.url, undefined, token) };
}

async function idFor({ client }: Member): Promise<string> {
  const { ids } = (await (await client.json('POST', '/drive/ids', { count: 1 })).json()) as { ids: string[] };
  return ids[0]!;
}

const byList = (who: Member, { draft }: Known, revision: number): Sealer['writer'] => ({
  ...who.writer,
  list: { nodeId: draft.nodeId, revision },
});

async function draftOf(by: Member, parent: Known | undefined, name: string, writer = by.writer): Promise<Known> {
  const parentKeys = parent?.draft.keys ?? (await rootParentKeys(by.master));
  const draft: NodeDraft = {
    ...{ nodeId: await idFor(by), parentId: parent?.draft.nodeId ?? by.master.accountId, writer },
    ...{ revision: 1, previousHash: NO_HASH, keys: NodeKeys.fresh(), attributes: attributesOf(name, 'folder') },
  };
  return { draft, record: await makeNodeRecord(draft, parentKeys, by.identity.signer) };
}

const post = ({ client }: Member, { record }: Known): Promise<Response> =>
  client.json('POST', '/drive/nodes', { record: toBase64Url(record) });

async function folder(by: Member, parent: Known | undefined, name: string, writer = by.writer): Promise<Known> {
  const node = await draftOf(by, parent, name, writer);
  await answerOf(post(by, node));
  return node;
}

const look = (client: Client, { draft }: Known, more = ''): Promise<string> =>
  codeOf(client.call(`/drive/nodes/${draft.nodeId}${more}`));

async function sharingOf({ draft }: Known): Promise<SharingJson> {
  return (await (await ada.client.call(`/drive/nodes/${draft.nodeId}/sharing`)).json()) as SharingJson;
}

function putSharing(
  { client }: Pick<Member, 'client'>,
  { draft }: Known,
  { writers, grants, etag }: { writers: Uint8Array; grants: readonly Uint8Array[]; etag: string | null },
): Promise<Response> {
  const headers = { 'Content-Type': 'application/json', ...(etag !== null && { 'If-Match': etag }) };
  const body = JSON.stringify({ writers: toBase64Url(writers), grants: grants.map(toBase64Url) });
  return client.call(`/drive/nodes/${draft.nodeId}/sharing`, { method: 'PUT', headers, body });
}

async function makeLink(node: Known, limits: Parameters<typeof linkTo>[3] = {}): Promise<MadeLink> {
  const link = await linkTo(ada, node.draft, await idFor(ada), limits);
  const { linkId, usesMax, expiresAt } = link;
  const wish = {
    ...{ linkId, usesMax, link: toBase64Url(link.link), proofHash: toBase64Url(link.proofHash) },
    ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }),
  };
  await answerOf(ada.client.json('POST', `/drive/nodes/${node.draft.nodeId}/links`, wish));
  return link;
}

const openLink = ({ linkId, proof }: Pick<MadeLink, 'linkId' | 'proof'>): Promise<Response> =>
  new Client(server.url).json('POST', `/drive/links/${linkId}/open`, { proof: toBase64Url(proof) });

async function opened(link: MadeLink): Promise<Client> {
  const { credential } = await answerOf(openLink(link));
  expect(credential).toMatch(/^dcl_[0-9a-f]{32}_[\w-]{43}$/);
  return new Client(server.url, undefined, credential);
}

beforeAll(async () => {
  const limits = { failed_attempts_max: ATTEMPTS_MAX, login_attempts_max: 1000 };
  server = await TestServer.start({ config: { log_level: 'trace', audit: 'all', limits } });
  admin = new Client(server.url, undefined, await initAdmin(server.url, server.storage));
  ada = await join('ada');
  bob = await join('bob');
  eve = await join('eve');
  root = await folder(ada, undefined, 'Drive');
  docs = await folder(ada, root, 'docs');
  inner = await folder(ada, docs, 'inner');
  beside = await folder(ada, root, 'beside');
});

afterAll(async () => {
  await server.remove();
});

describe('a folder that is shared', () => {
  let writers: Uint8Array;
  let [mayBob, readsEve]: [Uint8Array, Uint8Array] = [] as never;

  it('is seen by nobody else before, and by whom it is granted to from then on, with all below it', async () => {
    expect(await sharingOf(docs)).toEqual({ writers: null, grants: [], links: [], etag: null });
    for (const { client } of [bob, eve]) expect(await look(client, docs)).toBe(NOT_FOUND);
    writers = await listOf(ada, docs.draft, [writes(bob, 1)]);
    mayBob = await grantOf(ada, docs.draft, { to: bob, rights: 'write' });
    readsEve = await grantOf(ada, docs.draft, { to: eve });
    const grants = [mayBob, readsEve];
    const shared = (await answerOf(putSharing(ada, docs, { writers, grants, etag: null }))) as unknown as SharingJson;
    expect(shared).toEqual({ ...(await sharingOf(docs)), writers: toBase64Url(writers), grants: grants.map(toBase64Url) });
    for (const { client } of [bob, eve]) {
      for (const node of [docs, inner]) expect(await look(client, node)).toBe('200');
      for (const node of [root, beside]) expect(await look(client, node)).toBe(NOT_FOUND);
      for (const more of ['/children', '/path']) expect(await look(client, docs, more)).toBe('200');
      expect(await look(client, docs, '/sharing')).toBe('403 forbidden');
    }
    const { items } = (await (await eve.client.call('/drive/shared')).json()) as { items: { node: { id: string } }[] };
    expect(items).toEqual([
      expect.objectContaining({
        node: expect.objectContaining({ id: docs.draft.nodeId, owner: ada.master.accountId }),
        ...{ grant: toBase64Url(readsEve), owner: ada.master.accountId },
      }),
    ]);
    const way = (await (await eve.client.call(`/drive/nodes/${inner.draft.nodeId}/path`)).json()) as {
      nodes: { id: string }[];
      writers: unknown[];
    };
    expect(way.nodes.map(({ id }) => id)).toEqual([docs.draft.nodeId, inner.draft.nodeId]);
    expect(way.writers).toEqual([{ nodeId: docs.draft.nodeId, list: toBase64Url(writers) }]);
  });

  it('is written by who may, in folders below it too, and by nobody who may read', async () => {
    await folder(bob, inner, 'by bob', byList(bob, docs, 1));
    expect(await codeOf(post(eve, await draftOf(eve, inner, 'by eve', byList(eve, docs, 1))))).toBe('403 forbidden');
    expect(await codeOf(post(bob, await draftOf(bob, docs, 'no list')))).toBe('409 writers-changed');
    const { etag } = await sharingOf(docs);
    for (const who of [bob, eve])
      expect(await codeOf(putSharing(who, docs, { writers, grants: [mayBob], etag }))).toBe('403 forbidden');
  });

  it('takes no next write of who lost the right, by the list of before or the one of now', async () => {
    const { etag } = await sharingOf(docs);
    const ended = await listOf(ada, docs.draft, [writes(bob, 1, 1)], writers);
    const vanished = await listOf(ada, docs.draft, [], writers);
    const grants = [await grantOf(ada, docs.draft, { to: bob }), readsEve];
    expect(await codeOf(putSharing(ada, docs, { writers: vanished, grants, etag }))).toBe('400 invalid-record');
    expect(await codeOf(putSharing(ada, docs, { writers: ended, grants, etag: null }))).toBe('412 precondition-failed');
    expect(await codeOf(putSharing(ada, docs, { writers: ended, grants, etag: '*' }))).toBe('428 precondition-required');
    await answerOf(putSharing(ada, docs, { writers: ended, grants, etag }));
    for (const revision of [1, 2])
      expect(await codeOf(post(bob, await draftOf(bob, inner, 'late', byList(bob, docs, revision))))).toBe('403 forbidden');
    expect(await look(bob.client, inner)).toBe('200');
    writers = ended;
  });

  it('is for who lost the right to read as if it were not there, at once', async () => {
    const { etag, grants } = await sharingOf(docs);
    const left = [Buffer.from(grants[1]!, 'base64url')];
    await answerOf(putSharing(ada, docs, { writers, grants: left, etag }));
    const told = await bob.client.call(`/drive/nodes/${docs.draft.nodeId}`);
    const unknown = await bob.client.call(`/drive/nodes/${UNKNOWN_ID}`);
    const body = async (response: Response): Promise<unknown> => ({
      ...((await response.json()) as object),
      ...{ instance: undefined, requestId: undefined },
    });
    expect([told.status, await body(told)]).toEqual([404, await body(unknown)]);
    expect(await (await bob.client.call('/drive/shared')).json()).toEqual({ items: [] });
  });

  it('does not show any more what is moved out of it', async () => {
    expect(await look(eve.client, inner)).toBe('200');
    const { draft } = inner;
    const moved: NodeDraft = {
      ...draft,
      ...{ parentId: beside.draft.nodeId, revision: 2, previousHash: await sha256(inner.record) },
    };
    const record = await makeNodeRecord(moved, beside.draft.keys, ada.identity.signer);
    const { etag } = await answerOf(ada.client.call(`/drive/nodes/${draft.nodeId}`));
    const headers = { 'Content-Type': 'application/json', 'If-Match': etag! };
    const body = JSON.stringify({ record: toBase64Url(record) });
    await answerOf(ada.client.call(`/drive/nodes/${draft.nodeId}`, { method: 'PUT', headers, body }));
    expect([await look(eve.client, inner), await look(eve.client, docs)]).toEqual([NOT_FOUND, '200']);
  });
});

describe('a link', () => {
  it('is opened by who is nobody, and reads its node and what is below it alone', async () => {
    const below = await folder(ada, beside, 'below');
    const link = await makeLink(beside);
    expect((await sharingOf(beside)).links).toEqual([
      expect.objectContaining({ linkId: link.linkId, usesLeft: null, expiresAt: null }),
    ]);
    const client = await opened(link);
    for (const node of [beside, below]) expect(await look(client, node)).toBe('200');
    for (const more of ['/children', '/path']) expect(await look(client, beside, more)).toBe('200');
    for (const node of [root, docs]) expect(await look(client, node)).toBe(NOT_FOUND);
    const addresses = ['/files', '/files/list', `/files/${link.linkId}`, '/nodes', '/whoami', '/tokens', '/accounts'];
    const drives = ['/drive/root', '/drive/shared', '/drive/vault/settings', `/drive/nodes/${beside.draft.nodeId}/sharing`];
    for (const address of [...addresses, ...drives]) expect(await codeOf(client.call(address))).toBe('403 forbidden');
    expect((await client.tryPut('mine', 'x')).status).toBe(403);
    const remove = client.call(`/drive/nodes/${below.draft.nodeId}`, { method: 'DELETE', headers: { 'If-Match': '*' } });
    expect(await codeOf(remove)).toBe('403 forbidden');
    expect(await codeOf(client.call(`/drive/links/${link.linkId}`, { method: 'DELETE' }))).toBe('403 forbidden');
  });

  it('is opened as often as it may be, whoever else opens it at once', async () => {
    const link = await makeLink(beside, { usesMax: 5 });
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(openLink(link))));
    expect(codes.toSorted()).toEqual([...Array<string>(5).fill('200'), ...Array<string>(15).fill('410 link-expired')]);
    expect((await sharingOf(beside)).links.find(({ linkId }) => linkId === link.linkId)).toMatchObject({ usesLeft: 0 });
  });

  it('is over at its time, with what it gave', async () => {
    const link = await makeLink(beside, { expiresAt: Date.now() + 1500 });
    const client = await opened(link);
    expect(await look(client, beside)).toBe('200');
    await sleep(Math.max(0, link.expiresAt! - Date.now()) + 100);
    expect([await codeOf(openLink(link)), await look(client, beside)]).toEqual(['410 link-expired', '401 unauthenticated']);
  });

  it('is over when its owner ends it, and not when somebody else tries', async () => {
    const link = await makeLink(beside);
    const client = await opened(link);
    const end = (by: Member): Promise<string> => codeOf(by.client.call(`/drive/links/${link.linkId}`, { method: 'DELETE' }));
    expect([await end(eve), await look(client, beside)]).toEqual(['404 link-not-found', '200']);
    expect([await end(ada), await look(client, beside)]).toEqual(['204', '401 unauthenticated']);
    expect(await codeOf(openLink(link))).toBe('404 link-not-found');
  });

  it('leaves no secret and no name in the audit log, where it stands by its id', async () => {
    const link = await makeLink(beside);
    const client = await opened(link);
    await look(client, beside);
    await sleep(500); // lines are written in their own time
    const log = await readFile(path.join(server.storage, 'audit.log'), 'utf8');
    expect(log).toContain(`"who":"${link.linkId}"`);
    const secrets = [toBase64Url(link.proof), toBase64Url(link.proofHash), 'dcl_', 'docs', 'beside', '"ada"'];
    for (const secret of secrets) expect([secret, log.includes(secret)]).toEqual([secret, false]);
    expect(server.logs()).not.toContain(toBase64Url(link.proof));
  });

  it('cannot be guessed for ever, and a wrong guess sounds as if there were no link', async () => {
    const link = await makeLink(beside);
    const wrong = { linkId: link.linkId, proof: new Uint8Array(32) };
    const codes = [await codeOf(openLink({ ...link, linkId: UNKNOWN_ID as MadeLink['linkId'] }))];
    for (let tries = 0; tries < ATTEMPTS_MAX; tries += 1) codes.push(await codeOf(openLink(wrong)));
    expect(codes.slice(0, 4)).toEqual(Array<string>(4).fill('404 link-not-found'));
    expect(codes.at(-1)).toBe('429 too-many-attempts');
    expect(await codeOf(openLink(link))).toBe('429 too-many-attempts');
  });
});
