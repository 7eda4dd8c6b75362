import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { FaultyStorageNode } from '../../test/support/faulty.storage-node.js';
import { MemoryStorageNode } from '../../test/support/memory.storage-node.js';
import type { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { NodeError } from '../nodes/storage-node.js';
import { ProberService } from './prober.service.js';

Logger.overrideLogger(false);

const NEVER = new AbortController().signal;

interface Probed extends AsyncDisposable {
  readonly faulty: FaultyStorageNode;
  readonly registry: NodeRegistry;
}

async function start(): Promise<Probed> {
  const faulty = new FaultyStorageNode(new MemoryStorageNode(1));
  const registry = new NodeRegistry([faulty]);
  const prober = new ProberService({ limits: LIMITS } as AppConfig, registry);
  await prober.onModuleInit();
  const end = async (): Promise<void> => {
    faulty.release();
    await prober.onApplicationShutdown();
  };
  return { faulty, registry, [Symbol.asyncDispose]: end };
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

async function untilState({ registry }: Probed, state: string, msMax: number): Promise<number> {
  const begin = performance.now();
  while (registry.status(1).state !== state) {
    if (performance.now() - begin > msMax) throw new Error(`the node is ${registry.status(1).state} and not ${state}`);
    await sleep(10);
  }
  return performance.now() - begin;
}

/** Most of it is waiting, and so they do it side by side. */
describe('the prober, with the limits of production', () => {
  it.concurrent('knows the states before the first request', async () => {
    await using probed = await start();
    const { registry } = probed;
    expect(registry.status(1)).toMatchObject({ state: 'up', capacity: { full: false } });
    expect(registry.writable()).toEqual([1]);
  });

  it.concurrent(
    'sees within 3 s that a node is frozen, although it hears no signal, and within 3 s that it is back',
    async () => {
      await using probed = await start();
      const { faulty, registry } = probed;
      faulty.inject({ on: 'probe', effect: { hang: true } });
      expect(await untilState(probed, 'down', 3000)).toBeLessThan(3000);
      expect(registry.status(1).lastError).toContain('unavailable');
      expect(registry.reachable()).toEqual([]);
      faulty.release();
      expect(await untilState(probed, 'up', 3000)).toBeLessThan(3000);
    },
  );

  it.concurrent('writes nothing more to a node of which a call failed, and forgives it when the probe is good', async () => {
    await using probed = await start();
    const { faulty, registry } = probed;
    const mend = faulty.inject({ on: 'put', effect: { fail: 'unavailable' } });
    const hanging = faulty.inject({ on: 'probe', effect: { delayMs: 200 } });
    await expect(registry.call(1, (node) => node.put({ shards: [], records: [] }, NEVER))).rejects.toBeInstanceOf(NodeError);
    expect(registry.status(1).state).toBe('suspect');
    expect(registry.writable()).toEqual([]);
    mend();
    hanging();
    await untilState(probed, 'up', 1000);
  });

  it.concurrent('takes a node that refuses for down at once, and one without space for full', async () => {
    await using probed = await start();
    const { faulty, registry } = probed;
    const mend = faulty.inject({ on: 'probe', effect: { fail: 'rejected' } });
    await untilState(probed, 'down', 1500);
    mend();
    await untilState(probed, 'up', 1500);
    faulty.inject({ on: 'put', effect: { fail: 'full' } });
    await expect(registry.call(1, (node) => node.put({ shards: [], records: [] }, NEVER))).rejects.toMatchObject({
      kind: 'full',
    });
    expect(registry.status(1).state).toBe('full');
    expect(registry.writable()).toEqual([]);
    expect(registry.reachable()).toEqual([1]);
  });

  it.concurrent('does not doubt a node for a shard that it does not have', async () => {
    await using probed = await start();
    const { faulty, registry } = probed;
    await registry.call(1, (node) => node.get([], NEVER));
    faulty.inject({ on: 'get', effect: { fail: 'not-found' } });
    await expect(registry.call(1, (node) => node.get([], NEVER))).rejects.toMatchObject({ kind: 'not-found' });
    expect(registry.status(1).state).toBe('up');
  });

  it.concurrent('asks a node that hangs for no more than it can leave unanswered', async () => {
    await using probed = await start();
    const { faulty, registry } = probed;
    faulty.inject({ on: 'probe', effect: { hang: true } });
    const before = faulty.calls.probe;
    await untilState(probed, 'down', 3000);
    await sleep(2500);
    expect(faulty.calls.probe - before).toBe(2);
    expect(registry.status(1).state).toBe('down');
  });

  it.concurrent('looks at once at a node that joins, and forgets one that leaves', async () => {
    await using probed = await start();
    const { faulty, registry } = probed;
    faulty.inject({ on: 'probe', effect: { hang: true } });
    const other = new FaultyStorageNode(new MemoryStorageNode(2));
    registry.add(other);
    await sleep(50);
    expect(registry.status(2).state).toBe('up');
    void registry.retire(2);
    const before = other.calls.probe;
    await sleep(1500);
    expect(other.calls.probe).toBe(before);
  });

  // Last, and alone: it stops the others too.
  it('does not blame a node for the time in which this process itself stood still', async () => {
    await using probed = await start();
    const { faulty, registry } = probed;
    faulty.inject({ on: 'probe', effect: { delayMs: 1800 } });
    const before = faulty.calls.probe;
    while (faulty.calls.probe === before) await sleep(5);
    await sleep(200);
    const until = performance.now() + 1500;
    while (performance.now() < until); // twice the time that a probe may take
    await sleep(400);
    expect(Object.fromEntries(registry.status(1).transitions)).toEqual({ up: 1 });
  });
});
