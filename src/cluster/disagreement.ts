import type { AppConfig } from '../config/app-config.js';
import type { ClusterMap } from '../config/cluster-map.js';
import type { PeerHello } from '../nodes/peer/peer-hello.js';

export interface Compared {
  /** Which node the configuration says is there. */
  readonly number: number;
  readonly hello: PeerHello;
  readonly map: ClusterMap;
  readonly config: AppConfig;
}

export interface Disagreement {
  readonly reason: string;
  /** It is not the node that it should be: nothing of it is used. */
  readonly isStranger: boolean;
}

/** In what a peer differs from what it should be; undefined if in nothing. */
export function disagreementOf({ number, hello, map, config }: Compared): Disagreement | undefined {
  const entry = map.nodes[number - 1];
  if (hello.number !== number) return { reason: `node ${hello.number} answers there`, isStranger: true };
  const clusterId = hello.clusterId ?? hello.map?.clusterId;
  if (clusterId !== undefined && clusterId !== map.clusterId)
    return { reason: `it is of another cluster, ${clusterId}`, isStranger: true };
  if (hello.nodeId !== undefined && hello.nodeId !== entry?.nodeId)
    return { reason: `it is another node, ${hello.nodeId}`, isStranger: true };
  if (hello.nodeCount !== config.node_count)
    return { reason: `node_count is ${hello.nodeCount} there and ${config.node_count} here`, isStranger: false };
  if (hello.redundancyCount !== config.redundancy_count)
    return {
      reason: `redundancy_count is ${hello.redundancyCount} there and ${config.redundancy_count} here`,
      isStranger: false,
    };
  return undefined;
}
