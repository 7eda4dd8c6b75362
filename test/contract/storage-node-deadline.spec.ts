import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { DeadlineStorageNode } from '../../src/nodes/deadline.storage-node.js';
import { NodeError, type StorageNode } from '../../src/nodes/storage-node.js';
import { FaultyStorageNode } from '../support/faulty.storage-node.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { batchOf, listedKeys, never, someShard, someShards } from '../support/storage-node.shards.js';

const LIMIT_MS = 40;
const late = { name: 'NodeError', kind: 'unavailable', message: `unavailable: did not answer within ${LIMIT_MS} ms` };

describe('A DeadlineStorageNode', () => {
  const shard = someShard();
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  let faulty: FaultyStorageNode;
  let node: StorageNode;
  let timersBefore: number;

  beforeEach(() => {
    process.on('unhandledRejection', onUnhandled);
    timersBefore = timers(); // Jest has one of its own
    faulty = new FaultyStorageNode(new MemoryStorageNode(1));
    node = new DeadlineStorageNode(faulty, LIMIT_MS);
  });

  afterEach(async () => {
    faulty.release();
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled.splice(0)).toEqual([]);
    expect(timers()).toBe(timersBefore);
    await node.close();
  });

  it.each(['hang', 'delayMs'] as const)('answers in time for a node whose calls %s', async (effect) => {
    for (const on of ['put', 'get', 'delete', 'list', 'probe'] as const)
      faulty.inject({ on, effect: effect === 'hang' ? { hang: true } : { delayMs: 10_000 } });
    const begin = performance.now();
    await expect(node.put(batchOf([shard]), never())).rejects.toMatchObject(late);
    await expect(node.get([shard], never())).rejects.toMatchObject(late);
    await expect(node.delete([shard], never())).rejects.toMatchObject(late);
    await expect(node.probe(never())).rejects.toMatchObject(late);
    await expect(listedKeys(node)).rejects.toMatchObject(late);
    expect(performance.now() - begin).toBeLessThan(LIMIT_MS * 20);
  });

  it('bears that what it left behind fails later', async () => {
    const mend = faulty.inject({ on: 'put', effect: { hang: true } });
    faulty.inject({ on: 'put', effect: { fail: 'full' } });
    await expect(node.put(batchOf([shard]), never())).rejects.toMatchObject(late);
    mend();
    faulty.release();
  });

  it('does not return before what the node has under way has ended, when the caller leaves', async () => {
    const inner = new MemoryStorageNode(1);
    const landed: string[] = [];
    inner.put = async (_batch, signal) => {
      await new Promise((resolve) => setTimeout(resolve, LIMIT_MS / 2));
      landed.push('written');
      signal.throwIfAborted();
    };
    const controller = new AbortController();
    const reason = new Error('the client left');
    setTimeout(() => controller.abort(reason), 5);
    await expect(new DeadlineStorageNode(inner, LIMIT_MS).put(batchOf([shard]), controller.signal)).rejects.toBe(reason);
    expect(landed).toEqual(['written']); // else a shard would arrive after the caller has cleaned up
  });

  it('aborts the signal of a call that is too late', async () => {
    const heard: unknown[] = [];
    const inner = new MemoryStorageNode(1);
    inner.put = (_batch, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => {
          heard.push(signal.reason);
          reject(new Error('other'));
        }),
      );
    await expect(new DeadlineStorageNode(inner, LIMIT_MS).put(batchOf([shard]), never())).rejects.toMatchObject(late);
    expect(heard).toEqual([expect.any(NodeError)]);
  });

  it('leaves no listener on the signal of a caller that lives long', async () => {
    const { signal } = new AbortController();
    await node.put(batchOf([shard]), signal);
    await node.get([shard], signal);
    for await (const id of node.list(signal)) expect(id.stripe).toBe(0);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('limits the step of a walk, not the walk', async () => {
    await node.put(batchOf(someShards(8)), never());
    let count = 0;
    for await (const id of node.list(never())) {
      await new Promise((resolve) => setTimeout(resolve, LIMIT_MS / 4));
      count += id.index >= 0 ? 1 : 0;
    }
    expect(count).toBe(8);
  });

  it('leaves nothing behind for a call that throws before it is a promise', async () => {
    const inner = new MemoryStorageNode(1);
    inner.get = () => {
      throw new Error('a defect');
    };
    await expect(new DeadlineStorageNode(inner, LIMIT_MS).get([shard], never())).rejects.toThrow('a defect');
  });
});

describe('A FaultyStorageNode', () => {
  it('fails as its seed says, and the same again for the same seed', async () => {
    const run = async (seed: number): Promise<string> => {
      const faulty = new FaultyStorageNode(new MemoryStorageNode(1), {
        seed,
        faults: [{ on: 'put', effect: { fail: 'full' }, odds: 0.5 }],
      });
      const outcomes = await Promise.all(
        someShards(40).map((shard) =>
          faulty.put(batchOf([shard]), never()).then(
            () => '.',
            () => 'x',
          ),
        ),
      );
      return outcomes.join('');
    };
    expect(await run(7)).toBe(await run(7));
    expect(await run(7)).not.toBe(await run(8));
    expect(await run(7)).toMatch(/x.*\..*x/);
  });

  it('lies about bytes, fails the n-th call and single entries', async () => {
    const faulty = new FaultyStorageNode(new MemoryStorageNode(1));
    const shard = someShard({ size: 50 });
    await faulty.put(batchOf([shard]), never());
    faulty.inject({ on: 'get', nth: 1, effect: { corrupt: true } });
    faulty.inject({ on: 'get', nth: 2, effect: { truncate: true } });
    faulty.inject({ on: 'get', nth: 3, effect: { fail: 'corrupt', each: true } });
    faulty.inject({ on: 'get', nth: 4, effect: { fail: 'unavailable' } });
    const [flipped] = await faulty.get([shard], never());
    expect(flipped).toHaveLength(50);
    expect(Buffer.compare(flipped as Uint8Array, shard.bytes)).not.toBe(0);
    expect((await faulty.get([shard], never()))[0]).toHaveLength(25);
    expect((await faulty.get([shard], never()))[0]).toMatchObject({ kind: 'corrupt' });
    await expect(faulty.get([shard], never())).rejects.toMatchObject({ kind: 'unavailable' });
    expect(Buffer.compare((await faulty.get([shard], never()))[0] as Uint8Array, shard.bytes)).toBe(0);
  });
});

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}
