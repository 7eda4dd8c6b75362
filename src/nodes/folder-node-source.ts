import { Logger } from '@nestjs/common';
import { within } from '../common/within.js';
import type { AppConfig } from '../config/app-config.js';
import type { ClusterFile } from '../config/cluster-file.js';
import { DeadlineStorageNode } from './deadline.storage-node.js';
import { FolderStorageNode } from './folder/folder.storage-node.js';
import { folderOptions } from './folder-options.js';
import { NodeSource, type ReadableNodes, type ServingNodes } from './node-source.js';
import { NodeError, type StorageNode } from './storage-node.js';

/** All nodes are folders of this process. */
export class FolderNodeSource extends NodeSource {
  constructor(private readonly config: AppConfig) {
    super();
  }

  override async open(cluster: ClusterFile): Promise<ServingNodes> {
    const { limits, node_count: count } = this.config;
    const signal = AbortSignal.timeout(limits.node_call_ms_max);
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    const folders = await Promise.all(numbers.map((number) => this.openFolder(number, cluster, signal)));
    // The only decorator so far; the innermost is the driver, and what retries or measures goes around the deadline.
    const nodes = folders.map(({ node }) => new DeadlineStorageNode(node, limits.node_call_ms_max));
    return { nodes, existing: folders.filter(({ exists }) => exists).map(({ node }) => node.number) };
  }

  override async openForReading(cluster: ClusterFile, signal: AbortSignal): Promise<ReadableNodes> {
    const readable = new Map<number, StorageNode>();
    const missing = new Map<number, string>();
    for (let number = 1; number <= this.config.node_count; number += 1) {
      const node = new FolderStorageNode({ ...folderOptions(number, this.config, cluster), readOnly: true });
      try {
        await node.open(signal);
        readable.set(number, node);
      } catch (error) {
        await node.close();
        if (!(error instanceof NodeError)) throw error;
        missing.set(number, error.message);
      }
    }
    return { readable, missing };
  }

  private async openFolder(
    number: number,
    cluster: ClusterFile,
    signal: AbortSignal,
  ): Promise<{ readonly node: FolderStorageNode; readonly exists: boolean }> {
    const { ready } = cluster.node(number);
    const options = folderOptions(number, this.config, cluster);
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
}
