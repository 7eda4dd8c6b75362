import type { StorageNode } from '../../src/nodes/storage-node.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { newPeerIds, peerNode, servedNode, servePeer } from '../support/peer-pair.js';
import { describeStorageNode, type StorageNodeFixture } from '../support/storage-node.contract.js';
import { makeFolderNode } from '../support/storage-node.folder.js';

describeStorageNode('PeerStorageNode, whose peer has a folder,', async () => {
  const { node, dispose } = await makeFolderNode(undefined, { packBelow: 65_536 });
  return overHttp(node, dispose);
});

describeStorageNode('PeerStorageNode, whose peer has a node in memory,', () =>
  overHttp(new MemoryStorageNode(1), () => Promise.resolve()),
);

async function overHttp(inner: StorageNode, dispose: () => Promise<void>): Promise<StorageNodeFixture> {
  const ids = newPeerIds();
  const peer = await servePeer({ local: servedNode(inner, ids) });
  return {
    node: peerNode(peer.origin, ids),
    dispose: async () => {
      await peer.close();
      await inner.close();
      await dispose();
    },
  };
}
