import type { ClusterId, NodeId } from '../common/ids.js';
import { membersOf, type ClusterMap } from '../config/cluster-map.js';
import { DeadlineStorageNode } from '../nodes/deadline.storage-node.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { PeerStorageNode } from '../nodes/peer/peer.storage-node.js';
import type { StorageNode } from '../nodes/storage-node.js';
import type { ClusterMember } from './cluster-member.js';
import { OwnStorageNode } from './own.storage-node.js';

interface NodeIds {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
}

/** All nodes of the cluster as a peer reaches them: those of the newest map that it knows, whatever becomes of it. */
export class MemberNodes {
  readonly registry = new NodeRegistry([]);
  /** The ids of the nodes that the registry has, by number. */
  private readonly known = new Map<number, string>();
  private readonly forget: () => void;

  constructor(private readonly member: ClusterMember) {
    if (member.map !== undefined) this.follow(member.map);
    this.forget = member.onMap((map) => this.follow(map));
  }

  async close(): Promise<void> {
    this.forget();
    await Promise.all(this.registry.nodes.map((node) => node.close()));
  }

  private follow(map: ClusterMap): void {
    const members = new Map(membersOf(map).map((number) => [number, map.nodes[number - 1]?.nodeId]));
    for (const [number, nodeId] of [...this.known]) if (members.get(number) !== nodeId) this.leave(number);
    for (const [number, nodeId] of members) {
      if (nodeId !== undefined && !this.known.has(number)) this.join(number, { clusterId: map.clusterId, nodeId });
      // Of one that nobody here knows where it is nothing can be read or written; the gateway may know.
      if (this.known.has(number)) this.registry.setDraining(number, map.nodes[number - 1]?.state === 'draining');
    }
  }

  private join(number: number, ids: NodeIds): void {
    const node = this.nodeOf(number, ids);
    if (node === undefined) return;
    this.known.set(number, ids.nodeId);
    this.registry.add(new DeadlineStorageNode(node, this.member.config.limits.node_call_ms_max));
  }

  /** It may have another disk by now. */
  private leave(number: number): void {
    this.known.delete(number);
    void this.registry.retire(number);
  }

  private nodeOf(number: number, ids: NodeIds): StorageNode | undefined {
    const { member } = this;
    const { local, secret, tls, config } = member;
    const term = (): number => member.map?.term ?? 0;
    if (number === member.number)
      return new OwnStorageNode(
        local,
        () => ({ ...ids, term: term() }),
        () => undefined,
      );
    const origin = config.peers[number - 1];
    const { limits } = config;
    return origin === undefined ? undefined : new PeerStorageNode({ number, origin, secret, tls, limits, term, ...ids });
  }
}
