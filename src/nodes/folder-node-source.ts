import { Logger } from '@nestjs/common';
import { within } from '../common/within.js';
import type { AppConfig } from '../config/app-config.js';
import type { ClusterFile } from '../config/cluster-file.js';
import { DeadlineStorageNode } from './deadline.storage-node.js';
import { FolderStorageNode } from './folder/folder.storage-node.js';
import { folderOptions } from './folder-options.js';
import { NodeSource, openEach, type OpenedNode, type ReadableNodes, type ServingNodes } from './node-source.js';
import { NodeError, type StorageNode } from './storage-node.js';

/** All nodes are folders of this process. */
export class FolderNodeSource extends NodeSource {
  constructor(private readonly config: AppConfig) {
    super();
  }

  override async open(cluster: ClusterFile): Promise<ServingNodes> {
    const opened = await Promise.all(cluster.members.map((number) => this.openOne(number, cluster, this.config)));
    const existing = opened.filter(({ exists }) => exists).map(({ node }) => node.number);
    return { nodes: opened.map(({ node }) => node), existing };
  }

  override async openOne(number: number, cluster: ClusterFile, config: AppConfig): Promise<OpenedNode> {
    const { ready } = cluster.node(number);
    const options = folderOptions(number, config, cluster);
    const { node_call_ms_max: callMsMax } = config.limits;
    const signal = AbortSignal.timeout(callMsMax);
    const folder = new FolderStorageNode(options);
    // The only decorator so far; the innermost is the driver, and what retries or measures goes around the deadline.
    const decorated = (inner: StorageNode): StorageNode => new DeadlineStorageNode(inner, callMsMax);
    try {
      // A folder on a disk that hangs must not keep the others from starting.
      if (!ready) {
        const made = await within(signal, FolderStorageNode.create(options, signal));
        return { node: decorated(made), exists: true, error: undefined };
      }
      await within(signal, folder.open(signal));
      return { node: decorated(folder), exists: true, error: undefined };
    } catch (cause) {
      if (!(cause instanceof NodeError) && !signal.aborted) throw cause;
      new Logger('Nodes').error({ node: number, err: cause }, 'a node cannot be opened and counts as down');
      const error = cause instanceof NodeError ? cause : new NodeError('unavailable', 'it was not opened in time', { cause });
      return { node: decorated(folder), exists: ready, error };
    }
  }

  /** Nobody else can take them over. */
  override tell(cluster: ClusterFile): Promise<readonly number[]> {
    return Promise.resolve(cluster.members);
  }

  override openForReading(cluster: ClusterFile, signal: AbortSignal): Promise<ReadableNodes> {
    const folderOf = (number: number): FolderStorageNode =>
      new FolderStorageNode({ ...folderOptions(number, this.config, cluster), readOnly: true });
    return openEach(cluster.members.values().map(folderOf), (folder) => folder.open(signal));
  }
}
