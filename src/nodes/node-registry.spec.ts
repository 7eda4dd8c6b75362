import { describe, expect, it } from '@jest/globals';
import { FaultyStorageNode } from '../../test/support/faulty.storage-node.js';
import { MemoryStorageNode } from '../../test/support/memory.storage-node.js';
import { LatencyWindow } from './latency-window.js';
import { NodeLatencies } from './node-latencies.js';
import { NodeRegistry } from './node-registry.js';
import { NodeError } from './storage-node.js';

const NEVER = new AbortController().signal;

function registryOf(...numbers: number[]): { readonly registry: NodeRegistry; readonly nodes: readonly FaultyStorageNode[] } {
  const nodes = numbers.map((number) => new FaultyStorageNode(new MemoryStorageNode(number)));
  const registry = new NodeRegistry(nodes, () => clock);
  for (const number of numbers) registry.setState(number, 'up', {});
  return { registry, nodes };
}

let clock = 0;

/** A read that takes so long by the clock of the registry. */
async function read(registry: NodeRegistry, number: number, ms: number): Promise<void> {
  const call = (): Promise<void> => Promise.resolve(void (clock += ms));
  await registry.call(number, call, { latency: 'readLarge' });
}

describe('a window of latencies', () => {
  it('knows the mean and the 95th percentile of the last calls, and forgets the older ones', () => {
    const window = new LatencyWindow();
    expect([window.mean, window.p95]).toEqual([undefined, undefined]);
    window.add(5);
    expect([window.mean, window.p95]).toEqual([5, 5]);
    for (let at = 0; at < 1000; at += 1) window.add(at % 100 < 90 ? 1 : 50);
    expect(window.p95).toBe(50);
    expect(window.mean).toBeGreaterThan(1);
    for (let at = 0; at < 128; at += 1) window.add(2);
    expect(window.p95).toBe(2);
    expect(window.mean).toBeCloseTo(2, 1);
  });

  it('does not count what was given up as what a call takes that is waited for', () => {
    const latencies = new NodeLatencies(() => 0);
    for (let at = 0; at < 100; at += 1) latencies.completed('readSmall', 2);
    for (let at = 0; at < 100; at += 1) latencies.late('readSmall', 500);
    expect(latencies.p95('readSmall')).toBe(2);
    expect(latencies.observedP95('readSmall')).toBe(500);
    expect(latencies.p95('readLarge')).toBeUndefined();
  });
});

describe('a call to a node', () => {
  it.each(['put', 'get'] as const)('ends when the node goes down, although a frozen %s hears no signal', async (name) => {
    const { registry, nodes } = registryOf(1);
    nodes[0]!.inject({ on: name, effect: { hang: true } });
    const signals: AbortSignal[] = [];
    const call = registry.call<unknown>(1, (node, signal) => {
      signals.push(signal);
      return name === 'put' ? node.put({ shards: [], records: [] }, signal) : node.get([], signal);
    });
    expect(registry.status(1).inFlight).toBe(1);
    registry.setState(1, 'suspect', {});
    expect(signals[0]!.aborted).toBe(false);
    registry.setState(1, 'down', {});
    await expect(call).rejects.toMatchObject({ name: 'NodeError', kind: 'unavailable' });
    expect(signals[0]!.aborted).toBe(true);
    expect(registry.status(1).inFlight).toBe(0);
    nodes[0]!.release();
  });

  it('ends when the node leaves the cluster, and is refused like one to a node that is gone', async () => {
    const { registry, nodes } = registryOf(1, 2);
    nodes[0]!.inject({ on: 'get', effect: { hang: true } });
    const call = registry.call(1, (node, signal) => node.get([], signal));
    void registry.retire(1);
    await expect(call).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(registry.call(1, (node) => node.get([], NEVER))).rejects.toMatchObject({ kind: 'unavailable' });
    expect([registry.has(1), registry.writable(), registry.byReadRank([1, 2])]).toEqual([false, [2], [2, 1]]);
    nodes[0]!.release();
  });

  it('is missed as long as it belongs to the cluster and is not there, also if it cannot be closed', async () => {
    const { registry, nodes } = registryOf(1, 2);
    nodes[0]!.close = () => Promise.reject(new NodeError('unavailable', 'it hangs'));
    await registry.detach(1);
    expect([registry.has(1), registry.isComplete]).toEqual([false, false]);
    registry.add(nodes[0]!);
    expect(registry.isComplete).toBe(true);
    await registry.detach(1);
    await registry.retire(1);
    expect(registry.isComplete).toBe(true);
  });

  it('passes the signal of the caller on, and blames nobody for it', async () => {
    const { registry, nodes } = registryOf(1);
    const suspected: number[] = [];
    registry.onSuspicion((node) => suspected.push(node));
    nodes[0]!.inject({ on: 'get', effect: { delayMs: 60_000 } });
    const stop = new AbortController();
    const call = registry.call(1, (node, signal) => node.get([], signal), { signal: stop.signal });
    stop.abort(new NodeError('unavailable', 'not needed any more'));
    await expect(call).rejects.toMatchObject({ message: 'unavailable: not needed any more' });
    expect(suspected).toEqual([]);
  });
});

describe('the nodes of a cluster', () => {
  it('may be joined by one, of which nothing is known before it was looked at', () => {
    const { registry } = registryOf(1);
    const looks: number[] = [];
    registry.onLook((node) => looks.push(node));
    registry.add(new MemoryStorageNode(2));
    expect(looks).toEqual([2]);
    expect([registry.status(2).state, registry.writable()]).toEqual(['suspect', [1]]);
    expect(() => registry.add(new MemoryStorageNode(2))).toThrow(RangeError);
  });

  it('may be emptied: read from and not written to, as long as they can be reached', () => {
    const { registry } = registryOf(1, 2);
    expect(registry.setDraining(1, true)).toBe(true);
    expect([registry.status(1).state, registry.writable(), registry.reachable()]).toEqual(['draining', [2], [1, 2]]);
    expect(registry.setState(1, 'full', {})).toBe(false);
    expect(registry.setState(1, 'down', {})).toBe(true);
    expect([registry.status(1).state, registry.reachable()]).toEqual(['down', [2]]);
    registry.setState(1, 'up', {});
    expect(registry.status(1).state).toBe('draining');
    registry.setDraining(1, false);
    expect(registry.status(1).state).toBe('up');
    expect(Object.fromEntries(registry.status(1).transitions)).toEqual({ draining: 2, down: 1, up: 2 });
  });
});

describe('the rank of a node for reads', () => {
  it('falls when it is slow or busy, and rises with time, so that it is asked again', async () => {
    const { registry } = registryOf(1, 2);
    for (let at = 0; at < 20; at += 1) {
      await read(registry, 1, 100);
      await read(registry, 2, 4);
    }
    expect(registry.byReadRank([1, 2])).toEqual([2, 1]);
    const stop = Promise.withResolvers<undefined>();
    const busy = Array.from({ length: 50 }, () => registry.call(2, () => stop.promise));
    expect(registry.byReadRank([1, 2])).toEqual([1, 2]);
    stop.resolve(undefined);
    await Promise.all(busy);
    expect(registry.byReadRank([1, 2])).toEqual([2, 1]);
    clock += 10_000;
    await read(registry, 2, 4);
    expect(registry.byReadRank([1, 2])).toEqual([2, 1]);
    clock += 20_000;
    await read(registry, 2, 4);
    await read(registry, 2, 4);
    expect(registry.byReadRank([1, 2])).toEqual([1, 2]);
  });

  it('falls with each read that was given up because it was late', async () => {
    const { registry } = registryOf(1, 2);
    for (const number of [1, 2]) for (let at = 0; at < 20; at += 1) await read(registry, number, 3);
    expect(registry.byReadRank([1, 2])).toEqual([1, 2]);
    registry.late(1, 'readLarge', 50);
    expect(registry.byReadRank([1, 2])).toEqual([2, 1]);
  });

  it('is that of one that is gone when it is down, however fast it was', () => {
    const { registry } = registryOf(1, 2, 3);
    registry.setState(1, 'down', {});
    registry.setState(2, 'suspect', {});
    expect(registry.byReadRank([1, 2, 3])).toEqual([3, 2, 1]);
  });
});
