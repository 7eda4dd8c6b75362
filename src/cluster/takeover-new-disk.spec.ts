import { describe, expect, it } from '@jest/globals';
import { newId, type ClusterId, type NodeId } from '../common/ids.js';
import type { ClusterMap } from '../config/cluster-map.js';
import { LIMITS } from '../config/limits.js';
import type { ClusterMember } from './cluster-member.js';
import { Takeover } from './takeover.js';

describe('Takeover', () => {
  it('does not begin without as many nodes as it takes to know all files, one with a new disk not counted', async () => {
    const clusterId = newId<ClusterId>();
    const node = (part = {}) => ({ nodeId: newId<NodeId>(), ready: true, state: 'active' as const, ...part });
    const nodes = [node(), node(), node({ lostBefore: 1 }), node()];
    const map: ClusterMap = { format: 2, clusterId, term: 1, revision: 1, gateway: 1, redundancy: 1, nodes };
    const told: number[] = [];
    const take = (number: number) => () => Promise.resolve(void told.push(number));
    const attempt = async (answering: readonly number[]): Promise<void> => {
      const member = {
        map,
        number: 2,
        config: { peers: nodes.map(() => ''), redundancy_count: 1, limits: LIMITS, storage_directory: '/nowhere' },
        hearAll: () =>
          Promise.resolve(new Map(answering.map((number) => [number, { number, clusterId, nodeId: nodes[number - 1]?.nodeId }]))),
        local: { takeMap: take(2) },
        clients: new Map(answering.map((number) => [number, { giveMap: take(number) }])),
        learn: () => undefined,
      } as unknown as ClusterMember;
      const takeIndex = () => Promise.reject(new Error('it began'));
      await new Takeover({
        member,
        requireKeys: () => undefined,
        claimTerm: ({ term }) => Promise.resolve(term + 1),
        onFenced: () => undefined,
        takeIndex,
      }).run(true, () => undefined, AbortSignal.timeout(5000));
    };
    await expect(attempt([3, 4])).rejects.toMatchObject({
      code: 'not-enough-nodes',
      detail: expect.stringContaining('a new disk'),
    });
    expect(told).toEqual([]);
    await expect(attempt([1, 3, 4])).rejects.toThrow('it began');
    expect(told).toHaveLength(4);
  });
});
