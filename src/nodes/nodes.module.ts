import { Module, OnApplicationBootstrap } from '@nestjs/common';
import { ClusterFile } from '../config/cluster-file.js';
import { NodeRegistry } from './node-registry.js';
import { NodeSource } from './node-source.js';

/** The nodes as they were opened, and those of them that exist by now. */
class OpenedNodes {
  constructor(
    readonly registry: NodeRegistry,
    readonly existing: readonly number[],
  ) {}
}

@Module({
  providers: [
    { provide: OpenedNodes, useFactory: openNodes, inject: [NodeSource, ClusterFile] },
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

async function openNodes(source: NodeSource, cluster: ClusterFile): Promise<OpenedNodes> {
  const { nodes, existing } = await source.open(cluster);
  return new OpenedNodes(new NodeRegistry(nodes), existing);
}
