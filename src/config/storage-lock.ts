import { join } from 'node:path';
import { DomainError } from '../common/errors.js';
import { makeFolder } from '../common/make-folder.js';
import { ProcessLock } from '../common/process-lock.js';
import type { AppConfig } from './app-config.js';

/**
 * Takes the lock of a process on its storage directory, which is made if it is missing. The processes of a cluster may share one, but not a node.
 * @throws DomainError `storage-locked`, `storage-unusable`
 */
export function lockStorage({ storage_directory: directory, node }: Pick<AppConfig, 'storage_directory' | 'node'>): ProcessLock {
  try {
    makeFolder(directory);
  } catch (cause) {
    const detail = `storage_directory ${directory} cannot be made: ${(cause as Error).message}`;
    throw new DomainError('storage-unusable', detail, { cause });
  }
  return ProcessLock.take(join(directory, node === null ? 'storage.lock' : `node_${node}.lock`));
}
