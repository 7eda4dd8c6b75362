import { join } from 'node:path';
import { ClusterFile } from '../config/cluster-file.js';
import type { ClusterMap, ClusterMapNode } from '../config/cluster-map.js';
import { readIdentity } from '../nodes/folder/node-identity.js';
import { NodeError } from '../nodes/storage-node.js';

export interface RestoredMap {
  readonly map: ClusterMap;
  /** Nodes of the configuration that the backup does not know, and of which their folders do not say who they are, with the reason. */
  readonly unknown: ReadonlyMap<number, string>;
}

/**
 * The map of a backup, with the nodes that the configuration has by now: one that came after the backup was made is who its folder says, if that
 * is of the same cluster. Any other one counts as new. @throws DomainError `storage-mismatch` if the configuration leaves a node out
 */
export async function restoredMap(directory: string, before: ClusterMap, nodeCount: number): Promise<RestoredMap> {
  const fitted = ClusterFile.fitted(directory, before, nodeCount);
  const nodes = [...fitted.nodes];
  const unknown = new Map<number, string>();
  for (const [at, node] of fitted.nodes.entries()) {
    if (at < before.nodes.length) continue;
    const found = await laterNode(directory, at + 1, before);
    if (typeof found === 'string') unknown.set(at + 1, found);
    else nodes[at] = { ...node, ...found };
  }
  return { map: { ...fitted, nodes }, unknown };
}

/** The entry of a node that the backup does not know; or why its folder does not tell it. */
async function laterNode(
  directory: string,
  number: number,
  { clusterId }: ClusterMap,
): Promise<Pick<ClusterMapNode, 'nodeId' | 'ready'> | string> {
  try {
    const identity = await readIdentity(join(directory, `node_${number}`));
    if (identity === undefined) return 'it has no folder, or one of no node';
    if (identity.clusterId !== clusterId) return "its folder is another cluster's";
    if (identity.node !== number) return `its folder is that of node ${identity.node}`;
    return { nodeId: identity.nodeId, ready: true };
  } catch (error) {
    if (error instanceof NodeError) return error.message;
    return `its folder cannot be read: ${(error as Error).message}`;
  }
}
