import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId, type ClusterId, type NodeId } from '../../src/common/ids.js';
import { FolderStorageNode, type FolderStorageNodeOptions } from '../../src/nodes/folder/folder.storage-node.js';
import { MEMORY_DISK } from './memory-disk.js';
import { never } from './storage-node.shards.js';

export interface FolderFixture {
  readonly node: FolderStorageNode;
  readonly options: FolderStorageNodeOptions;
  readonly dispose: () => Promise<void>;
}

/** Compaction that is done only when a test asks for it. */
export const LAZY_LIMITS: FolderStorageNodeOptions['limits'] = {
  pack_bytes_max: 64 * 1024 * 1024,
  compact_dead_percent: 50,
  compact_rest_dead_percent: 4,
  compact_rest_ms: 3_600_000,
  compact_bytes_per_second: 2 ** 30,
};

/** A folder node in a fresh directory under `around` (a temporary one unless told otherwise), that packs nothing unless told to. */
export async function makeFolderNode(around = MEMORY_DISK, part: Partial<FolderStorageNodeOptions> = {}): Promise<FolderFixture> {
  const parent = await mkdtemp(join(around, 'dcloud-node-'));
  const options = {
    directory: join(parent, 'node_1'),
    number: 1,
    clusterId: newId<ClusterId>(),
    nodeId: newId<NodeId>(),
    bytesFreeMin: 0,
    packBelow: 0,
    limits: LAZY_LIMITS,
    ...part,
  };
  const node = await FolderStorageNode.create(options, never());
  return { node, options, dispose: () => rm(parent, { recursive: true, force: true }) };
}
