import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NodeKeys } from '../../src/sdk/drive-keys.js';
import { initAdmin } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { DriveClient, type NodeJson, type OwnNode, textOf } from '../support/drive-client.js';
import { codeOf } from '../support/logins.js';
import { TestServer } from '../support/server.js';

interface Wish {
  readonly record: string;
  readonly manifest?: string;
  readonly content?: string;
}

interface ResultJson {
  readonly node: NodeJson | null;
  readonly problem: { readonly status: number; readonly code: string; readonly detail: string } | null;
}

let server: TestServer;
let admin: Client;
let ada: DriveClient;
let root: OwnNode;

beforeAll(async () => {
  server = await TestServer.start({ config: { node_count: 3, redundancy_count: 1 } });
  admin = new Client(server.url, undefined, await initAdmin(server.url, server.storage));
  ada = await DriveClient.join(server.url, admin, 'ada');
  root = await ada.root();
}, 300_000);

afterAll(async () => {
  await server.remove();
});

function post({ client }: DriveClient, nodes: readonly unknown[]): Promise<Response> {
  return client.json('POST', '/drive/nodes/batch', { nodes });
}

async function resultsOf(answer: Promise<Response>): Promise<readonly ResultJson[]> {
  const response = await answer;
  if (response.status !== 200) throw new Error(`it answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { results: ResultJson[] }).results;
}

/** A small file that is to be made. */
async function fileWish(by: DriveClient, parent: OwnNode, content: Uint8Array, id?: string): Promise<{ id: string; wish: Wish }> {
  const keys = NodeKeys.fresh();
  const draft = await by.draft(parent, 'file', keys, id);
  const manifest = await by.manifest({ id: draft.id, keys });
  return { id: draft.id, wish: { record: textOf(draft.record), manifest: textOf(manifest), content: textOf(content) } };
}

function shown({ node, problem }: ResultJson): string {
  return problem === null ? `made ${String(node?.id)}` : `${problem.status} ${problem.code}`;
}

async function contentOf(id: string): Promise<Buffer> {
  return Buffer.from(await (await ada.read(id)).arrayBuffer());
}

/** What becomes of two that are the same, sorted: which of them comes first is nobody's promise. */
const twins = (id: string): string[] => ['409 id-not-issued', `made ${id}`];

describe('several nodes in one request', () => {
  it('are made, each with its content, in the order in which they were sent', async () => {
    const folder = await ada.folder(root);
    const contents = Array.from({ length: 32 }, (_, at) => randomBytes(at * 100));
    const files = await Promise.all(contents.map((content) => fileWish(ada, folder, content)));
    const results = await resultsOf(
      post(
        ada,
        files.map(({ wish }) => wish),
      ),
    );
    expect(results.map(shown)).toEqual(files.map(({ id }) => `made ${id}`));
    expect(results[1]?.node).toEqual(await ada.node(files[1]!.id));
    for (const [at, { id }] of files.entries()) expect(await contentOf(id)).toEqual(contents[at]);
  });

  it('fail each for itself, and what was wrong with one is told as if it came alone', async () => {
    const folder = await ada.folder(root);
    const [good, second] = [await fileWish(ada, folder, randomBytes(10)), await fileWish(ada, folder, randomBytes(10))];
    const elsewhere = await fileWish(ada, { id: good.id, keys: folder.keys }, randomBytes(10));
    const other = await fileWish(ada, folder, randomBytes(10));
    const foreign = await fileWish(await DriveClient.join(server.url, admin, 'eve'), folder, randomBytes(10));
    const unread = { record: 'AQIDBA' };
    const swapped = { ...second.wish, manifest: other.wish.manifest };
    const nodes = [good.wish, unread, elsewhere.wish, foreign.wish, swapped, good.wish, second.wish];
    const results = await resultsOf(post(ada, nodes));
    const [one, ...others] = results.map(shown);
    const [twin] = others.splice(4, 1);
    expect([one, twin].sort()).toEqual(twins(good.id));
    expect(others).toEqual([
      '400 invalid-record',
      '404 node-not-found',
      '400 invalid-record',
      '400 invalid-record',
      `made ${second.id}`,
    ]);
    const alone = await ada.client.json('POST', '/drive/nodes', unread);
    expect(results[1]?.problem).toEqual(await alone.json());
  });

  it('have different names, also among themselves', async () => {
    const folder = await ada.folder(root);
    const draft = await ada.draft(folder, 'folder', NodeKeys.fresh());
    const wish = { record: textOf(draft.record) };
    const [first, again] = await resultsOf(post(ada, [wish, wish]));
    expect([shown(first!), shown(again!)].sort()).toEqual(twins(draft.id));
  });

  it('are refused as a whole if the request is not as it should be, and nothing is made', async () => {
    const folder = await ada.folder(root);
    const { id, wish } = await fileWish(ada, folder, randomBytes(10));
    const wrong: readonly (readonly [string, unknown])[] = [
      ['400 invalid-request', {}],
      ['400 invalid-request', { nodes: [] }],
      ['400 invalid-request', { nodes: wish }],
      ['400 invalid-request', { nodes: [wish, null] }],
      ['400 invalid-request', { nodes: [wish, 'x'] }],
      ['400 invalid-request', { nodes: [wish, [wish]] }],
      ['400 invalid-request', { nodes: [wish, { record: '!' }] }],
      ['400 invalid-request', { nodes: [wish, { ...wish, toString: 1 }] }],
      ['400 invalid-request', { nodes: [wish, { ...wish, more: 1 }] }],
      ['400 invalid-request', { nodes: [wish], more: 1 }],
      ['400 invalid-request', { nodes: Array.from({ length: 33 }, () => wish) }],
      ['413 body-too-large', { nodes: Array.from({ length: 32 }, () => ({ ...wish, content: 'A'.repeat(48 * 1024) })) }],
    ];
    const began = performance.now();
    expect(await codeOf(ada.client.json('POST', '/drive/nodes/batch', { nodes: Array<object>(300_000).fill({}) }))).toBe(
      '400 invalid-request',
    );
    expect(performance.now() - began).toBeLessThan(2000); // each of them would be looked at for longer
    for (const [code, body] of wrong)
      expect([body, await codeOf(ada.client.json('POST', '/drive/nodes/batch', body))]).toEqual([body, code]);
    expect(await codeOf(ada.client.call(`/drive/nodes/${id}`))).toBe('404 node-not-found');
    expect((await resultsOf(post(ada, [wish]))).map(shown)).toEqual([`made ${id}`]);
  });

  it('need an account, and one that may write', async () => {
    expect(await codeOf(new Client(server.url).json('POST', '/drive/nodes/batch', { nodes: [{ record: 'AQIDBA' }] }))).toBe(
      '401 unauthenticated',
    );
  });

  it('are within the quota together, and what does not fit is told', async () => {
    const bob = await DriveClient.join(server.url, admin, 'bob', { quotaFiles: 10 });
    const top = await bob.root();
    const files = await Promise.all(Array.from({ length: 20 }, () => fileWish(bob, top, randomBytes(100))));
    const results = await resultsOf(
      post(
        bob,
        files.map(({ wish }) => wish),
      ),
    );
    const made = results.filter(({ node }) => node !== null);
    expect(made).toHaveLength(9); // and the root
    expect(new Set(results.map((result) => (result.node === null ? shown(result) : 'made')))).toEqual(
      new Set(['made', '507 quota-exceeded']),
    );
    const { usedFiles } = (await (await admin.call(`/accounts/${bob.accountId}`)).json()) as { usedFiles: number };
    expect(usedFiles).toBe(10);
  });

  it('are on record one by one', async () => {
    const { id, wish } = await fileWish(ada, root, randomBytes(10));
    await resultsOf(post(ada, [wish, { record: 'AQIDBA' }]));
    const last = await recorded(
      (lines) => lines.slice(-2),
      ([one]) => one?.id === id,
    );
    expect(last).toMatchObject([{ id, result: '201' }, { result: 'invalid-record' }]);
  });

  it('are on record also if the client leaves before they are all made', async () => {
    const files = await Promise.all(Array.from({ length: 32 }, () => fileWish(ada, root, randomBytes(4000))));
    const leaving = new AbortController();
    const answer = ada.client.call('/drive/nodes/batch', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ nodes: files.map(({ wish }) => wish) }),
      signal: leaving.signal,
    });
    setTimeout(() => leaving.abort(), 15);
    await answer.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const made: string[] = [];
    for (const { id } of files) if ((await ada.client.call(`/drive/nodes/${id}`)).status === 200) made.push(id);
    const ids = new Set(
      (
        await recorded(
          (lines) => lines,
          () => true,
        )
      ).map(({ id }) => id),
    );
    expect(made.filter((id) => !ids.has(id))).toEqual([]);
  });

  interface Line {
    readonly id?: string;
    readonly result: string;
  }

  /** Lines of the audit log about batches, when they are as they should be. */
  async function recorded(
    pick: (lines: readonly Line[]) => readonly Line[],
    isThere: (lines: readonly Line[]) => boolean,
  ): Promise<readonly Line[]> {
    for (const deadline = Date.now() + 10_000; ;) {
      const text = await readFile(join(server.storage, 'audit.log'), 'utf8');
      const lines = text.split('\n').filter((line) => line.includes('POST /drive/nodes/batch'));
      const picked = pick(lines.map((line) => JSON.parse(line) as Line));
      if (isThere(picked)) return picked;
      if (Date.now() > deadline) throw new Error(`not on record: ${lines.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});
