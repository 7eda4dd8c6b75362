import { join } from 'node:path';
import type { AppConfig } from '../config/app-config.js';
import type { LocalNodeOptions } from '../nodes/peer/local-node.js';

/** Where the node of this process lies and how it is to be kept. */
export function localNodeOptions({ node, storage_directory, limits, pack_below }: AppConfig): LocalNodeOptions {
  if (node === null) throw new TypeError('this process is none of the peers');
  return {
    directory: join(storage_directory, `node_${node}`),
    number: node,
    limits,
    packBelow: pack_below,
    bytesFreeMin: limits.node_bytes_free_min,
  };
}
