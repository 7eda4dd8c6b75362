import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { newId, type ClusterId, type NodeId } from '../common/ids.js';
import type { AppConfig } from '../config/app-config.js';
import type { ClusterMap } from '../config/cluster-map.js';
import { LIMITS } from '../config/limits.js';
import { PeerSecret } from '../nodes/peer/peer-secret.js';
import { ClusterMember } from './cluster-member.js';

describe('ClusterMember', () => {
  const { signal } = new AbortController();
  let directory: string;
  let member: ClusterMember;

  const open = (): Promise<ClusterMember> => {
    const config = {
      storage_directory: directory,
      node: 2,
      peers: [],
      tls: null,
      limits: { ...LIMITS, node_bytes_free_min: 0 },
      pack_below: 0,
    };
    return ClusterMember.open(config as unknown as AppConfig, PeerSecret.of('of a test'), signal);
  };
  const mapOf = (clusterId: ClusterId, term = 1): ClusterMap => {
    return { format: 2, clusterId, term, revision: 1, gateway: 1, nodes: [] };
  };

  beforeEach(async () => {
    Logger.overrideLogger(false);
    directory = await mkdtemp(join(tmpdir(), 'dcloud-member-'));
    member = await open();
  });

  afterEach(async () => {
    await member.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('follows the newest map of one cluster', () => {
    const [ours, theirs] = [newId<ClusterId>(), newId<ClusterId>()];
    for (const map of [mapOf(ours, 2), mapOf(ours, 1), mapOf(theirs, 3)]) member.learn(map);
    expect(member.map).toEqual(mapOf(ours, 2));
  });

  it('follows no map of another cluster than that of its node, also while it has none', async () => {
    const [ours, theirs] = [newId<ClusterId>(), newId<ClusterId>()];
    member.learn(mapOf(theirs, 9)); // there is no node yet that would know better
    await member.local.create({ clusterId: ours, nodeId: newId<NodeId>() }, signal);
    member.learn(mapOf(ours));
    expect(member.map).toEqual(mapOf(ours));
    await member.close();
    member = await open();
    member.learn(mapOf(theirs, 9));
    expect(member.map).toBeUndefined();
    member.learn(mapOf(ours));
    expect(member.map).toEqual(mapOf(ours));
  });
});
