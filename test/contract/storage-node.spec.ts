import { DeadlineStorageNode } from '../../src/nodes/deadline.storage-node.js';
import { FaultyStorageNode } from '../support/faulty.storage-node.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { describeStorageNode } from '../support/storage-node.contract.js';
import { makeFolderNode } from '../support/storage-node.folder.js';

describeStorageNode('FolderStorageNode', makeFolderNode);

describeStorageNode('DeadlineStorageNode around a folder', async () => {
  const { node, dispose } = await makeFolderNode();
  return { node: new DeadlineStorageNode(node, 20_000), dispose };
});

describeStorageNode('MemoryStorageNode', () =>
  Promise.resolve({ node: new MemoryStorageNode(1), dispose: () => Promise.resolve() }),
);

describeStorageNode('FaultyStorageNode without faults', () =>
  Promise.resolve({ node: new FaultyStorageNode(new MemoryStorageNode(1)), dispose: () => Promise.resolve() }),
);
