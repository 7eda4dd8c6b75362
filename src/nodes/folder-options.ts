import { join } from 'node:path';
import type { AppConfig } from '../config/app-config.js';
import type { ClusterFile } from '../config/cluster-file.js';
import type { FolderStorageNodeOptions } from './folder/folder.storage-node.js';

/** Where a node's folder is and how it is to be kept. */
export function folderOptions(number: number, config: AppConfig, cluster: ClusterFile): FolderStorageNodeOptions {
  return {
    directory: join(config.storage_directory, `node_${number}`),
    number,
    clusterId: cluster.clusterId,
    nodeId: cluster.node(number).nodeId,
    bytesFreeMin: config.limits.node_bytes_free_min,
    packBelow: config.pack_below,
    limits: config.limits,
  };
}
