import 'reflect-metadata';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Cluster } from '../../test/support/cluster.js';
import { eventually } from '../../test/support/members.js';
import { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { Collector } from './collector.js';
import { CollectorService } from './collector.service.js';
import type { GarbageVersion } from '../metadata/metadata-store.js';

const INTERVAL_MS = 10;

let cluster: Cluster;
let collector: CollectorService;

beforeEach(async () => {
  cluster = await Cluster.make({ nodes: 2, redundancy: 1, sliceBytes: 16 });
  collector = new CollectorService(
    Object.assign(new AppConfig(), { limits: { ...LIMITS, collect_interval_ms: INTERVAL_MS } }),
    cluster.records,
  );
});

afterEach(async () => {
  await collector.onApplicationShutdown();
  jest.restoreAllMocks();
  await cluster.remove();
});

it('walks once more for whoever asks while it walks, and not for each of them', async () => {
  const walks: (() => void)[] = [];
  jest.spyOn(Collector.prototype, 'sweep').mockImplementation(async () => {
    await new Promise<void>((resolve) => walks.push(resolve));
    return 0;
  });
  collector.sweepSoon();
  expect(walks).toHaveLength(1);
  for (let node = 1; node <= 3; node += 1) collector.sweepSoon();
  expect(walks).toHaveLength(1);
  walks[0]!();
  await eventually(() => walks.length === 2);
  walks[1]!();
  await new Promise(setImmediate);
  expect(walks).toHaveLength(2);
});

it('walks by itself when so much was deleted that the walk costs each deletion little', async () => {
  let walks = 0;
  jest.spyOn(Collector.prototype, 'sweep').mockImplementation(() => Promise.resolve((walks += 1)));
  jest.spyOn(Collector.prototype, 'collectVersion').mockResolvedValue(true);
  await collector.onApplicationBootstrap();
  await eventually(() => walks === 1); // the one of the start
  const { placement } = cluster.records.parts;
  placement.count(1, 900);
  placement.count(2, 701);
  const retire = (count: number): void => {
    for (let version = 0; version < count; version += 1) collector.collectSoon({} as GarbageVersion);
  };
  const looked = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10 * INTERVAL_MS));
  retire(100); // for more than 16 times as many shards
  await looked();
  expect(walks).toBe(1);
  placement.release(2, 1);
  await eventually(() => walks === 2);
  await looked();
  expect(walks).toBe(2); // what was deleted before counts no more
  placement.release(1, 900);
  retire(99); // so few are never worth it
  await looked();
  expect(walks).toBe(2);
});
