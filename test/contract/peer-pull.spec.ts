import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LIMITS } from '../../src/config/limits.js';
import { DeadlineStorageNode } from '../../src/nodes/deadline.storage-node.js';
import type { PeerServerParts } from '../../src/nodes/peer/peer-server.js';
import type { PeerStorageNode } from '../../src/nodes/peer/peer.storage-node.js';
import { noteRead } from '../../src/nodes/read-bytes.js';
import type { Shard, ShardCopy, StorageNode } from '../../src/nodes/storage-node.js';
import { FaultyStorageNode } from '../support/faulty.storage-node.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { newPeerIds, peerNode, type RunningPeer, servedNode, servePeer } from '../support/peer-pair.js';
import { batchOf, never, someShard } from '../support/storage-node.shards.js';

const [SOURCE, TARGET] = [1, 2];

describe('a peer that is to copy from another one', () => {
  let kept: { readonly source: MemoryStorageNode; readonly target: MemoryStorageNode };
  let faulty: { readonly source: FaultyStorageNode; readonly target: FaultyStorageNode };
  let source: PeerStorageNode;
  let target: PeerStorageNode;
  let peers: RunningPeer[];

  async function serve(node: StorageNode, part: Partial<PeerServerParts> = {}): Promise<PeerStorageNode> {
    const ids = newPeerIds();
    const peer = await servePeer({ local: servedNode(node, ids), ...part });
    peers.push(peer);
    return peerNode(peer.origin, ids, { number: node.number });
  }

  beforeEach(async () => {
    peers = [];
    kept = { source: new MemoryStorageNode(SOURCE), target: new MemoryStorageNode(TARGET, 5_000_000) };
    faulty = { source: new FaultyStorageNode(kept.source), target: new FaultyStorageNode(kept.target) };
    source = await serve(faulty.source);
    const patient = new DeadlineStorageNode(source, 2500);
    target = await serve(faulty.target, { sourceOf: (number) => (number === SOURCE ? patient : undefined) });
  });

  afterEach(async () => {
    faulty.source.release();
    await Promise.all([source.close(), target.close()]);
    for (const peer of peers) await peer.close();
  });

  /** As the second copy of its stripe. */
  function copyOf(shard: Shard, part: Partial<ShardCopy> = {}): ShardCopy {
    const { versionId, stripe, index } = shard;
    return { versionId, stripe, index: index + 1, k: 1, m: 2, fromIndex: index, length: shard.bytes.byteLength, ...part };
  }

  async function putShards(count: number, size: number): Promise<Shard[]> {
    const shards = Array.from({ length: count }, () => someShard({ size }));
    await source.put(batchOf(shards), never());
    return shards;
  }

  it('has them durably, in the shape and the place that it was told', async () => {
    const shards = [...(await putShards(3, 1_200_000)), ...(await putShards(20, 50))];
    const copies = shards.map((shard) => copyOf(shard));
    expect(await target.pull(SOURCE, copies, never())).toEqual(copies.map(() => undefined));
    const got = await target.get(copies, never());
    expect(shards.map(({ bytes }, at) => Buffer.compare(got[at] as Uint8Array, bytes))).toEqual(shards.map(() => 0));
    expect([...kept.target.shards.values()].map(({ k, m, checksum }) => [k, m, checksum])).toEqual(
      shards.map(({ checksum }) => [1, 2, checksum]),
    );
  });

  it('says of each alone what it could not get, and keeps nothing of that', async () => {
    const [good, bad, short] = (await putShards(3, 100)) as [Shard, Shard, Shard];
    kept.source.damage(bad);
    const copies = [copyOf(someShard({ size: 100 })), copyOf(bad), copyOf(short, { length: 99 }), copyOf(good)];
    const kinds = (await target.pull(SOURCE, copies, never())).map((error) => error?.kind);
    expect(kinds).toEqual(['not-found', 'corrupt', 'corrupt', undefined]);
    expect([...kept.target.shards.values()].map(({ versionId }) => versionId)).toEqual([good.versionId]);
  });

  it('keeps what the source proved the bytes by, so that what is spoiled on the way is not taken for what was put', async () => {
    const [shard] = (await putShards(1, 100_000)) as [Shard];
    jest.spyOn(kept.source, 'get').mockImplementation(() => {
      const spoiled = Uint8Array.from(shard.bytes, (byte, at) => (at === 50_000 ? byte ^ 1 : byte));
      noteRead(spoiled, shard.checksum);
      return Promise.resolve([spoiled]);
    });
    await target.pull(SOURCE, [copyOf(shard)], never());
    expect([...kept.target.shards.values()].map(({ checksum }) => checksum)).toEqual([shard.checksum]);
    expect(await target.check([copyOf(shard)], never())).toMatchObject([{ kind: 'corrupt' }]);
  });

  it('takes no more from the source than the shard must have, and a byte that tells it is longer', async () => {
    const [shard] = (await putShards(1, 1_200_000)) as [Shard];
    const get = jest.spyOn(source, 'get');
    const answers = await target.pull(SOURCE, [copyOf(shard, { length: 1000 })], never());
    expect(answers.map((error) => error?.kind)).toEqual(['corrupt']);
    const taken = await (get.mock.results[0]!.value as ReturnType<StorageNode['get']>);
    expect(taken).toEqual([shard.bytes.subarray(0, 1001)]);
  });

  it('does not hang with a source that hangs', async () => {
    const copies = (await putShards(2, 100)).map((shard) => copyOf(shard));
    faulty.source.inject({ on: 'get', effect: { hang: true } });
    const began = performance.now();
    expect((await target.pull(SOURCE, copies, never())).map((error) => error?.kind)).toEqual(['unavailable', 'unavailable']);
    expect(performance.now() - began).toBeLessThan(LIMITS.node_call_ms_max / 2);
    expect(kept.target.shards.size).toBe(0);
  });

  it('rejects as a put does if it cannot keep them itself', async () => {
    const copies = (await putShards(5, 1_200_000)).map((shard) => copyOf(shard));
    await expect(target.pull(SOURCE, copies, never())).rejects.toMatchObject({ kind: 'full' });
    faulty.target.inject({ on: 'put', effect: { fail: 'rejected' } });
    await expect(target.pull(SOURCE, copies.slice(0, 1), never())).rejects.toMatchObject({ kind: 'rejected' });
  });

  it('leaves to the caller what lies on a node that it does not know: its configuration may be older', async () => {
    const copies = (await putShards(2, 100)).map((shard) => copyOf(shard));
    expect((await target.pull(7, copies, never())).map((error) => error?.kind)).toEqual(['unavailable', 'unavailable']);
  });

  it('refuses more than it has room for, and what is no shard', async () => {
    const copies = (await putShards(1, 100)).map((shard) => copyOf(shard));
    const copy = copies[0] as ShardCopy;
    const huge = Array.from({ length: 20 }, (_, index) => ({ ...copy, index, length: 64 * 1024 * 1024 }));
    await expect(target.pull(SOURCE, huge, never())).rejects.toMatchObject({ kind: 'rejected' });
    await expect(target.pull(SOURCE, [{ ...copy, length: 2 ** 40 }], never())).rejects.toMatchObject({ kind: 'rejected' });
    await expect(target.pull(SOURCE, [{ ...copy, fromIndex: 256 }], never())).rejects.toMatchObject({ kind: 'rejected' });
    expect(kept.target.shards.size).toBe(0);
  });

  it('stops when nobody waits for it any more', async () => {
    const copies = (await putShards(2, 100)).map((shard) => copyOf(shard));
    faulty.source.inject({ on: 'get', effect: { delayMs: 100 } });
    await expect(target.pull(SOURCE, copies, AbortSignal.timeout(30))).rejects.toThrow('timeout');
    await sleep(150);
    expect(kept.target.shards.size).toBe(0);
  });

  it('answers for a driver that cannot do it, that each has to be got and put', async () => {
    const copies = (await putShards(2, 100)).map((shard) => copyOf(shard));
    const answers = await kept.target.pull(SOURCE, copies, never());
    expect(answers.map((error) => error?.kind)).toEqual(['unavailable', 'unavailable']);
  });
});
