import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NodeKeys } from '../../src/sdk/drive-keys.js';
import { initAdmin, makeToken } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { DriveClient, type NodeJson, type OwnNode, sha256Of, textOf } from '../support/drive-client.js';
import { codeOf } from '../support/logins.js';
import { TestServer } from '../support/server.js';

const MiB = 1024 * 1024;
const PART_BYTES = 16 * MiB;
const CONFIG = {
  node_count: 3,
  redundancy_count: 1,
  log_level: 'info',
  limits: { orphan_grace_ms: 0, drive_upload_idle_ms: 60_000, drive_sweep_interval_ms: 500 },
};

interface UsedJson {
  readonly usedBytes: number;
  readonly usedFiles: number;
}

let server: TestServer;
let admin: Client;
let adminToken: string;
let ada: DriveClient;
let root: OwnNode;

beforeAll(async () => {
  server = await TestServer.start({ config: CONFIG });
  adminToken = await initAdmin(server.url, server.storage);
  admin = new Client(server.url, undefined, adminToken);
  ada = await DriveClient.join(server.url, admin, 'ada');
  root = await ada.root();
}, 300_000);

afterAll(async () => {
  await server.remove();
});

async function used(account: string): Promise<UsedJson> {
  return (await (await admin.call(`/accounts/${account}`)).json()) as UsedJson;
}

async function until(what: string, isSo: () => Promise<boolean>, msMax = 20_000): Promise<void> {
  const deadline = Date.now() + msMax;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not after ${msMax} ms: ${what}`);
    await sleep(100);
  }
}

async function bytesOf(answer: Promise<Response>): Promise<Buffer> {
  const response = await answer;
  if (!response.ok) throw new Error(`it answered ${response.status}: ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}

describe('a content of 100 MiB', () => {
  const parts = Array.from({ length: 7 }, (_, part) => randomBytes(part < 6 ? PART_BYTES : 4 * MiB + 17));
  const digests = parts.map(sha256Of);

  it('goes in in parallel parts, over the end of the server, and comes out byte by byte', async () => {
    const upload = await ada.begin({ parentId: root.id });
    await Promise.all(
      [0, 1, 2].map(async (part) => expect((await ada.part(upload.uploadId, part, parts[part]!)).status).toBe(200)),
    );
    expect((await ada.part(upload.uploadId, 3, randomBytes(100))).status).toBe(200); // replaced below
    const interrupted = [3, 4, 5].map((part) => ada.part(upload.uploadId, part, parts[part]!).catch(() => undefined));
    await sleep(20);
    await server.kill();
    await Promise.all(interrupted);
    server = await TestServer.start({ config: CONFIG, directory: server.directory });
    admin = new Client(server.url, undefined, adminToken);
    ada = ada.at(server.url);
    const state = (await (await ada.client.call(`/drive/uploads/${upload.uploadId}`)).json()) as {
      parts: { part: number; bytes: number; digest: string }[];
    };
    for (const part of [0, 1, 2])
      expect(state.parts.find((each) => each.part === part)).toEqual({
        part,
        bytes: PART_BYTES,
        digest: textOf(digests[part]!),
      });
    expect(await codeOf(ada.finish(root, upload, digests))).toBe('409 parts-missing');
    for (const part of [3, 4, 5, 6]) expect((await ada.part(upload.uploadId, part, parts[part]!)).status).toBe(200);
    expect(await codeOf(ada.finish(root, upload, [...digests].reverse()))).toBe('409 parts-missing');
    const made = await ada.finish(root, upload, digests);
    expect(made.status).toBe(201);
    const { id, content } = (await made.json()) as NodeJson;
    expect([id, content]).toMatchObject([upload.nodeId, { revision: 1, revisionId: upload.uploadId, inlined: false }]);

    for (const [part, bytes] of parts.entries()) expect((await bytesOf(ada.read(id, { part }))).equals(bytes)).toBe(true);
    for (const [from, to] of [
      [0, 1],
      [65_503, 65_505],
      [5 * MiB - 3, 9 * MiB + 5],
      [PART_BYTES - 1, PART_BYTES],
    ] as const) {
      const answer = await ada.read(id, { part: 4, range: `bytes=${from}-${to - 1}` });
      expect([answer.status, answer.headers.get('content-range')]).toEqual([206, `bytes ${from}-${to - 1}/${PART_BYTES}`]);
      expect(Buffer.from(await answer.arrayBuffer()).equals(parts[4]!.subarray(from, to))).toBe(true);
    }
    const last = await ada.read(id, { part: 6, range: 'bytes=-10' });
    expect(Buffer.from(await last.arrayBuffer()).equals(parts[6]!.subarray(-10))).toBe(true);
    expect(last.headers.get('content-disposition')).toBeNull();
    expect(await codeOf(ada.read(id, { part: 6, range: `bytes=${PART_BYTES}-` }))).toBe('416 range-not-satisfiable');
    expect(await codeOf(ada.read(id, { part: 7 }))).toBe('404 revision-not-found');
    expect(await codeOf(ada.read(id, { revision: 2 }))).toBe('404 revision-not-found');
    const etag = last.headers.get('etag')!;
    const again = await ada.client.call(`/drive/nodes/${id}/revisions/1/parts/6`, { headers: { 'If-None-Match': etag } });
    expect(again.status).toBe(304);
    // What was committed takes no more parts, and is as it was.
    expect(await codeOf(ada.part(upload.uploadId, 0, randomBytes(10)))).toBe('404 upload-not-found');

    for (const node of [1]) await rename(server.nodeFolder(node), `${server.nodeFolder(node)}.away`);
    for (const [part, bytes] of parts.entries()) expect((await bytesOf(ada.read(id, { part }))).equals(bytes)).toBe(true);
    for (const node of [1]) await rename(`${server.nodeFolder(node)}.away`, server.nodeFolder(node));
  }, 300_000);
});

describe('a part', () => {
  it('is refused if it does not say how long and what it is, or is something else, and leaves nothing', async () => {
    const { uploadId } = await ada.begin({ parentId: root.id });
    const before = await used(ada.accountId);
    const bytes = randomBytes(1000);
    const call = (headers: Record<string, string>, part = '0'): Promise<string> =>
      codeOf(ada.client.call(`/drive/uploads/${uploadId}/parts/${part}`, { method: 'PUT', body: bytes, headers }));
    expect(await call({})).toBe('400 invalid-digest');
    expect(await codeOf(ada.part(uploadId, 0, bytes, sha256Of(randomBytes(4))))).toBe('400 invalid-digest');
    expect(await codeOf(ada.part(uploadId, 16_400, bytes))).toBe('400 invalid-request');
    expect(await call({}, '-1')).toBe('400 invalid-request');
    expect(await codeOf(ada.part('01920000-0000-7000-8000-000000000001', 0, bytes))).toBe('404 upload-not-found');
    expect(await codeOf(ada.part(uploadId, 0, new Uint8Array(65 * MiB + 1)).catch(() => new Response(null)))).toMatch(
      /^413|^200/,
    );
    expect(await used(ada.accountId)).toEqual(before);
    // Not even JSON is parsed.
    const json = Buffer.from('{"a":1}');
    const digest = `sha-256=:${sha256Of(json).toString('base64')}:`;
    expect(await call({ 'Repr-Digest': digest, 'Content-Type': 'application/json' })).toBe('400 invalid-digest');
    const headers = { 'Repr-Digest': digest, 'Content-Type': 'application/json' };
    const stored = await ada.client.call(`/drive/uploads/${uploadId}/parts/0`, { method: 'PUT', body: json, headers });
    expect(await stored.json()).toEqual({ part: 0, bytes: 7, digest: textOf(sha256Of(json)) });
    expect((await ada.client.call(`/drive/uploads/${uploadId}`, { method: 'DELETE' })).status).toBe(204);
    expect(await codeOf(ada.client.call(`/drive/uploads/${uploadId}`))).toBe('404 upload-not-found');
  });

  it('that has no room stops the upload, which goes on when there is some', async () => {
    const bob = await DriveClient.join(server.url, admin, 'bob', { quotaBytes: 150_000 });
    const folder = await bob.root();
    const upload = await bob.begin({ parentId: folder.id });
    const parts = [randomBytes(100_000), randomBytes(100_000)];
    expect((await bob.part(upload.uploadId, 0, parts[0]!)).status).toBe(200);
    expect(await codeOf(bob.part(upload.uploadId, 1, parts[1]!))).toBe('507 quota-exceeded');
    expect((await admin.json('PATCH', `/accounts/${bob.accountId}`, { quotaBytes: 300_000 })).ok).toBe(true);
    expect((await bob.part(upload.uploadId, 1, parts[1]!)).status).toBe(200);
    expect((await bob.finish(folder, upload, parts.map(sha256Of))).status).toBe(201);
    expect((await bytesOf(bob.read(upload.nodeId, { part: 1 }))).equals(parts[1]!)).toBe(true);
    // Somebody else finds neither the file nor what is being uploaded.
    expect(await codeOf(ada.read(upload.nodeId))).toBe('404 node-not-found');
    const { uploadId } = await bob.begin({ nodeId: upload.nodeId });
    expect(await codeOf(ada.part(uploadId, 0, randomBytes(4)))).toBe('404 upload-not-found');
    expect(await codeOf(ada.client.call(`/drive/uploads/${uploadId}`, { method: 'DELETE' }))).toBe('404 upload-not-found');
  }, 300_000);
});

describe('revisions', () => {
  it('have one winner of two, who is told so if the answer was lost, and the other one tries again', async () => {
    const { node, json, manifest } = await ada.smallFile(root, Buffer.from('first'));
    const uploads = await Promise.all([0, 1].map(() => ada.begin({ nodeId: node.id })));
    const contents = [randomBytes(70_000), randomBytes(70_000)];
    await Promise.all(uploads.map(({ uploadId }, index) => ada.part(uploadId, 0, contents[index]!)));
    const wishes = await Promise.all(
      uploads.map(async ({ uploadId }, index) => {
        const next = await ada.manifest(node, { revisionId: uploadId, revision: 2, previous: manifest });
        return { manifest: textOf(next), digests: [textOf(sha256Of(contents[index]!))] };
      }),
    );
    const answers = await Promise.all(wishes.map((wish) => ada.revise(node.id, json.etag, wish)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 412]);
    const winner = answers.findIndex(({ status }) => status === 201);
    expect(await codeOf(ada.revise(node.id, json.etag, wishes[winner]!))).toBe('412 precondition-failed');
    const now = await ada.node(node.id);
    expect(now.content).toMatchObject({ revision: 2, revisionId: uploads[winner]!.uploadId });
    expect((await bytesOf(ada.read(node.id))).equals(contents[winner]!)).toBe(true);
    const loser = 1 - winner;
    const previous = Buffer.from(wishes[winner]!.manifest, 'base64url');
    const third = await ada.manifest(node, { revisionId: uploads[loser]!.uploadId, revision: 3, previous });
    const wish = { ...wishes[loser]!, manifest: textOf(third) };
    expect(await codeOf(ada.revise(node.id, now.etag, { ...wish, digests: [textOf(randomBytes(32))] }))).toBe(
      '409 parts-missing',
    );
    expect((await ada.revise(node.id, now.etag, wish)).status).toBe(201);
    expect((await bytesOf(ada.read(node.id))).equals(contents[loser]!)).toBe(true);
    expect((await bytesOf(ada.read(node.id, { revision: 2 }))).equals(contents[winner]!)).toBe(true);
    expect((await bytesOf(ada.read(node.id, { revision: 1 }))).toString()).toBe('first');
  });

  it('are refused without the tag of the node, from another past, of another node, or not signed by who asks', async () => {
    const { node, json, manifest } = await ada.smallFile(root, Buffer.from('first'));
    const other = await ada.smallFile(root, Buffer.from('other'));
    const content = textOf(Buffer.from('next'));
    const of = async (
      wish: Parameters<DriveClient['manifest']>[1],
      on = node,
    ): Promise<{ manifest: string; content: string }> => ({
      manifest: textOf(await ada.manifest(on, wish)),
      content,
    });
    const good = await of({ revision: 2, previous: manifest });
    const path = `/drive/nodes/${node.id}/revisions`;
    expect(await codeOf(ada.client.json('POST', path, good))).toBe('428 precondition-required');
    expect(await codeOf(ada.revise(node.id, other.json.etag, good))).toBe('412 precondition-failed');
    expect(await codeOf(ada.revise(node.id, json.etag, await of({ revision: 3, previous: manifest })))).toBe(
      '412 precondition-failed',
    );
    expect(await codeOf(ada.revise(node.id, json.etag, await of({ revision: 2, previous: randomBytes(4) })))).toBe(
      '412 precondition-failed',
    );
    const ofOther = await of({ revision: 2, previous: manifest }, other.node);
    expect(await codeOf(ada.revise(node.id, json.etag, ofOther))).toBe('400 invalid-record');
    const forged = Buffer.from(good.manifest, 'base64url');
    forged[forged.length - 1]! ^= 1;
    expect(await codeOf(ada.revise(node.id, json.etag, { ...good, manifest: textOf(forged) }))).toBe('400 invalid-record');
    const large = { ...good, content: textOf(randomBytes(48 * 1024 + 1)) };
    expect(await codeOf(ada.revise(node.id, json.etag, large))).toMatch(/^4(00|13)/);
    expect((await ada.revise(node.id, json.etag, good)).status).toBe(201);
  });

  it('are listed newest first, and an older one comes back without an upload', async () => {
    const first = randomBytes(100_000);
    const upload = await ada.begin({ parentId: root.id });
    await ada.part(upload.uploadId, 0, first);
    const keys = NodeKeys.fresh();
    const node = { id: upload.nodeId, keys };
    const { record } = await ada.draft(root, 'file', keys, node.id);
    let manifest = await ada.manifest(node, { revisionId: upload.uploadId });
    const made = { record: textOf(record), manifest: textOf(manifest), digests: [textOf(sha256Of(first))] };
    let json = (await (await ada.client.json('POST', '/drive/nodes', made)).json()) as NodeJson;
    const next = async (revision: number, wish: { revisionId?: string; content?: string }): Promise<void> => {
      const { revisionId, ...rest } = wish;
      manifest = await ada.manifest(node, { revision, previous: manifest, ...(revisionId !== undefined && { revisionId }) });
      const answer = await ada.revise(node.id, json.etag, { manifest: textOf(manifest), ...rest });
      expect(answer.status).toBe(201);
      json = (await answer.json()) as NodeJson;
    };
    await next(2, { content: textOf(Buffer.from('second')) });
    const before = await used(ada.accountId);
    await next(3, { revisionId: upload.uploadId });
    expect((await used(ada.accountId)).usedBytes - before.usedBytes).toBeLessThan(2000);
    expect((await bytesOf(ada.read(node.id))).equals(first)).toBe(true);
    const path = `/drive/nodes/${node.id}/revisions`;
    const page = (await (await ada.client.call(`${path}?limit=2`)).json()) as {
      items: { revision: number; revisionId: string; bytes: number; manifest: string }[];
      nextBefore: number | null;
    };
    expect(page.items.map(({ revision, bytes }) => [revision, bytes])).toEqual([
      [3, 100_000],
      [2, 6],
    ]);
    expect(page.items[0]!.manifest).toBe(textOf(manifest));
    const rest = (await (await ada.client.call(`${path}?limit=2&before=${page.nextBefore}`)).json()) as typeof page;
    expect([rest.items.map(({ revision }) => revision), rest.nextBefore]).toEqual([[1], null]);
    expect(await (await ada.client.call(`${path}/2`)).json()).toMatchObject({
      revision: 2,
      content: textOf(Buffer.from('second')),
    });
    expect(await (await ada.client.call(`${path}/latest`)).json()).toMatchObject({ revision: 3, content: null });
    const range = await ada.read(node.id, { revision: 2, range: 'bytes=1-3' });
    expect([range.status, await range.text(), range.headers.get('content-range')]).toEqual([206, 'eco', 'bytes 1-3/6']);
    expect(await codeOf(ada.read(node.id, { revision: 2, range: 'bytes=6-' }))).toBe('416 range-not-satisfiable');
  });
});

describe('what is not needed any more', () => {
  it('is given back: a removed folder with everything in it, and an upload that was forgotten', async () => {
    const carla = await DriveClient.join(server.url, admin, 'carla');
    const home = await carla.root();
    const before = await used(carla.accountId);
    let folder = await carla.folder(home);
    const top = folder.id;
    for (let depth = 0; depth < 4; depth += 1) {
      for (let file = 0; file < 5; file += 1) await carla.smallFile(folder, randomBytes(2000));
      const upload = await carla.begin({ parentId: folder.id });
      const bytes = randomBytes(200_000);
      await carla.part(upload.uploadId, 0, bytes);
      expect((await carla.finish(folder, upload, [sha256Of(bytes)])).status).toBe(201);
      folder = await carla.folder(folder);
    }
    const { etag } = await carla.node(top);
    const removal = await carla.client.call(`/drive/nodes/${top}`, { method: 'DELETE', headers: { 'If-Match': etag } });
    expect(removal.status).toBe(204);
    await until('the room is free', async () => JSON.stringify(await used(carla.accountId)) === JSON.stringify(before));
  }, 300_000);

  it('is found by the sweep after the process died in a removal', async () => {
    const dora = await DriveClient.join(server.url, admin, 'dora');
    const home = await dora.root();
    const before = await used(dora.accountId);
    const top = await dora.folder(home);
    for (let file = 0; file < 60; file += 1) await dora.smallFile(await dora.folder(top), randomBytes(500));
    const { etag } = await dora.node(top.id);
    await dora.client.call(`/drive/nodes/${top.id}`, { method: 'DELETE', headers: { 'If-Match': etag } });
    await server.kill();
    server = await TestServer.start({ config: CONFIG, directory: server.directory });
    admin = new Client(server.url, undefined, adminToken);
    ada = ada.at(server.url);
    await until('the room is free', async () => JSON.stringify(await used(dora.accountId)) === JSON.stringify(before));
    expect(server.logs()).toContain('removed what nobody needed from the drives');
  }, 300_000);
});

describe('a drive', () => {
  it('is not there for a token with a prefix, nor in a store without accounts', async () => {
    const { token } = await makeToken(ada.client, { prefix: 'photos/' });
    const narrow = new Client(server.url, undefined, token);
    expect(await codeOf(narrow.json('POST', '/drive/uploads', { parentId: root.id }))).toBe('403 forbidden');
    const open = await TestServer.start();
    try {
      const anybody = new Client(open.url);
      expect(await codeOf(anybody.json('POST', '/drive/uploads', { parentId: root.id }))).toBe('403 accounts-required');
    } finally {
      await open.remove();
    }
  });
});
