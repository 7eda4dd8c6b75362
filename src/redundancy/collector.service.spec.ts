import 'reflect-metadata';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Cluster } from '../../test/support/cluster.js';
import { eventually } from '../../test/support/members.js';
import { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { Collector } from './collector.js';
import { CollectorService } from './collector.service.js';

let cluster: Cluster;
let collector: CollectorService;

beforeEach(async () => {
  cluster = await Cluster.make({ nodes: 2, redundancy: 1, sliceBytes: 16 });
  collector = new CollectorService(Object.assign(new AppConfig(), { limits: LIMITS }), cluster.records);
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
