import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { places } from '../../test/support/cluster-state.js';
import { Cluster, NEVER } from '../../test/support/cluster.js';
import { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { LiveConfig } from '../config/live-config.js';
import { CollectorService } from './collector.service.js';
import { RedundancyService } from './redundancy.service.js';
import { ReplicateCodec } from './stripe-codec.js';

let cluster: Cluster;

beforeEach(async () => {
  cluster = await Cluster.make({ nodes: 5, redundancy: 2, sliceBytes: 1024 });
});

afterEach(async () => {
  await cluster.remove();
});

function service(): RedundancyService {
  const config = Object.assign(new AppConfig(), {
    node_count: 5,
    redundancy_count: 2,
    redundancy_scheme: 'erasure',
    size_per_slice: 1024,
    limits: LIMITS,
  });
  // No test here writes or reads by it: any codec will do.
  return new RedundancyService(
    new LiveConfig(config),
    cluster.registry,
    new ReplicateCodec(),
    new CollectorService(config, cluster.records),
  );
}

describe('the shape of what is written now', () => {
  it('has a shard for each node that takes new ones', () => {
    const subject = service();
    expect(subject.codingPlan()?.shape).toEqual({ k: 3, m: 2 });
    cluster.registry.setState(1, 'down', {});
    expect(subject.codingPlan()?.shape).toEqual({ k: 2, m: 2 });
    cluster.registry.setState(2, 'full', {});
    expect(subject.codingPlan()).toBeUndefined();
    cluster.registry.setState(1, 'up', {});
    cluster.registry.setState(2, 'up', {});
    expect(subject.codingPlan()?.shape).toEqual({ k: 3, m: 2 });
  });

  it('does without a node that was late with a write just now', () => {
    const subject = service();
    cluster.registry.late(4, 'writeSmall', 1000);
    expect(subject.codingPlan()?.shape).toEqual({ k: 2, m: 2 });
  });
});

describe('what a file survives', () => {
  it('does not count on shards that are known to be bad', async () => {
    const subject = service();
    const manifest = await cluster.store([new Uint8Array(1024), new Uint8Array(1024)]);
    expect(await subject.report(manifest, NEVER)).toMatchObject({ stripes: 2, survives: 2 });
    const { versionId } = manifest;
    const bad = (await places(cluster, manifest)).filter(({ stripe, index }) => stripe === 1 && index > 0);
    const damage = bad.map(({ node, stripe, index }) => ({ node, shard: { versionId, stripe, index } }));
    await cluster.metadata.noteDamage(damage, 10, NEVER);
    expect(await subject.report(manifest, NEVER)).toMatchObject({ survives: 0 });
    await cluster.metadata.clearDamage(damage, NEVER);
    expect(await subject.report(manifest, NEVER)).toMatchObject({ survives: 2 });
  });
});
