import { membersOf, type ClusterMap } from '../config/cluster-map.js';
import { DeadlineStorageNode } from '../nodes/deadline.storage-node.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { PeerStorageNode } from '../nodes/peer/peer.storage-node.js';
import type { StorageNode } from '../nodes/storage-node.js';
import type { ClusterMember } from './cluster-member.js';
import { OwnStorageNode } from './own.storage-node.js';

/** All nodes of the cluster as a peer reads them: those of the newest map that it knows, whatever becomes of it. */
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
      if (nodeId === undefined || this.known.has(number)) continue;
      const node = this.nodeOf(number, { clusterId: map.clusterId, nodeId });
      // Of one that nobody here knows where it is nothing can be read; the gateway may know.
      if (node === undefined) continue;
      this.known.set(number, nodeId);
      this.registry.add(new DeadlineStorageNode(node, this.member.config.limits.node_call_ms_max));
    }
  }

  /** It may have another disk by now. */
  private leave(number: number): void {
    this.known.delete(number);
    void this.registry
      .retire(number)
      ?.close()
      .catch(() => undefined);
  }

  private nodeOf(
    number: number,
    ids: Pick<ClusterMap, 'clusterId'> & { readonly nodeId: ClusterMap['nodes'][0]['nodeId'] },
  ): StorageNode | undefined {
    const { member } = this;
    const { local, secret, tls, config } = member;
    const term = (): number => member.map?.term ?? 0;
    const call = (): typeof ids & { readonly term: number } => ({ ...ids, term: term() });
    if (number === member.number) return new OwnStorageNode(local, call, () => undefined);
    const origin = config.peers[number - 1];
    return origin === undefined
      ? undefined
      : new PeerStorageNode({ number, origin, secret, tls, limits: config.limits, term, ...ids });
  }
}
