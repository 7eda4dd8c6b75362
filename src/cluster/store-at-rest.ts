import { DomainError } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { LiveTls } from '../config/live-tls.js';
import { lockStorage } from '../config/storage-lock.js';
import type { ClusterParts } from '../nodes/cluster-parts.js';
import { PeerSecret } from '../nodes/peer/peer-secret.js';
import { openSecret } from './cluster-secret.js';
import { RestNodeSource } from './rest-node-source.js';

/** A cluster as the command line sees it while its gateway does not run and the other peers do. */
export interface StoreAtRest {
  readonly parts: Omit<ClusterParts, 'live'>;
  readonly close: () => void;
}

/** @throws DomainError `storage-locked` while the process runs, `storage-missing` if it is not the gateway's storage */
export function openStoreAtRest(config: AppConfig): StoreAtRest {
  const lock = lockStorage(config);
  try {
    const { storage_directory: directory, node } = config;
    const map = ClusterFile.peek(directory);
    if (map?.gateway !== node) {
      throw new DomainError(
        'storage-missing',
        `${directory} has no index of node ${String(node)}: this is done with the configuration, and as the node, of the gateway` +
          (map === undefined ? '' : `, which is node ${map.gateway}`),
      );
    }
    const source = new RestNodeSource(config, PeerSecret.of(openSecret(config)), LiveTls.read(config));
    return { parts: { file: ClusterFile.of(directory, map), source }, close: () => lock.release() };
  } catch (error) {
    lock.release();
    throw error;
  }
}
