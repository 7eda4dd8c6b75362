import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFile } from 'node:fs/promises';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { someBytes } from '../support/bytes.js';
import { Client, type FileJson } from '../support/client.js';
import { delegatedBy, DELEGATING, untilDelegating } from '../support/delegated.js';
import { PeerCluster } from '../support/peer-cluster.js';
import { eventually, shardFiles } from '../support/shard-files.js';

const SLICE = DELEGATING.size_per_slice;
const LARGE = 3_000_000;
const CONFIG = {
  ...DELEGATING,
  // Where all writes are slow at first, some would be taken for late, and move.
  limits: { ...DELEGATING.limits, write_slow_ms_min: 5000, sweep_interval_ms: 1000 },
};

let cluster: PeerCluster;

function sumOf(bytes: Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`;
}

async function shardsOfAll(): Promise<number> {
  const counts = await Promise.all([1, 2, 3, 4].map(async (i) => (await shardFiles(cluster.nodeFolder(i))).length));
  return counts.reduce((all, count) => all + count, 0);
}

async function noShards(msMax: number): Promise<number> {
  return eventually(shardsOfAll, (count) => count === 0, msMax);
}

interface BegunUpload {
  readonly request: ClientRequest;
  /** It may come before the rest of the body is sent. */
  readonly answered: Promise<readonly IncomingMessage[]>;
}

/** Begins an upload and sends so much of it; the rest waits. */
async function begin(i: number, bytes: Buffer, sent: number): Promise<BegunUpload> {
  const upload = request(`${cluster.url(i)}/files?name=slow`, {
    method: 'PUT',
    agent: false,
    headers: { 'Content-Length': bytes.length },
  });
  const answered = once(upload, 'response') as Promise<[IncomingMessage]>;
  answered.catch(() => undefined);
  upload.on('error', () => undefined);
  upload.write(bytes.subarray(0, sent));
  await eventually(shardsOfAll, (count) => count > 10, 10_000);
  return { request: upload, answered };
}

async function finish(upload: BegunUpload, rest: Uint8Array): Promise<{ readonly status: number; readonly body: unknown }> {
  upload.request.end(rest);
  const [answer] = (await upload.answered) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(await answer.toArray()).toString()) };
}

async function clear(): Promise<void> {
  const client = new Client(cluster.url(1));
  for (const { id } of (await client.list()).items) await client.remove(id);
  expect(await noShards(20_000)).toBe(0);
}

describe('a peer that stores bodies itself', () => {
  beforeAll(async () => {
    cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, config: CONFIG });
    await untilDelegating(cluster, [2, 3]);
  });

  afterEach(clear);

  afterAll(() => cluster.remove());

  it('makes the file that the gateway would, and leaves to it what is small', async () => {
    const bytes = someBytes(LARGE);
    const before = await delegatedBy(cluster.url(2));
    const client = new Client(cluster.url(2));
    const answer = await client.tryPut('a b', bytes, { 'content-type': 'text/x-a', 'repr-digest': sumOf(bytes) });
    const file = (await answer.json()) as FileJson;
    expect([answer.status, answer.headers.get('location'), answer.headers.get('etag')]).toEqual([
      201,
      `/files/${file.id}`,
      file.etag,
    ]);
    expect(file).toMatchObject({ name: 'a b', size: LARGE, contentType: 'text/x-a' });
    for (const i of [1, 2, 3]) expect((await new Client(cluster.url(i)).bytes(file.id)).equals(bytes)).toBe(true);
    const info = (await (await fetch(`${cluster.url(1)}/files/${file.id}/info`)).json()) as { survives: number };
    expect(info.survives).toBe(1);
    const other = someBytes(LARGE + 77_777);
    expect((await client.replace(file.id, other, { 'if-match': '"other"' })).status).toBe(412);
    expect((await client.replace(file.id, other, { 'if-match': file.etag })).status).toBe(200);
    expect((await client.bytes(file.id)).equals(other)).toBe(true);
    expect((await delegatedBy(cluster.url(2))).stores - before.stores).toBe(2);
    await client.put('small', someBytes(99_999));
    expect((await delegatedBy(cluster.url(2))).stores - before.stores).toBe(2);
    expect((await client.list()).items.map(({ name }) => name)).toEqual(['a b', 'small']);
  });

  it('refuses what the gateway refuses, before a byte of the body is sent, and keeps nothing of it', async () => {
    const bytes = someBytes(LARGE);
    const wrong = await new Client(cluster.url(2)).tryPut('wrong', bytes, { 'repr-digest': sumOf(someBytes(5)) });
    expect([wrong.status, ((await wrong.json()) as { code: string }).code]).toEqual([400, 'invalid-digest']);
    expect(await noShards(10_000)).toBe(0);
    const asked = request(`${cluster.url(2)}/files?name=${'n'.repeat(2000)}`, {
      method: 'PUT',
      agent: false,
      headers: { 'Content-Length': LARGE, Expect: '100-continue' },
    });
    let invited = false;
    asked.on('continue', () => (invited = true)).on('error', () => undefined);
    asked.flushHeaders();
    const [refused] = (await once(asked, 'response')) as [IncomingMessage];
    expect([refused.statusCode, invited]).toEqual([400, false]);
    asked.destroy();
  });

  it('invites a client that asks first, once', async () => {
    const bytes = someBytes(LARGE);
    const asked = request(`${cluster.url(3)}/files?name=asked`, {
      method: 'PUT',
      agent: false,
      headers: { 'Content-Length': LARGE, Expect: '100-continue' },
    });
    let invited = 0;
    asked.on('continue', () => {
      invited += 1;
      asked.end(bytes);
    });
    asked.flushHeaders();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    await answer.toArray();
    expect([answer.statusCode, invited]).toEqual([201, 1]);
    const plain = request(`${cluster.url(3)}/files?name=plain`, {
      method: 'PUT',
      agent: false,
      headers: { 'Content-Length': LARGE },
    });
    plain.on('continue', () => (invited += 1)).end(bytes);
    const [stored] = (await once(plain, 'response')) as [IncomingMessage];
    await stored.toArray();
    expect([stored.statusCode, invited]).toEqual([201, 1]);
  });

  it('spreads bodies as evenly as one process does, however many come through however many peers', async () => {
    const puts = Array.from({ length: 12 }, (_, at) => new Client(cluster.url(1 + (at % 4))).put(`${at}`, randomBytes(LARGE)));
    await Promise.all(puts);
    const counts = await Promise.all([1, 2, 3, 4].map(async (i) => (await shardFiles(cluster.nodeFolder(i))).length));
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it('takes back what a client leaves behind', async () => {
    const bytes = someBytes(5 * LARGE);
    const upload = await begin(2, bytes, 2 * LARGE);
    upload.request.destroy();
    expect(await noShards(10_000)).toBe(0);
    expect((await new Client(cluster.url(1)).list()).items).toEqual([]);
  });

  it('puts the shards elsewhere when a node dies under it', async () => {
    const bytes = someBytes(5 * LARGE);
    const upload = await begin(2, bytes, 2 * LARGE);
    await cluster.kill(4);
    try {
      const { status, body } = await finish(upload, bytes.subarray(2 * LARGE));
      expect(status).toBe(201);
      const { id } = body as FileJson;
      expect((await new Client(cluster.url(3)).bytes(id)).equals(bytes)).toBe(true);
    } finally {
      await cluster.restart(4);
      await cluster.untilNode(4, 'up');
    }
  });

  it('leaves bodies to the gateway while it has not the key that new files are sealed with', async () => {
    const bytes = someBytes(LARGE);
    const old = join(cluster.directory, 'old.json');
    await copyFile(join(cluster.directory, 'key-ring.json'), old);
    expect(await cluster.cli(['keys', 'rotate', '--config', cluster.configFile(1)])).toMatchObject({ code: 0 });
    await cluster.stop(4);
    await cluster.configure(4, { key_ring: old });
    await cluster.restart(4);
    await cluster.untilReady(4);
    const client = new Client(cluster.url(4));
    const files: FileJson[] = [];
    await eventually(
      async () => {
        files.push(await client.put(`${files.length}`, bytes));
        return (await delegatedBy(cluster.url(4))).failures;
      },
      (failures) => failures > 0,
      20_000,
    );
    expect((await delegatedBy(cluster.url(4))).failures).toBeGreaterThan(0);
    for (const { id } of files) expect((await client.bytes(id)).equals(bytes)).toBe(true);
    await cluster.stop(4);
    await cluster.configure(4);
    await cluster.restart(4);
    await cluster.untilReady(4);
  });

  it('leaves nothing of an upload that dies with it, or with the gateway', async () => {
    const bytes = someBytes(5 * LARGE);
    await begin(3, bytes, 2 * LARGE);
    await cluster.kill(3);
    // As long as a node is away it may have the record of what was begun, and then nothing of it may go.
    await cluster.restart(3);
    await cluster.untilNode(3, 'up');
    expect(await noShards(20_000)).toBe(0);
    const upload = await begin(2, bytes, 2 * LARGE);
    await cluster.kill(1);
    const { status, body } = await finish(upload, bytes.subarray(2 * LARGE)).catch(() => ({ status: 0, body: {} }));
    expect([0, 502, 503]).toContain(status);
    expect(['gateway-lost', 'gateway-unavailable', undefined]).toContain((body as { code?: string }).code);
    await cluster.restart(1);
    await cluster.untilReady(2);
    expect((await new Client(cluster.url(2)).list()).items).toEqual([]);
  });
});

describe('a peer that codes bodies itself', () => {
  beforeAll(async () => {
    cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, config: { ...CONFIG, redundancy_scheme: 'erasure' } });
    await untilDelegating(cluster, [2]);
  });

  afterAll(() => cluster.remove());

  it('stores them so that a node may be lost', async () => {
    const before = (await delegatedBy(cluster.url(2))).stores;
    const files = new Map<string, Buffer>();
    for (const size of [100_001, 3 * SLICE, LARGE]) {
      const bytes = someBytes(size);
      files.set((await new Client(cluster.url(2)).put('coded', bytes)).id, bytes);
    }
    expect((await delegatedBy(cluster.url(2))).stores - before).toBe(3);
    for (const id of files.keys()) {
      const info = (await (await fetch(`${cluster.url(1)}/files/${id}/info`)).json()) as { survives: number };
      expect(info.survives).toBe(1);
    }
    cluster.freeze(4);
    try {
      for (const [id, bytes] of files) expect((await new Client(cluster.url(3)).bytes(id)).equals(bytes)).toBe(true);
    } finally {
      cluster.thaw(4);
    }
  });
});
