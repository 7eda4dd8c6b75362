import { describe, expect, it } from '@jest/globals';
import { newId, type NodeId } from '../common/ids.js';
import type { AppConfig } from './app-config.js';
import type { ClusterMapNode, NodeMembership } from './cluster-map.js';
import { LIMITS } from './limits.js';
import { planReload } from './reload-plan.js';

const PEERS = ['http://127.0.0.1:1', 'http://127.0.0.1:2', 'http://127.0.0.1:3', 'http://127.0.0.1:4'];

function config(changes: Partial<AppConfig> = {}): AppConfig {
  return { node_count: 3, redundancy_count: 1, peers: [], port: 5000, pack_below: 1, limits: LIMITS, ...changes } as AppConfig;
}

function nodes(...states: NodeMembership[]): readonly ClusterMapNode[] {
  return states.map((state) => ({ nodeId: newId<NodeId>(), ready: true, state }));
}

const THREE = nodes('active', 'active', 'active');

function refusal(before: AppConfig, after: AppConfig, of = THREE): string {
  try {
    planReload(before, after, of);
  } catch (error) {
    expect(error).toMatchObject({ code: 'reload-refused' });
    return (error as { detail: string }).detail;
  }
  throw new Error('it was not refused');
}

describe('the plan of a reload', () => {
  it('takes more nodes, with peers or without, and another redundancy', () => {
    expect(planReload(config(), config({ node_count: 5, redundancy_count: 3 }), THREE)).toEqual({ nodeCount: 5, redundancy: 3 });
    const before = config({ peers: PEERS.slice(0, 3) });
    expect(planReload(before, config({ node_count: 4, peers: PEERS }), THREE)).toEqual({ nodeCount: 4, redundancy: 1 });
    expect(planReload(config(), config({ limits: { ...LIMITS } }), THREE)).toEqual({ nodeCount: 3, redundancy: 1 });
  });

  it('names each key that needs a restart', () => {
    const detail = refusal(config(), config({ node_count: 4, port: 1, limits: { ...LIMITS, batch_bytes: 1 } }));
    expect(detail).toMatch(/^a change of port, limits needs a restart/);
  });

  it('does not move peers, and does not make peers of folders', () => {
    const before = config({ peers: PEERS.slice(0, 3) });
    expect(refusal(before, config({ peers: [PEERS[0]!, PEERS[3]!, PEERS[2]!] }))).toMatch(/another address for node 2/);
    expect(refusal(config(), config({ peers: PEERS.slice(0, 3) }))).toMatch(/between none and some/);
    expect(refusal(before, config())).toMatch(/between none and some/);
  });

  it('leaves out only nodes that were removed', () => {
    expect(refusal(config(), config({ node_count: 2 }))).toMatch(/there is a node 3: drain and remove it first/);
    expect(refusal(config(), config({ node_count: 2 }), nodes('active', 'active', 'draining'))).toMatch(/there is a node 3/);
    const removed = nodes('active', 'active', 'removed');
    expect(planReload(config(), config({ node_count: 2 }), removed)).toEqual({ nodeCount: 2, redundancy: 1 });
  });

  it('asks for more nodes that take files than may be lost', () => {
    expect(refusal(config(), config({ redundancy_count: 2 }), nodes('active', 'draining', 'active'))).toMatch(
      /redundancy_count is 2.*\(2\)/,
    );
    expect(
      planReload(config(), config({ redundancy_count: 2, node_count: 4 }), nodes('active', 'draining', 'active')),
    ).toBeDefined();
  });
});
