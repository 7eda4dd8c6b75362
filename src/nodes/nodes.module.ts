import { Module, OnApplicationBootstrap } from '@nestjs/common';
import { ClusterFile } from '../config/cluster-file.js';
import { NodeRegistry } from './node-registry.js';
import { NodeSource } from './node-source.js';
import { StoreView } from './store-view.js';

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
    StoreView,
    { provide: NodeRegistry, useFactory: ({ registry }: OpenedNodes) => registry, inject: [OpenedNodes] },
  ],
  exports: [NodeRegistry, StoreView],
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
  const registry = new NodeRegistry(nodes);
  for (const { number } of nodes) {
    const { state, lostBefore } = cluster.node(number);
    if (state === 'draining') registry.setDraining(number, true);
    if (lostBefore !== undefined) registry.losses.set(number, lostBefore);
  }
  return new OpenedNodes(registry, existing);
}
