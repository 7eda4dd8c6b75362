import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Cluster } from '../../../test/support/cluster.js';
import { eventually } from '../../../test/support/members.js';
import { AppConfig } from '../../config/app-config.js';
import { LIMITS } from '../../config/limits.js';
import { CollectorService } from '../collector.service.js';
import { ReplicateCodec } from '../stripe-codec.js';
import { DamageLog } from './damage-log.js';
import { MoverService } from './mover.service.js';
import { RepairService } from './repair.service.js';

Logger.overrideLogger(false);

let cluster: Cluster;
let repairs: RepairService;

beforeEach(async () => {
  cluster = await Cluster.make({ nodes: 4, redundancy: 1, sliceBytes: 16 });
  const limits = { ...LIMITS, probe_interval_ms: 20 };
  const config = Object.assign(new AppConfig(), { repair_after: 0, redundancy_count: 1, limits });
  const collector = new CollectorService(config, cluster.records);
  const movers = new MoverService(config, collector, new ReplicateCodec());
  movers.changeFilesBy((_id, work) => cluster.records.change((put) => work(put, cluster.sealer)));
  repairs = new RepairService(config, collector, movers, new DamageLog(config, collector));
  repairs.onApplicationBootstrap();
});

afterEach(async () => {
  await repairs.onApplicationShutdown();
  await cluster.remove();
});

const isIdle = (): boolean => repairs.status().state === 'idle';

describe('the state of the repair', () => {
  it('is idle only when all is done for the nodes that are lost, also before it was looked for what that is', async () => {
    await eventually(isIdle);
    const body = [new Uint8Array(16), new Uint8Array(16)];
    const manifest = await cluster.store(body);
    const lost = manifest.usage[0]!.node;
    cluster.registry.setState(lost, 'down', {});
    expect(isIdle()).toBe(false);
    await eventually(isIdle);
    const usage = await cluster.metadata.usage(new AbortController().signal);
    expect(usage.map(({ node }) => node)).not.toContain(lost);
  });
});
