import { Logger } from '@nestjs/common';
import type { ClusterFile } from '../config/cluster-file.js';
import { DeadlineStorageNode } from '../nodes/deadline.storage-node.js';
import { NodeSource, openEach, type OpenedNode, type ReadableNodes, type ServingNodes } from '../nodes/node-source.js';
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
    const error = await this.makeIfNew(number, cluster);
    return { nodes: this.all(cluster), existing: error === undefined ? [number] : [] };
  }

  /** One that cannot be reached now is made by the {@link MapKeeper} when it can. */
  override async openOne(number: number, cluster: ClusterFile): Promise<OpenedNode> {
    const error = await this.makeIfNew(number, cluster);
    return { node: this.nodeOf(number, cluster), exists: error === undefined, error };
  }

  override async tell(cluster: ClusterFile): Promise<readonly number[]> {
    const { told, members } = cluster;
    const signal = AbortSignal.timeout(this.member.config.limits.node_call_ms_max);
    const keeping: number[] = [];
    const results = await Promise.allSettled(
      members.map(async (number) => {
        const { local, clients } = this.member;
        const client = clients.get(number);
        const ids = client === undefined ? local.ids : await this.member.hear(number, signal);
        // Without its folder a process only knows a map, and forgets it when it ends.
        if (ids?.nodeId !== cluster.node(number).nodeId) return;
        await (client === undefined ? local.takeMap(told, signal) : client.giveMap(told, signal));
        keeping.push(number);
      }),
    );
    for (const result of results)
      if (result.status === 'rejected') this.logger.warn({ err: result.reason as unknown }, 'a node did not take the map');
    return keeping;
  }

  override openForReading(cluster: ClusterFile, signal: AbortSignal): Promise<ReadableNodes> {
    return openEach(this.all(cluster), async (node) => {
      // Before anything is read: what an older gateway could still write here would be missing from what was read.
      await this.member.clients.get(node.number)?.giveMap(cluster.map, signal);
      await node.probe(signal);
    });
  }

  private all(cluster: ClusterFile): readonly StorageNode[] {
    return cluster.members.map((number) => this.nodeOf(number, cluster));
  }

  private nodeOf(number: number, cluster: ClusterFile): StorageNode {
    const { config, secret, local, tls, sources } = this.member;
    const { limits } = config;
    const { clusterId } = cluster;
    const { nodeId } = cluster.node(number);
    const term = (): number => cluster.map.term;
    const origin = config.peers[number - 1];
    const node =
      number === this.member.number || origin === undefined
        ? new OwnStorageNode(
            local,
            () => ({ clusterId, nodeId, term: term() }),
            (other) => sources.of(other),
          )
        : new PeerStorageNode({ number, origin, secret, clusterId, nodeId, term, limits, tls });
    return new DeadlineStorageNode(node, limits.node_call_ms_max);
  }

  /** Returns why a node that never was cannot be made. */
  private async makeIfNew(number: number, cluster: ClusterFile): Promise<NodeError | undefined> {
    if (cluster.node(number).ready) return undefined;
    try {
      await this.make(number, cluster);
      return undefined;
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      this.logger.error({ node: number, err: error }, 'a node cannot be made and counts as down');
      return error;
    }
  }

  private async make(number: number, cluster: ClusterFile): Promise<void> {
    const { local, clients, config } = this.member;
    const signal = AbortSignal.timeout(config.limits.node_call_ms_max);
    const ids = { clusterId: cluster.clusterId, nodeId: cluster.node(number).nodeId };
    const client = clients.get(number);
    if (client === undefined) {
      await local.create(ids, signal);
      return;
    }
    await client.create({ ...ids, number }, signal);
    await client.giveMap(cluster.told, signal);
  }
}
