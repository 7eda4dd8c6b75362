import { DeadlineStorageNode } from '../../src/nodes/deadline.storage-node.js';
import { FaultyStorageNode } from '../support/faulty.storage-node.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { describeStorageNode } from '../support/storage-node.contract.js';
import { LAZY_LIMITS, makeFolderNode } from '../support/storage-node.folder.js';

const PACKING = { packBelow: 65_536 };
/** Packs so small that a test goes through many, and compaction that never rests. */
const RESTLESS = {
  packBelow: 65_536,
  limits: { ...LAZY_LIMITS, pack_bytes_max: 20_000, compact_dead_percent: 5, compact_rest_dead_percent: 0, compact_rest_ms: 20 },
};

describeStorageNode('FolderStorageNode without packed shards', () => makeFolderNode());

describeStorageNode('FolderStorageNode', () => makeFolderNode(undefined, PACKING));

describeStorageNode('FolderStorageNode that compacts all the time', () => makeFolderNode(undefined, RESTLESS));

describeStorageNode('DeadlineStorageNode around a folder', async () => {
  const { node, dispose } = await makeFolderNode(undefined, PACKING);
  return { node: new DeadlineStorageNode(node, 20_000), dispose };
});

describeStorageNode('MemoryStorageNode', () =>
  Promise.resolve({ node: new MemoryStorageNode(1), dispose: () => Promise.resolve() }),
);

describeStorageNode('FaultyStorageNode without faults', () =>
  Promise.resolve({ node: new FaultyStorageNode(new MemoryStorageNode(1)), dispose: () => Promise.resolve() }),
);
