import type { AppConfig } from '../config/app-config.js';
import type { ClusterFile } from '../config/cluster-file.js';
import { FolderStorageNode } from './folder/folder.storage-node.js';
import { folderOptions } from './folder-options.js';
import { NodeError, type StorageNode } from './storage-node.js';

/** The nodes of a store at rest. */
export interface ReadableNodes {
  readonly readable: ReadonlyMap<number, StorageNode>;
  /** Why the others cannot be read. */
  readonly missing: ReadonlyMap<number, string>;
}

/** Opens all nodes that are there, so that nothing on them can be changed. @throws DomainError `storage-locked` */
export async function openForReading(config: AppConfig, cluster: ClusterFile, signal: AbortSignal): Promise<ReadableNodes> {
  const readable = new Map<number, StorageNode>();
  const missing = new Map<number, string>();
  for (let number = 1; number <= config.node_count; number += 1) {
    const node = new FolderStorageNode({ ...folderOptions(number, config, cluster), readOnly: true });
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

export async function closeNodes({ readable }: ReadableNodes): Promise<void> {
  await Promise.all([...readable.values()].map((node) => node.close()));
}
