import { join } from 'node:path';
import { makeStorageDirectory } from '../common/make-folder.js';
import { ProcessLock } from '../common/process-lock.js';
import type { AppConfig } from '../config/app-config.js';

/**
 * The lock of one process of a cluster: several may share a storage directory, but not a node.
 * @throws DomainError `storage-locked`, `storage-unusable`
 */
export function lockOf({ storage_directory: directory, node }: AppConfig): ProcessLock {
  makeStorageDirectory(directory);
  return ProcessLock.take(join(directory, `node_${String(node)}.lock`));
}
