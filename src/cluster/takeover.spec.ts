import { describe, expect, it } from '@jest/globals';
import { newId, type ClusterId, type NodeId } from '../common/ids.js';
import type { AppConfig } from '../config/app-config.js';
import type { ClusterMap, NodeMembership } from '../config/cluster-map.js';
import type { ClusterMember } from './cluster-member.js';
import { Takeover } from './takeover.js';

const NEVER = new AbortController().signal;
const clusterId = newId<ClusterId>();

function mapOf(redundancy: number, ...states: NodeMembership[]): ClusterMap {
  const nodes = states.map((state) => ({ nodeId: newId<NodeId>(), ready: true, state }));
  return { format: 2, clusterId, term: 1, revision: 9, gateway: 1, redundancy, nodes };
}

/** Node 2 takes over; `others` answer it. */
function takeOver(
  map: ClusterMap,
  config: { readonly peers: number; readonly redundancy: number },
  others: readonly number[],
  disks: readonly (NodeId | undefined)[] = map.nodes.map(({ nodeId }) => nodeId),
): Promise<void> {
  const member: Partial<ClusterMember> = {
    map,
    number: 2,
    config: {
      peers: Array.from({ length: config.peers }, () => ''),
      node_count: config.peers,
      redundancy_count: config.redundancy,
    } as unknown as AppConfig,
    hearAll: () => Promise.resolve(new Map(others.map((node) => [node, { clusterId, nodeId: disks[node - 1] }])) as never),
  };
  const requireKeys = (): never => {
    throw new Error('enough obey');
  };
  const takeover = new Takeover({
    member: member as ClusterMember,
    requireKeys,
    claimTerm: () => Promise.reject(new Error()),
    onFenced: () => undefined,
    takeIndex: () => Promise.reject(new Error()),
  });
  return takeover.run(false, () => undefined, NEVER);
}

describe('a takeover, of a cluster that has changed since this process read its configuration', () => {
  it('counts the nodes that the map has: those that were removed neither have to obey nor help', async () => {
    const map = mapOf(1, 'active', 'active', 'active', 'active', 'removed', 'removed');
    await expect(takeOver(map, { peers: 6, redundancy: 1 }, [3, 4])).rejects.toThrow('enough obey');
    await expect(takeOver(map, { peers: 6, redundancy: 1 }, [3, 5, 6])).rejects.toMatchObject({ code: 'not-enough-nodes' });
  });

  it('asks for as many as the old gateway could still write to without, whatever is configured here', async () => {
    const map = mapOf(1, 'active', 'active', 'active', 'active', 'active');
    await expect(takeOver(map, { peers: 5, redundancy: 2 }, [3, 4])).rejects.toMatchObject({ code: 'not-enough-nodes' });
    await expect(takeOver(map, { peers: 5, redundancy: 2 }, [3, 4, 5])).rejects.toThrow('enough obey');
  });

  it('does not count a disk that is new since the map that it knows: what its node had is not there', async () => {
    const map = mapOf(1, 'active', 'active', 'active', 'active');
    const disks = map.nodes.map(({ nodeId }, at) => (at === 3 ? newId<NodeId>() : nodeId));
    const attempt = takeOver(map, { peers: 4, redundancy: 1 }, [3, 4], disks);
    await expect(attempt).rejects.toMatchObject({ code: 'not-enough-nodes' });
    await expect(takeOver(map, { peers: 4, redundancy: 1 }, [1, 3, 4], disks)).rejects.toThrow('enough obey');
  });

  it('is refused to a node that was removed', async () => {
    const map = mapOf(1, 'active', 'removed', 'active', 'active');
    await expect(takeOver(map, { peers: 4, redundancy: 1 }, [1, 3, 4])).rejects.toMatchObject({ code: 'takeover-refused' });
  });

  it('is refused while this process does not know all nodes', async () => {
    const map = mapOf(1, 'active', 'active', 'active', 'active', 'active');
    await expect(takeOver(map, { peers: 4, redundancy: 1 }, [3, 4])).rejects.toMatchObject({ code: 'takeover-refused' });
  });
});
