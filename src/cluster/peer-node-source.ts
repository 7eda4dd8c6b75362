import { Logger } from '@nestjs/common';
import type { ClusterFile } from '../config/cluster-file.js';
import { DeadlineStorageNode } from '../nodes/deadline.storage-node.js';
import { NodeSource, type ReadableNodes, type ServingNodes } from '../nodes/node-source.js';
import { PeerStorageNode } from '../nodes/peer/peer.storage-node.js';
import { NodeError, type StorageNode } from '../nodes/storage-node.js';
import type { ClusterMember } from './cluster-member.js';
import { OwnStorageNode } from './own.storage-node.js';

/** One node is this process' own, the others are peers. */
export class PeerNodeSource extends NodeSource {
  private readonly logger = new Logger('Nodes');

  constructor(private readonly member: ClusterMember) {
    super();
  }

  /** Peers may come later, in any order; who makes and introduces them is the {@link MapKeeper}. */
  override async open(cluster: ClusterFile): Promise<ServingNodes> {
    const { number } = this.member;
    const exists = cluster.node(number).ready || (await this.makeOwn(cluster));
    return { nodes: this.all(cluster), existing: exists ? [number] : [] };
  }

  override async openForReading(cluster: ClusterFile, signal: AbortSignal): Promise<ReadableNodes> {
    const readable = new Map<number, StorageNode>();
    const missing = new Map<number, string>();
    for (const node of this.all(cluster)) {
      try {
        // Before anything is read: what an older gateway could still write here would be missing from what was read.
        await this.member.clients.get(node.number)?.giveMap(cluster.map, signal);
        await node.probe(signal);
        readable.set(node.number, node);
      } catch (error) {
        await node.close();
        if (!(error instanceof NodeError)) throw error;
        missing.set(node.number, error.message);
      }
    }
    return { readable, missing };
  }

  private all(cluster: ClusterFile): readonly StorageNode[] {
    const { config, secret, local } = this.member;
    const { limits } = config;
    return cluster.map.nodes.map(({ nodeId }, at) => {
      const number = at + 1;
      const { clusterId } = cluster;
      const term = (): number => cluster.map.term;
      const origin = config.peers[at];
      const node =
        number === this.member.number || origin === undefined
          ? new OwnStorageNode(local, () => ({ clusterId, nodeId, term: term() }))
          : new PeerStorageNode({ number, origin, secret, clusterId, nodeId, term, limits });
      return new DeadlineStorageNode(node, limits.node_call_ms_max);
    });
  }

  private async makeOwn(cluster: ClusterFile): Promise<boolean> {
    const { number, local, config } = this.member;
    const { nodeId } = cluster.node(number);
    try {
      await local.create({ clusterId: cluster.clusterId, nodeId }, AbortSignal.timeout(config.limits.node_call_ms_max));
      return true;
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      this.logger.error({ node: number, err: error }, 'a node cannot be opened and counts as down');
      return false;
    }
  }
}
