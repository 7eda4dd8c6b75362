import { expect, it } from '@jest/globals';
import { inBackground, isInBackground } from '../../src/nodes/background-work.js';
import { NEVER } from '../support/cluster.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { newPeerIds, peerNode, servedNode, servePeer } from '../support/peer-pair.js';

it('A peer knows of each call whether somebody waits for it', async () => {
  const ids = newPeerIds();
  const seen: boolean[] = [];
  const served = servedNode(new MemoryStorageNode(1), ids);
  const local: typeof served = {
    ...served,
    use: (call, signal, work) => {
      seen.push(isInBackground());
      return served.use(call, signal, work);
    },
  };
  const peer = await servePeer({ local });
  const node = peerNode(peer.origin, ids);
  try {
    await node.put({ shards: [], records: [] }, NEVER);
    await inBackground(() => node.put({ shards: [], records: [] }, NEVER));
    await Promise.all([node.get([], NEVER), inBackground(() => node.probe(NEVER)), node.probe(NEVER)]);
    expect(seen.slice(0, 2)).toEqual([false, true]);
    expect(seen.slice(2).filter(Boolean)).toHaveLength(1);
  } finally {
    await node.close();
    await peer.close();
  }
});
