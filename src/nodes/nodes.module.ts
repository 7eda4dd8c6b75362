import { join } from 'node:path';
import { Logger, Module, OnApplicationBootstrap } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { DeadlineStorageNode } from './deadline.storage-node.js';
import { FolderStorageNode } from './folder/folder.storage-node.js';
import { NodeRegistry } from './node-registry.js';
import { NodeError } from './storage-node.js';

@Module({
  providers: [{ provide: NodeRegistry, useFactory: openNodes, inject: [AppConfig, ClusterFile] }],
  exports: [NodeRegistry],
})
export class NodesModule implements OnApplicationBootstrap {
  constructor(
    private readonly registry: NodeRegistry,
    private readonly cluster: ClusterFile,
  ) {}

  /** By now the key ring and the index exist as well: from here on a node that is missing is a loss. */
  onApplicationBootstrap(): void {
    const opened = this.registry.nodes
      .map(({ number }) => number)
      .filter((number) => this.registry.status(number).state === 'up');
    this.cluster.markReady(opened);
  }
}

/** Opens all nodes and makes those that never were. One that cannot be opened is down, which its probe will say; a locked one is fatal. */
async function openNodes(config: AppConfig, cluster: ClusterFile): Promise<NodeRegistry> {
  const signal = AbortSignal.timeout(config.limits.node_call_ms_max);
  const numbers = Array.from({ length: config.node_count }, (_, index) => index + 1);
  const nodes = await Promise.all(numbers.map((number) => openNode(number, { config, cluster, signal })));
  return new NodeRegistry(nodes);
}

interface Surroundings {
  readonly config: AppConfig;
  readonly cluster: ClusterFile;
  readonly signal: AbortSignal;
}

async function openNode(number: number, { config, cluster, signal }: Surroundings): Promise<DeadlineStorageNode> {
  const { nodeId, ready } = cluster.node(number);
  const options = {
    directory: join(config.storage_directory, `node_${number}`),
    number,
    clusterId: cluster.clusterId,
    nodeId,
    bytesFreeMin: config.limits.node_bytes_free_min,
  };
  const node = ready ? new FolderStorageNode(options) : await FolderStorageNode.create(options, signal);
  try {
    await node.open(signal);
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    new Logger('Nodes').error({ node: number, err: error }, 'a node cannot be opened and counts as down');
  }
  // The only decorator so far; the innermost is the driver, and what retries or measures goes around the deadline.
  return new DeadlineStorageNode(node, config.limits.node_call_ms_max);
}
