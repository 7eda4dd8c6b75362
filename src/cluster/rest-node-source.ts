import type { AppConfig } from '../config/app-config.js';
import type { ClusterFile } from '../config/cluster-file.js';
import type { LiveTls } from '../config/live-tls.js';
import { DeadlineStorageNode } from '../nodes/deadline.storage-node.js';
import { FolderStorageNode } from '../nodes/folder/folder.storage-node.js';
import { folderOptions } from '../nodes/folder-options.js';
import { NodeSource, openEach, type OpenedNode, type ReadableNodes, type ServingNodes } from '../nodes/node-source.js';
import { PeerStorageNode } from '../nodes/peer/peer.storage-node.js';
import type { PeerSecret } from '../nodes/peer/peer-secret.js';
import type { StorageNode } from '../nodes/storage-node.js';

/** The nodes of a cluster whose gateway does not run: its own is a folder, the others are served by their processes. */
export class RestNodeSource extends NodeSource {
  constructor(
    private readonly config: AppConfig,
    private readonly secret: PeerSecret,
    private readonly tls: LiveTls,
  ) {
    super();
  }

  override open(): Promise<ServingNodes> {
    throw new TypeError('a store at rest is only read');
  }

  override openOne(): Promise<OpenedNode> {
    throw new TypeError('a store at rest is only read');
  }

  override tell(): Promise<readonly number[]> {
    throw new TypeError('a store at rest is only read');
  }

  override openForReading(cluster: ClusterFile, signal: AbortSignal): Promise<ReadableNodes> {
    const nodes = cluster.members.values().map((number) => this.nodeOf(number, cluster));
    return openEach<StorageNode>(nodes, (node) => (node instanceof FolderStorageNode ? node.open(signal) : node.probe(signal)));
  }

  private nodeOf(number: number, cluster: ClusterFile): StorageNode {
    const { config, secret } = this;
    const { limits } = config;
    const origin = config.peers[number - 1];
    if (number === config.node || origin === undefined)
      return new FolderStorageNode({ ...folderOptions(number, config, cluster), readOnly: true });
    const { nodeId } = cluster.node(number);
    const { clusterId, map } = cluster;
    const peer = new PeerStorageNode({ number, origin, secret, clusterId, nodeId, term: () => map.term, limits, tls: this.tls });
    return new DeadlineStorageNode(peer, limits.node_call_ms_max);
  }
}
