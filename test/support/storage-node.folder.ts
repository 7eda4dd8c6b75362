import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, type ClusterId, type NodeId } from '../../src/common/ids.js';
import { FolderStorageNode, type FolderStorageNodeOptions } from '../../src/nodes/folder/folder.storage-node.js';
import { never } from './storage-node.shards.js';

export interface FolderFixture {
  readonly node: FolderStorageNode;
  readonly options: FolderStorageNodeOptions;
  readonly dispose: () => Promise<void>;
}

/** A folder node in a fresh directory under `around` (the system's temporary one unless told otherwise). */
export async function makeFolderNode(around = tmpdir()): Promise<FolderFixture> {
  const parent = await mkdtemp(join(around, 'dcloud-node-'));
  const options = {
    directory: join(parent, 'node_1'),
    number: 1,
    clusterId: newId<ClusterId>(),
    nodeId: newId<NodeId>(),
    bytesFreeMin: 0,
  };
  const node = await FolderStorageNode.create(options, never());
  return { node, options, dispose: () => rm(parent, { recursive: true, force: true }) };
}
