import { isDeepStrictEqual } from 'node:util';
import { DomainError } from '../common/errors.js';
import type { AppConfig } from './app-config.js';
import type { ClusterMapNode } from './cluster-map.js';

/** What a reload changes. */
export interface ReloadPlan {
  /** What `node_count` is afterwards. */
  readonly nodeCount: number;
  readonly redundancy: number;
}

/** Keys that may change while the program runs. */
const LIVE: ReadonlySet<string> = new Set<keyof AppConfig>(['node_count', 'redundancy_count', 'peers']);

/**
 * What is to be done for a configuration to take the place of another one while the program runs.
 * @param nodes of the cluster map
 * @throws DomainError `reload-refused` that names each key which needs a restart, or the rule that is broken
 */
export function planReload(before: AppConfig, after: AppConfig, nodes: readonly ClusterMapNode[]): ReloadPlan {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof AppConfig>;
  const changed = [...keys].filter((key) => !LIVE.has(key) && !isDeepStrictEqual(before[key], after[key]));
  if (changed.length > 0) refuse(`a change of ${changed.join(', ')} needs a restart; nothing was changed`);
  checkPeers(before.peers, after.peers);
  checkNodes(after, nodes);
  return { nodeCount: after.node_count, redundancy: after.redundancy_count };
}

/** The peers that there are keep their addresses: others may be talking to them. */
function checkPeers(before: readonly string[], after: readonly string[]): void {
  if ((before.length === 0) !== (after.length === 0)) refuse('a change of peers between none and some needs a restart');
  const moved = before.findIndex((peer, at) => at < after.length && after[at] !== peer);
  if (moved >= 0) refuse(`peers has another address for node ${moved + 1}: that needs a restart of all processes`);
}

function checkNodes({ node_count: count, redundancy_count: redundancy }: AppConfig, nodes: readonly ClusterMapNode[]): void {
  const leftOut = nodes.findIndex(({ state }, at) => at >= count && state !== 'removed');
  if (leftOut >= 0) refuse(`node_count is ${count} and there is a node ${leftOut + 1}: drain and remove it first`);
  const active = nodes.filter(({ state }) => state === 'active').length + Math.max(0, count - nodes.length);
  if (redundancy >= active)
    refuse(`redundancy_count is ${redundancy}: it must be less than the number of nodes that take files (${active})`);
}

function refuse(detail: string): never {
  throw new DomainError('reload-refused', detail);
}
