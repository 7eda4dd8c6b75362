import type { AppConfig } from '../config/app-config.js';
import type { ClusterFile } from '../config/cluster-file.js';
import { NodeError, type StorageNode } from './storage-node.js';

/** The nodes of a store at rest, or of one that is taken over. */
export interface ReadableNodes {
  readonly readable: ReadonlyMap<number, StorageNode>;
  /** Why the others cannot be read. */
  readonly missing: ReadonlyMap<number, string>;
}

/** The nodes of a store that is to be served. */
export interface ServingNodes {
  /** All of them, by number, each with what belongs around it. */
  readonly nodes: readonly StorageNode[];
  /** Numbers of those that exist by now. */
  readonly existing: readonly number[];
}

/** One node, opened while others are served. */
export interface OpenedNode {
  readonly node: StorageNode;
  /** Why it could not be opened or made: then it counts as down. */
  readonly error: NodeError | undefined;
  /** Whether it exists by now. */
  readonly exists: boolean;
}

/** Where the nodes come from: folders of this process, or peers. */
export abstract class NodeSource {
  /**
   * Opens all nodes and makes those that never were. One that cannot be opened counts as down; a folder that another process holds is fatal.
   * @throws DomainError `storage-locked`
   */
  abstract open(cluster: ClusterFile): Promise<ServingNodes>;

  /**
   * Opens one node, or makes it if it never was. @param config the one of now, which may know more nodes than that of the start
   * @throws DomainError `storage-locked`
   */
  abstract openOne(number: number, cluster: ClusterFile, config: AppConfig): Promise<OpenedNode>;

  /**
   * Gives the map that is to be told to the nodes that there are. Returns the numbers of those that have it durably: a takeover that asks one of
   * them goes by it.
   */
  abstract tell(cluster: ClusterFile): Promise<readonly number[]>;

  /** Opens all nodes that are there, so that nothing on them is changed. @throws DomainError `storage-locked` */
  abstract openForReading(cluster: ClusterFile, signal: AbortSignal): Promise<ReadableNodes>;
}

/** Opens nodes one by one; one that cannot be opened is closed and counts as missing. */
export async function openEach<Node extends StorageNode>(
  nodes: Iterable<Node>,
  open: (node: Node) => Promise<unknown>,
): Promise<ReadableNodes> {
  const readable = new Map<number, StorageNode>();
  const missing = new Map<number, string>();
  for (const node of nodes) {
    try {
      await open(node);
      readable.set(node.number, node);
    } catch (error) {
      await node.close();
      if (!(error instanceof NodeError)) throw error;
      missing.set(node.number, error.message);
    }
  }
  return { readable, missing };
}

export async function closeNodes({ readable }: ReadableNodes): Promise<void> {
  await Promise.all([...readable.values()].map((node) => node.close()));
}
