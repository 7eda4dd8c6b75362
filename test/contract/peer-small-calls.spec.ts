import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { inBackground } from '../../src/nodes/background-work.js';
import { NodeError, type StorageNode } from '../../src/nodes/storage-node.js';
import { FaultyStorageNode } from '../support/faulty.storage-node.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { newPeerIds, peerNode, servedNode, servePeer } from '../support/peer-pair.js';
import { batchOf, headOf, keyOf, listedHeads, listedKeys, never, someRecord, someShard } from '../support/storage-node.shards.js';

const LARGE = 32 * 1024;

describe('Small calls to a peer', () => {
  let inner: FaultyStorageNode;
  let node: StorageNode;
  let close: () => Promise<void>;

  beforeEach(async () => {
    const ids = newPeerIds();
    inner = new FaultyStorageNode(new MemoryStorageNode(1));
    const peer = await servePeer({ local: servedNode(inner, ids) });
    node = peerNode(peer.origin, ids);
    await node.probe(never());
    close = async () => {
      await node.close();
      await peer.close();
    };
  });

  afterEach(() => close());

  /** Makes calls while one is under way that takes its time; returns what those came to. */
  async function behind<Result>(
    first: 'put' | 'get' | 'delete' | 'forget' | 'getRecords',
    call: () => Promise<unknown>,
    make: () => readonly Promise<Result>[],
  ): Promise<readonly PromiseSettledResult<Result>[]> {
    inner.inject({ on: first, effect: { delayMs: 30 }, nth: inner.calls[first] + 1 });
    const before = inner.calls[first];
    const slow = call();
    while (inner.calls[first] === before) await new Promise((resolve) => setTimeout(resolve, 1));
    const results = Promise.allSettled(make());
    await slow;
    return results;
  }

  it('travel together while others are under way, each with its own answer', async () => {
    const shards = Array.from({ length: 10 }, () => someShard({ size: 500 }));
    const records = Array.from({ length: 10 }, () => someRecord());
    await behind(
      'put',
      () => node.put(batchOf([someShard()]), never()),
      () => shards.map((shard, at) => node.put(batchOf([shard], records.slice(at, at + 1)), never())),
    );
    expect(inner.calls.put).toBe(2);
    const gone = someShard();
    const asks = [...shards, gone].map(({ versionId, stripe, index }) => ({ versionId, stripe, index, length: 500 }));
    const found = await behind(
      'get',
      () => node.get(asks.slice(0, 1), never()),
      () => asks.map((ask) => node.get([ask], never())),
    );
    expect(inner.calls.get).toBe(2);
    const got = found.map((result) => (result.status === 'fulfilled' ? result.value : []));
    for (const [at, { bytes }] of shards.entries()) expect(Buffer.compare(got[at]?.[0] as Uint8Array, bytes)).toBe(0);
    expect(got.at(-1)).toMatchObject([{ kind: 'not-found' }]);
    const read = await behind(
      'getRecords',
      () => node.getRecords(records.slice(0, 1), never()),
      () => [records.slice(1, 3), records.slice(3, 4), []].map((keys) => node.getRecords(keys, never())),
    );
    expect(inner.calls.getRecords).toBe(2);
    const heads = read.map(
      (result) => result.status === 'fulfilled' && result.value.map((record) => headOf(record as (typeof records)[0])),
    );
    expect(heads).toEqual([records.slice(1, 3).map(headOf), records.slice(3, 4).map(headOf), []]);
  });

  it('are deleted and forgotten together, and what was not named stays', async () => {
    const shards = Array.from({ length: 10 }, () => someShard());
    const records = Array.from({ length: 10 }, () => someRecord());
    await node.put(batchOf(shards, records), never());
    await behind(
      'delete',
      () => node.delete(shards.slice(0, 1), never()),
      () => shards.slice(1, 8).map((shard) => node.delete([shard], never())),
    );
    await behind(
      'forget',
      () => node.forget(records.slice(0, 1), never()),
      () => records.slice(1, 8).map((record) => node.forget([record], never())),
    );
    expect([inner.calls.delete, inner.calls.forget]).toEqual([2, 2]);
    expect(await listedKeys(node)).toEqual(shards.slice(8).map(keyOf).toSorted());
    expect(await listedHeads(node)).toEqual(records.slice(8).map(headOf).toSorted());
  });

  it('are refused alone if they cannot be made, and fail together if the node does', async () => {
    const good = someShard();
    const [bad, ...others] = await behind(
      'put',
      () => node.put(batchOf([someShard()]), never()),
      () => [batchOf([], [someRecord({ revision: -1 })]), batchOf([good])].map((batch) => node.put(batch, never())),
    );
    expect(bad).toMatchObject({ status: 'rejected', reason: { kind: 'rejected' } });
    expect(others).toMatchObject([{ status: 'fulfilled' }]);
    const failed = await behind(
      'put',
      () => node.put(batchOf([someShard()]), never()),
      () => {
        inner.inject({ on: 'put', effect: { fail: 'full' }, nth: inner.calls.put + 1 });
        return [someShard(), someShard()].map((shard) => node.put(batchOf([shard]), never()));
      },
    );
    for (const result of failed) expect(result).toMatchObject({ status: 'rejected', reason: { kind: 'full' } });
  });

  it('do not take with them what others wait for when they are given up', async () => {
    const leaver = new AbortController();
    const [left, stayed] = [someShard(), someShard()];
    const results = await behind(
      'put',
      () => node.put(batchOf([someShard()]), never()),
      () => {
        setTimeout(() => leaver.abort(new NodeError('unavailable', 'nobody waits')), 5);
        return [node.put(batchOf([left]), leaver.signal), node.put(batchOf([stayed]), never())];
      },
    );
    expect(results).toMatchObject([
      { status: 'rejected', reason: { message: 'unavailable: nobody waits' } },
      { status: 'fulfilled' },
    ]);
    expect(await node.check([left, stayed], never())).toMatchObject([{ kind: 'not-found' }, undefined]);
  });

  it('wait for nothing when they are large or what is under way is in the background', async () => {
    let hasEnded = false;
    const before = await behind(
      'put',
      () => inBackground(() => node.put(batchOf([someShard()]), never())).then(() => (hasEnded = true)),
      () => [someShard({ size: LARGE }), someShard()].map((shard) => node.put(batchOf([shard]), never()).then(() => hasEnded)),
    );
    expect(before).toEqual([false, false].map((value) => ({ status: 'fulfilled', value })));
  });
});
