import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
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

let prober: ProberService;
let faulty: FaultyStorageNode;
let registry: NodeRegistry;

async function start(): Promise<void> {
  faulty = new FaultyStorageNode(new MemoryStorageNode(1));
  registry = new NodeRegistry([faulty]);
  prober = new ProberService({ limits: LIMITS } as AppConfig, registry);
  await prober.onModuleInit();
}

async function untilState(state: string, msMax: number): Promise<number> {
  const begin = performance.now();
  while (registry.status(1).state !== state) {
    if (performance.now() - begin > msMax) throw new Error(`the node is ${registry.status(1).state} and not ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return performance.now() - begin;
}

afterEach(async () => {
  faulty.release();
  await prober.onApplicationShutdown();
});

describe('the prober, with the limits of production', () => {
  it('knows the states before the first request', async () => {
    await start();
    expect(registry.status(1)).toMatchObject({ state: 'up', capacity: { full: false } });
    expect(registry.writable()).toEqual([1]);
  });

  it('sees within 3 s that a node is frozen, although it hears no signal, and within 3 s that it is back', async () => {
    await start();
    faulty.inject({ on: 'probe', effect: { hang: true } });
    expect(await untilState('down', 3000)).toBeLessThan(3000);
    expect(registry.status(1).lastError).toContain('unavailable');
    expect(registry.reachable()).toEqual([]);
    faulty.release();
    expect(await untilState('up', 3000)).toBeLessThan(3000);
  });

  it('writes nothing more to a node of which a call failed, and forgives it when the probe is good', async () => {
    await start();
    const mend = faulty.inject({ on: 'put', effect: { fail: 'unavailable' } });
    const hanging = faulty.inject({ on: 'probe', effect: { delayMs: 200 } });
    await expect(registry.call(1, (node) => node.put({ shards: [], records: [] }, NEVER))).rejects.toBeInstanceOf(NodeError);
    expect(registry.status(1).state).toBe('suspect');
    expect(registry.writable()).toEqual([]);
    mend();
    hanging();
    await untilState('up', 1000);
  });

  it('takes a node that refuses for down at once, and one without space for full', async () => {
    await start();
    const mend = faulty.inject({ on: 'probe', effect: { fail: 'rejected' } });
    await untilState('down', 1500);
    mend();
    await untilState('up', 1500);
    faulty.inject({ on: 'put', effect: { fail: 'full' } });
    await expect(registry.call(1, (node) => node.put({ shards: [], records: [] }, NEVER))).rejects.toMatchObject({
      kind: 'full',
    });
    expect(registry.status(1).state).toBe('full');
    expect(registry.writable()).toEqual([]);
    expect(registry.reachable()).toEqual([1]);
  });

  it('does not doubt a node for a shard that it does not have', async () => {
    await start();
    await registry.call(1, (node) => node.get([], NEVER));
    faulty.inject({ on: 'get', effect: { fail: 'not-found' } });
    await expect(registry.call(1, (node) => node.get([], NEVER))).rejects.toMatchObject({ kind: 'not-found' });
    expect(registry.status(1).state).toBe('up');
  });
});
