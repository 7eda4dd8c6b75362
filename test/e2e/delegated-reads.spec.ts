import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { get as ask, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { someBytes } from '../support/bytes.js';
import { Client } from '../support/client.js';
import { delegatedBy, DELEGATING, untilDelegating } from '../support/delegated.js';
import { PeerCluster } from '../support/peer-cluster.js';
import { eventually, shardFiles } from '../support/shard-files.js';

const SLICE = DELEGATING.size_per_slice;
const LARGE = 3_000_000;
/** More than fits between a peer and a client that does not read. */
const HUGE = 16_000_000;
const CONFIG = { ...DELEGATING, repair_after: 0, limits: { ...DELEGATING.limits, small_cache_bytes: 0 } };

let cluster: PeerCluster;

/** Bodies that a peer has read itself so far, and those that it could not. */
async function countsOf(i: number): Promise<readonly [number, number]> {
  const { reads, failures } = await delegatedBy(cluster.url(i));
  return [reads, failures];
}

/** Begins to read a file and waits with the rest of it. */
async function begin(i: number, id: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  ask(`${cluster.url(i)}/files/${id}`, { agent: false }, resolve).on('error', reject);
  return promise;
}

async function sumOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of body) hash.update(piece);
  return hash.digest('hex');
}

function sum(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function shardsOfAll(): Promise<number> {
  const counts = await Promise.all([1, 2, 3, 4].map(async (i) => (await shardFiles(cluster.nodeFolder(i))).length));
  return counts.reduce((all, count) => all + count, 0);
}

describe('a peer that reads bodies itself', () => {
  beforeAll(async () => {
    cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, config: CONFIG });
    await untilDelegating(cluster, [2, 3]);
  });

  afterEach(async () => {
    for (const { id } of (await new Client(cluster.url(1)).list()).items) await new Client(cluster.url(1)).remove(id);
  });

  afterAll(() => cluster.remove());

  it('gives what the gateway would, and leaves to it what is small', async () => {
    const bytes = someBytes(LARGE);
    const { id, etag } = await new Client(cluster.url(1)).put('a b', bytes, { 'content-type': 'text/x-a' });
    const [before] = await countsOf(2);
    const client = new Client(cluster.url(2));
    const [here, there] = await Promise.all([client.get(id), new Client(cluster.url(1)).get(id)]);
    const [ofPeer, ofGateway] = [here, there].map(({ headers }) => {
      return Object.fromEntries([...headers].filter(([name]) => name !== 'date' && name !== 'x-request-id'));
    });
    expect(ofPeer).toEqual(ofGateway);
    expect(Buffer.from(await here.arrayBuffer()).equals(bytes)).toBe(true);
    await there.arrayBuffer();
    const part = await client.get(id, { range: 'bytes=100001-2000000' });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 100001-2000000/${LARGE}`]);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(100_001, 2_000_001))).toBe(true);
    expect((await countsOf(2))[0] - before).toBe(2);
    expect(await (await client.get(id, { range: 'bytes=5-6' })).arrayBuffer()).toHaveProperty('byteLength', 2);
    expect((await client.get(id, { 'if-none-match': etag })).status).toBe(304);
    expect((await client.get(id, { range: 'bytes=4000000-' })).status).toBe(416);
    expect((await client.get('01890000-0000-7000-8000-000000000000')).status).toBe(404);
    const head = await fetch(`${cluster.url(2)}/files/${id}`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(LARGE)]);
    expect((await countsOf(2))[0] - before).toBe(2);
  });

  it('reads to the end what is replaced meanwhile, and only then is that gone', async () => {
    const [old, young] = [someBytes(HUGE), someBytes(LARGE)];
    const client = new Client(cluster.url(1));
    const { id } = await client.put('replaced', old);
    const answer = await begin(2, id);
    await client.replace(id, young);
    const copies = 2 * Math.ceil(LARGE / SLICE);
    // Four looks of the collector.
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(await shardsOfAll()).toBeGreaterThan(copies + 100);
    expect(await sumOf(answer)).toBe(sum(old));
    expect(await eventually(shardsOfAll, (count) => count <= copies + 2, 20_000)).toBeLessThanOrEqual(copies + 2);
    expect((await client.bytes(id)).equals(young)).toBe(true);
  });

  it('goes on while the gateway is frozen', async () => {
    const bytes = someBytes(HUGE);
    const { id } = await new Client(cluster.url(1)).put('kept', bytes);
    const answer = await begin(3, id);
    cluster.freeze(1);
    try {
      expect(await sumOf(answer)).toBe(sum(bytes));
    } finally {
      cluster.thaw(1);
    }
    await cluster.untilReady(3);
    await cluster.untilNode(1, 'up');
  });

  it('tells the gateway of what it finds damaged, which mends it', async () => {
    const bytes = someBytes(HUGE);
    const { id } = await new Client(cluster.url(1)).put('damaged', bytes);
    const broken = await shardFiles(cluster.nodeFolder(4));
    for (const path of broken) {
      const shard = await readFile(path);
      const at = shard.length >> 1;
      shard[at] = shard[at]! ^ 1;
      await writeFile(path, shard);
    }
    const mended = await eventually(
      async () => {
        // Which copy of a slice is read is for the peer to say.
        expect(sum(await new Client(cluster.url(2)).bytes(id))).toBe(sum(bytes));
        return cluster.logs(1).includes('a shard is not as it was put');
      },
      (isSo) => isSo,
      20_000,
    );
    expect(mended).toBe(true);
    const repaired = async (): Promise<string> =>
      ((await (await fetch(`${cluster.url(1)}/repair`)).json()) as { state: string }).state;
    expect(await eventually(repaired, (state) => state === 'idle', 30_000)).toBe('idle');
    expect(sum(await new Client(cluster.url(3)).bytes(id))).toBe(sum(bytes));
  });

  it('has them read by the gateway where it has no keys for them', async () => {
    const bytes = someBytes(LARGE);
    const { id } = await new Client(cluster.url(1)).put('sealed', bytes);
    await cluster.stop(4);
    await cluster.configure(4, { key_ring: join(cluster.directory, 'none.json') });
    await cluster.restart(4);
    await cluster.untilReady(4);
    for (let round = 0; round < 3; round += 1) expect((await new Client(cluster.url(4)).bytes(id)).equals(bytes)).toBe(true);
    expect(await countsOf(4)).toEqual([0, 1]);
  });
});

describe('a peer that reads coded bodies itself', () => {
  beforeAll(async () => {
    const config = { ...CONFIG, repair_after: 3600, redundancy_scheme: 'erasure' };
    cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, config });
    await untilDelegating(cluster, [2]);
  });

  afterAll(() => cluster.remove());

  it('decodes what a dead node had, and what a frozen one keeps to itself', async () => {
    const [reads, failures] = await countsOf(2); // what it tried before it had seen all nodes among them
    const bytes = someBytes(HUGE);
    const { id } = await new Client(cluster.url(1)).put('coded', bytes);
    await cluster.kill(4);
    expect(sum(await new Client(cluster.url(2)).bytes(id))).toBe(sum(bytes));
    await cluster.restart(4);
    await cluster.untilNode(4, 'up');
    cluster.freeze(3);
    expect(sum(await new Client(cluster.url(2)).bytes(id))).toBe(sum(bytes));
    cluster.thaw(3);
    expect(await countsOf(2)).toEqual([reads + 2, failures]);
  });
});
