import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sha256, toBase64Url } from '../../src/sdk/bytes.js';
import { NodeKeys } from '../../src/sdk/drive-keys.js';
import { makeNodeRecord, openNodeRecord, type NodeDraft } from '../../src/sdk/drive-record.js';
import { followBundles, openBundle } from '../../src/sdk/identity-bundle.js';
import { changeIdentity, rootParentKeys } from '../../src/sdk/key-change.js';
import { Writers } from '../../src/sdk/writers.js';
import { initAdmin, makeToken } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { addContent, attributesOf, newUuid, NO_HASH, type Person as Sealer } from '../support/e2ee-world.js';
import { answerOf, codeOf } from '../support/logins.js';
import { registerMember } from '../support/drive-client.js';
import { TestServer } from '../support/server.js';

interface NodeJson {
  readonly id: string;
  readonly owner: string;
  readonly record: string;
  readonly content: { readonly revision: number; readonly inlined: boolean } | null;
  readonly etag: string;
}

interface Member extends Sealer {
  readonly client: Client;
}

interface Known {
  readonly draft: NodeDraft;
  readonly record: Uint8Array<ArrayBuffer>;
  readonly parentKeys: NodeKeys;
}

let server: TestServer;
let admin: Client;
let ada: Member;
let bob: Member;
let root: Known;

async function join(userName: string): Promise<Member> {
  const { sealer, login } = await registerMember(server.url, admin, userName);
  return { ...sealer, client: (await login.logIn()).client };
}

async function idFor({ client }: Member): Promise<string> {
  const { ids } = (await (await client.json('POST', '/drive/ids', { count: 1 })).json()) as { ids: string[] };
  return ids[0]!;
}

async function draft(by: Member, parent: Known | undefined, name: string, kind: 'file' | 'folder' = 'folder'): Promise<Known> {
  const parentKeys = parent?.draft.keys ?? (await rootParentKeys(by.master));
  const made: NodeDraft = {
    ...{ nodeId: await idFor(by), parentId: parent?.draft.nodeId ?? by.master.accountId },
    ...{ revision: 1, previousHash: NO_HASH, writer: by.writer, keys: NodeKeys.fresh(), attributes: attributesOf(name, kind) },
  };
  return { draft: made, parentKeys, record: await makeNodeRecord(made, parentKeys, by.identity.signer) };
}

function post({ client }: Member, { record }: Pick<Known, 'record'>, more: object = {}): Promise<Response> {
  return client.json('POST', '/drive/nodes', { record: toBase64Url(record), ...more });
}

async function folder(by: Member, parent: Known | undefined, name: string): Promise<Known> {
  const node = await draft(by, parent, name);
  await answerOf(post(by, node));
  return node;
}

async function next(by: Member, node: Known, { into, name }: { into?: Known; name?: string }): Promise<Known> {
  const parentKeys = into?.draft.keys ?? node.parentKeys;
  const made: NodeDraft = {
    ...node.draft,
    ...{ parentId: into?.draft.nodeId ?? node.draft.parentId, revision: node.draft.revision + 1 },
    previousHash: await sha256(node.record),
    attributes: name === undefined ? node.draft.attributes : attributesOf(name, 'folder'),
  };
  return { draft: made, parentKeys, record: await makeNodeRecord(made, parentKeys, by.identity.signer) };
}

function put({ client }: Member, { draft: { nodeId }, record }: Known, ifMatch = '*'): Promise<Response> {
  const headers = { 'Content-Type': 'application/json', 'If-Match': ifMatch };
  return client.call(`/drive/nodes/${nodeId}`, { method: 'PUT', headers, body: JSON.stringify({ record: toBase64Url(record) }) });
}

async function get({ client }: Member, path: string): Promise<NodeJson> {
  return (await answerOf(client.call(`/drive/${path}`))) as unknown as NodeJson;
}

function remove({ client }: Member, { draft: { nodeId } }: Known, ifMatch = '*'): Promise<Response> {
  return client.call(`/drive/nodes/${nodeId}`, { method: 'DELETE', headers: { 'If-Match': ifMatch } });
}

beforeAll(async () => {
  server = await TestServer.start({ config: { limits: { failed_attempts_max: 1000 } } });
});

afterAll(async () => {
  await server.remove();
});

it('a drive needs accounts', async () => {
  expect(await codeOf(new Client(server.url).call('/drive/root'))).toBe('403 accounts-required');
  admin = new Client(server.url, undefined, await initAdmin(server.url, `${server.directory}/data`));
  [ada, bob] = [await join('ada'), await join('bob')];
});

describe('the tree of a drive', () => {
  it('begins with a root, which opens for its owner as it was sealed', async () => {
    expect(await codeOf(ada.client.call('/drive/root'))).toBe('404 node-not-found');
    root = await folder(ada, undefined, 'Drive');
    const json = await get(ada, 'root');
    expect(json).toMatchObject({ id: root.draft.nodeId, owner: ada.master.accountId, content: null });
    const expected = { nodeId: json.id, parentId: ada.master.accountId, writers: new Writers(ada.owner) };
    const record = Uint8Array.from(Buffer.from(json.record, 'base64url'));
    expect((await openNodeRecord(record, { parentKeys: root.parentKeys }, expected)).attributes.name).toBe('Drive');
  });

  it('has files with their first content, and lists them in pages, and by their tags', async () => {
    const docs = await folder(ada, root, 'docs');
    for (const name of ['one', 'two', 'three']) {
      const file = await draft(ada, docs, name, 'file');
      const [bytes, writers] = [file.record, new Writers(ada.owner)];
      const expected = { nodeId: file.draft.nodeId, parentId: docs.draft.nodeId, writers };
      const node = await openNodeRecord(bytes, { parentKeys: file.parentKeys }, expected);
      const { manifest, sealed } = await addContent(ada, node, Buffer.from(name));
      const content = toBase64Url(Uint8Array.from(sealed[0]!.bytes));
      const made = await answerOf(post(ada, file, { manifest: toBase64Url(manifest), content }));
      expect(made).toMatchObject({ content: { revision: 1, manifest: toBase64Url(manifest), inlined: true } });
    }
    const path = `nodes/${docs.draft.nodeId}/children`;
    const first = (await get(ada, `${path}?limit=2`)) as unknown as { items: NodeJson[]; nextCursor: string };
    const rest = (await get(ada, `${path}?limit=2&cursor=${first.nextCursor}`)) as unknown as { items: NodeJson[] };
    expect([first.items.length, rest.items.length]).toEqual([2, 1]);
    expect(await codeOf(ada.client.call(`/drive/${path}?limit=501`))).toBe('400 invalid-request');
    const { items } = (await get(ada, `nodes/${docs.draft.nodeId}/path`)) as unknown as { items?: unknown };
    expect(items).toBeUndefined();
  });

  it('is for others as if it were not there', async () => {
    const { nodeId } = root.draft;
    const unknown = newUuid();
    for (const [method, more] of [
      ['GET', ''],
      ['GET', '/children'],
      ['GET', '/path'],
      ['DELETE', ''],
    ] as const) {
      const answers = await Promise.all(
        [nodeId, unknown].map(async (id) => {
          const answer = await bob.client.call(`/drive/nodes/${id}${more}`, { method, headers: { 'If-Match': '*' } });
          return [answer.status, await answer.json()];
        }),
      );
      expect(answers[0]).toEqual(answers[1]);
      expect(answers[0]).toMatchObject([404, { code: 'node-not-found' }]);
    }
    expect(await codeOf(post(bob, await draft(bob, root, 'mine')))).toBe('404 node-not-found');
    expect(await codeOf(put(bob, await next(bob, root, { name: 'mine' })))).toBe('404 node-not-found');
  });

  it('takes what its owner signed, once', async () => {
    const node = await draft(ada, root, 'signed');
    const forged = await draft({ ...ada, identity: bob.identity }, root, 'signed');
    expect(await codeOf(post(ada, forged))).toBe('400 invalid-record');
    expect(await codeOf(post(ada, node))).toBe('201');
    expect(await codeOf(post(ada, node))).toBe('409 id-not-issued');
    expect((await get(ada, `nodes/${node.draft.nodeId}`)).record).toBe(toBase64Url(node.record));
    expect(await codeOf(post(ada, await draft(ada, root, 'signed')))).toBe('409 name-taken');
  });

  it('changes for one of those who change it at once', async () => {
    const node = await folder(ada, root, 'raced');
    const { etag } = await get(ada, `nodes/${node.draft.nodeId}`);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const changes = await Promise.all(names.map((name) => next(ada, node, { name })));
    const codes = await Promise.all(changes.map((change) => codeOf(put(ada, change, etag))));
    expect(codes.toSorted()).toEqual(['200', ...names.slice(1).map(() => '412 precondition-failed')]);
    expect(await codeOf(remove(ada, node, etag))).toBe('412 precondition-failed');
  });

  it('has no folder in itself, however moves meet', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [one, other] = [await folder(ada, root, `one ${round}`), await folder(ada, root, `other ${round}`)];
      const moves = [await next(ada, one, { into: other }), await next(ada, other, { into: one })];
      const codes = await Promise.all(moves.map((move) => codeOf(put(ada, move))));
      expect(codes.toSorted()).toEqual(['200', '409 folder-in-itself']);
    }
  });

  it('keeps nothing in a folder that was removed, however the calls meet', async () => {
    for (let round = 0; round < 5; round += 1) {
      const gone = await folder(ada, root, `gone ${round}`);
      const inner = await Promise.all(['a', 'b', 'c', 'd'].map((name) => draft(ada, gone, name)));
      const [removed, ...codes] = await Promise.all([codeOf(remove(ada, gone)), ...inner.map((node) => codeOf(post(ada, node)))]);
      expect(removed).toBe('204');
      for (const code of codes) expect(['201', '404 node-not-found']).toContain(code);
      for (const { draft: node } of inner)
        expect(await codeOf(ada.client.call(`/drive/nodes/${node.nodeId}`))).toBe('404 node-not-found');
    }
  });
});

describe('an account with a drive', () => {
  it('may read with a token that may read, and with no token that has a prefix', async () => {
    const reader = new Client(server.url, undefined, (await makeToken(ada.client, { scopes: ['read'] })).token);
    expect(await codeOf(reader.call('/drive/root'))).toBe('200');
    expect(await codeOf(reader.json('POST', '/drive/ids', { count: 1 }))).toBe('403 forbidden');
    const part = new Client(server.url, undefined, (await makeToken(ada.client, { prefix: 'a' })).token);
    expect(await codeOf(part.call('/drive/root'))).toBe('403 forbidden');
  });

  it('shows all its identities, and signs by the newest', async () => {
    const { identity, bundle } = await changeIdentity(bob.master, { identity: bob.identity, bundle: bob.bundle });
    const etag = (await bob.client.call('/auth/bundle')).headers.get('etag')!;
    const headers = { 'Content-Type': 'application/json', 'If-Match': etag };
    const body = JSON.stringify({ sealed: 'AQID', identity: toBase64Url(bundle) });
    expect(await codeOf(bob.client.call('/auth/bundle', { method: 'PUT', headers, body }))).toBe('204');
    const { identities } = (await answerOf(ada.client.call(`/auth/identities/${bob.master.accountId}`))) as unknown as {
      identities: string[];
    };
    const [first, ...others] = identities.map((text) => Uint8Array.from(Buffer.from(text, 'base64url')));
    expect((await followBundles(await openBundle(first!), others)).map(({ version }) => version)).toEqual([1, 2]);
    expect(await codeOf(post(bob, await draft(bob, undefined, 'Drive')))).toBe('409 identity-outdated');
    const renewed: Member = { ...bob, identity, writer: { ...bob.writer, bundleVersion: 2 } };
    expect(await codeOf(post(renewed, await draft(renewed, undefined, 'Drive')))).toBe('201');
    expect(await codeOf(ada.client.call(`/auth/identities/${newUuid()}`))).toBe('404 user-not-found');
  });

  it('keeps within its quota of files, and goes when its root has gone with all there is', async () => {
    const account = ada.master.accountId;
    const quota = (quotaFiles: number | null): Promise<string> =>
      codeOf(admin.json('PATCH', `/accounts/${account}`, { quotaFiles }));
    expect(await quota(1)).toBe('200');
    expect(await codeOf(post(ada, await draft(ada, root, 'too much')))).toBe('507 quota-exceeded');
    expect(await quota(null)).toBe('200');
    const headers = { 'Content-Type': 'application/json', 'If-None-Match': '*' };
    const body = JSON.stringify({ bytes: 'AQID', revision: 1 });
    expect(await codeOf(ada.client.call('/drive/vault/settings', { method: 'PUT', headers, body }))).toBe('200');
    expect(await codeOf(admin.call(`/accounts/${account}`, { method: 'DELETE' }))).toBe('409 account-not-empty');
    expect(await codeOf(remove(ada, root))).toBe('204');
    const ends = async (): Promise<string> => codeOf(admin.call(`/accounts/${account}`, { method: 'DELETE' }));
    let end = await ends();
    for (let tries = 0; tries < 100 && end !== '204'; tries += 1) {
      await sleep(100); // what lay in it goes in its own time
      end = await ends();
    }
    expect(end).toBe('204');
  });
});
