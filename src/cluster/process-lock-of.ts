import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError } from '../common/errors.js';
import { ProcessLock } from '../common/process-lock.js';
import type { AppConfig } from '../config/app-config.js';

/**
 * The lock of one process of a cluster: several may share a storage directory, but not a node.
 * @throws DomainError `storage-locked`, `storage-unusable`
 */
export function lockOf({ storage_directory: directory, node }: AppConfig): ProcessLock {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    const detail = `storage_directory ${directory} cannot be made: ${(cause as Error).message}`;
    throw new DomainError('storage-unusable', detail, { cause });
  }
  return ProcessLock.take(join(directory, `node_${String(node)}.lock`));
}
