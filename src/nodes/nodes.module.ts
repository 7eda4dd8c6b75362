import { Logger, Module, OnApplicationBootstrap } from '@nestjs/common';
import { within } from '../common/within.js';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { DeadlineStorageNode } from './deadline.storage-node.js';
import { FolderStorageNode } from './folder/folder.storage-node.js';
import { folderOptions } from './folder-options.js';
import { NodeRegistry } from './node-registry.js';
import { NodeError } from './storage-node.js';

/** The nodes as they were opened, and those of them that exist by now. */
class OpenedNodes {
  constructor(
    readonly registry: NodeRegistry,
    readonly existing: readonly number[],
  ) {}
}

@Module({
  providers: [
    { provide: OpenedNodes, useFactory: openNodes, inject: [AppConfig, ClusterFile] },
    { provide: NodeRegistry, useFactory: ({ registry }: OpenedNodes) => registry, inject: [OpenedNodes] },
  ],
  exports: [NodeRegistry],
})
export class NodesModule implements OnApplicationBootstrap {
  constructor(
    private readonly opened: OpenedNodes,
    private readonly cluster: ClusterFile,
  ) {}

  /** By now the key ring and the index exist as well: from here on the absence of a node that exists is a loss. */
  onApplicationBootstrap(): void {
    this.cluster.markReady(this.opened.existing);
  }
}

/** Opens all nodes and makes those that never were. One that cannot be opened counts as down; one that another process holds is fatal. */
async function openNodes(config: AppConfig, cluster: ClusterFile): Promise<OpenedNodes> {
  const signal = AbortSignal.timeout(config.limits.node_call_ms_max);
  const numbers = Array.from({ length: config.node_count }, (_, index) => index + 1);
  const folders = await Promise.all(numbers.map((number) => openFolder(number, { config, cluster, signal })));
  // The only decorator so far; the innermost is the driver, and what retries or measures goes around the deadline.
  const nodes = folders.map(({ node }) => new DeadlineStorageNode(node, config.limits.node_call_ms_max));
  const existing = folders.filter(({ exists }) => exists).map(({ node }) => node.number);
  return new OpenedNodes(new NodeRegistry(nodes), existing);
}

interface Surroundings {
  readonly config: AppConfig;
  readonly cluster: ClusterFile;
  readonly signal: AbortSignal;
}

async function openFolder(
  number: number,
  { config, cluster, signal }: Surroundings,
): Promise<{ readonly node: FolderStorageNode; readonly exists: boolean }> {
  const { ready } = cluster.node(number);
  const options = folderOptions(number, config, cluster);
  const node = new FolderStorageNode(options);
  try {
    // A folder on a disk that hangs must not keep the others from starting.
    if (!ready) return { node: await within(signal, FolderStorageNode.create(options, signal)), exists: true };
    await within(signal, node.open(signal));
  } catch (error) {
    if (!(error instanceof NodeError) && !signal.aborted) throw error;
    new Logger('Nodes').error({ node: number, err: error }, 'a node cannot be opened and counts as down');
  }
  return { node, exists: ready };
}
