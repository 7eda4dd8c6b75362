import { parseId, type ClusterId, type NodeId } from '../common/ids.js';

/** What a node is in the cluster: `removed` keeps the place of its number, which is never given again. */
export type NodeMembership = 'active' | 'draining' | 'removed';

export interface ClusterMapNode {
  readonly nodeId: NodeId;
  /** False until the node was made and everything else was too: then its absence is a loss and not a beginning. */
  readonly ready: boolean;
  readonly state: NodeMembership;
  /**
   * An empty disk took the place of the one that the node had, at this time (milliseconds since 1970): what was stored on it before is lost,
   * and not restored yet. Absent: nothing of it is known to be lost.
   */
  readonly lostBefore?: number;
  /** Where its process is, if the gateway has `peers`. */
  readonly peer?: string;
}

/**
 * Which nodes there are and who may tell them what to do. The gateway writes it and gives each node a copy; of two the one with the higher
 * term counts, and of one term the one with the higher revision (docs/adr/0011).
 */
export interface ClusterMap {
  readonly format: 2;
  readonly clusterId: ClusterId;
  /** Grows with each takeover: whoever speaks for a lower one is fenced. */
  readonly term: number;
  /** Grows with each change within a term. */
  readonly revision: number;
  /** The number of the node whose process holds the index. */
  readonly gateway: number;
  /**
   * Nodes that may be lost without losing any file that is stored: it follows `redundancy_count` when all files were brought there, and goes
   * before them when it gets less. Absent: no walk over all files has ended yet.
   */
  readonly redundancy?: number;
  /** Somebody asked at this time (milliseconds since 1970) that all nodes be made equally full. Absent: that is done, or nobody did. */
  readonly rebalancing?: number;
  /** By number, from 1. */
  readonly nodes: readonly ClusterMapNode[];
}

const STATES: ReadonlySet<unknown> = new Set<NodeMembership>(['active', 'draining', 'removed']);

/** Above 0 if `one` is newer than `other`, below if it is older, 0 if they are the same. */
export function compareMaps(one: ClusterMap, other: ClusterMap): number {
  return one.term - other.term || one.revision - other.revision;
}

/** Parses a map that came from a file or a peer, of format 2 or, as a store before the first cluster has it, 1; undefined if it is neither. */
export function parseClusterMap(text: string): ClusterMap | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return readClusterMap(value);
}

/** The same for what was parsed as JSON already. */
export function readClusterMap(value: unknown): ClusterMap | undefined {
  if (!isObject(value) || !Array.isArray(value['nodes'])) return undefined;
  const clusterId = idOf<ClusterId>(value['clusterId']);
  const isFirst = value['format'] === 1;
  const nodes = value['nodes'].map((node: unknown) => readNode(node, isFirst));
  if (clusterId === undefined || !nodes.every((node) => node !== undefined)) return undefined;
  if (isFirst) return { format: 2, clusterId, term: 1, revision: 1, gateway: 1, nodes };
  const { format, term, revision, gateway } = value;
  const further = readWishes(value);
  if (format !== 2 || !isCount(term) || !isCount(revision) || !isCount(gateway) || further === undefined) return undefined;
  return { format, clusterId, term, revision, gateway, ...further, nodes };
}

/** What a map need not have. */
function readWishes({
  redundancy,
  rebalancing,
}: Record<string, unknown>): Pick<ClusterMap, 'redundancy' | 'rebalancing'> | undefined {
  if (redundancy !== undefined && redundancy !== 0 && !isCount(redundancy)) return undefined;
  if (rebalancing !== undefined && !isCount(rebalancing)) return undefined;
  return { ...(redundancy === undefined ? {} : { redundancy }), ...(rebalancing === undefined ? {} : { rebalancing }) };
}

/** Numbers of the nodes that were not removed. */
export function membersOf({ nodes }: ClusterMap): readonly number[] {
  return nodes.flatMap(({ state }, at) => (state === 'removed' ? [] : [at + 1]));
}

function readNode(value: unknown, isFirst: boolean): ClusterMapNode | undefined {
  if (!isObject(value)) return undefined;
  const { ready, state = isFirst ? 'active' : undefined } = value;
  const nodeId = idOf<NodeId>(value['nodeId']);
  const further = readFurther(value);
  if (nodeId === undefined || typeof ready !== 'boolean' || !STATES.has(state) || further === undefined) return undefined;
  return { nodeId, ready, state: state as NodeMembership, ...further };
}

/** What a node need not have. */
function readFurther({ peer, lostBefore }: Record<string, unknown>): Pick<ClusterMapNode, 'peer' | 'lostBefore'> | undefined {
  if (peer !== undefined && (typeof peer !== 'string' || !URL.canParse(peer))) return undefined;
  if (lostBefore !== undefined && !isCount(lostBefore)) return undefined;
  return { ...(lostBefore === undefined ? {} : { lostBefore }), ...(peer === undefined ? {} : { peer }) };
}

function idOf<Id extends ClusterId | NodeId>(value: unknown): Id | undefined {
  return typeof value === 'string' ? parseId<Id>(value) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}
