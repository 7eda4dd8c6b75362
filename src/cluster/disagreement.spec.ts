import { describe, expect, it } from '@jest/globals';
import { newId, type ClusterId, type NodeId } from '../common/ids.js';
import type { AppConfig } from '../config/app-config.js';
import type { ClusterMap } from '../config/cluster-map.js';
import type { PeerHello } from '../nodes/peer/peer-hello.js';
import { disagreementOf, type Disagreement } from './disagreement.js';

const map: ClusterMap = {
  format: 2,
  clusterId: newId<ClusterId>(),
  term: 1,
  revision: 1,
  gateway: 1,
  nodes: [1, 2].map(() => ({ nodeId: newId<NodeId>(), ready: true, state: 'active' })),
};
const config = { node_count: 2, redundancy_count: 1 } as AppConfig;
const same: PeerHello = {
  protocol: [2, 2],
  number: 2,
  clusterId: map.clusterId,
  nodeId: map.nodes[1]!.nodeId,
  map,
  nodeCount: 2,
  redundancyCount: 1,
  version: '1',
  run: 'x',
};

function told(hello: Partial<PeerHello>): Disagreement | undefined {
  return disagreementOf({ number: 2, hello: { ...same, ...hello }, map, config });
}

describe('disagreementOf', () => {
  it('is nothing for the node that it should be, made or not', () => {
    expect(told({})).toBeUndefined();
    const { clusterId, nodeId, map: known, ...fresh } = same;
    expect([clusterId, nodeId, known].every((one) => one !== undefined)).toBe(true);
    expect(disagreementOf({ number: 2, hello: fresh, map, config })).toBeUndefined();
  });

  it('names a stranger, of which nothing is used', () => {
    const other = newId<ClusterId>();
    expect(told({ number: 1 })).toEqual({ reason: 'node 1 answers there', isStranger: true });
    expect(told({ clusterId: other })).toEqual({ reason: `it is of another cluster, ${other}`, isStranger: true });
    const { clusterId, nodeId, ...fresh } = same;
    expect(clusterId === map.clusterId && nodeId !== undefined).toBe(true);
    const hello = { ...fresh, map: { ...map, clusterId: other } };
    expect(disagreementOf({ number: 2, hello, map, config })).toMatchObject({ isStranger: true });
    expect(told({ nodeId: map.nodes[0]!.nodeId })).toMatchObject({
      reason: expect.stringContaining('another node'),
      isStranger: true,
    });
  });

  it('names another configuration, and goes on with the node', () => {
    expect(told({ nodeCount: 3 })).toEqual({ reason: 'node_count is 3 there and 2 here', isStranger: false });
    expect(told({ redundancyCount: 0 })).toEqual({ reason: 'redundancy_count is 0 there and 1 here', isStranger: false });
  });
});
