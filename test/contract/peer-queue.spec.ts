import { describe, expect, it } from '@jest/globals';
import { LIMITS } from '../../src/config/limits.js';
import type { Shard, ShardId } from '../../src/nodes/storage-node.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { newPeerIds, peerNode, servedNode, servePeer } from '../support/peer-pair.js';
import { batchOf, never, someShard } from '../support/storage-node.shards.js';

/** Gives shards when it is told to. */
class WaitingNode extends MemoryStorageNode {
  readonly gate = Promise.withResolvers<undefined>();

  override async get(ids: readonly ShardId[], signal: AbortSignal): ReturnType<MemoryStorageNode['get']> {
    await this.gate.promise;
    return super.get(ids, signal);
  }
}

describe('Calls to a peer that wait for a connection', () => {
  it('leave no trace when they are given up, as the loser of a hedge is', async () => {
    const ids = newPeerIds();
    const waiting = new WaitingNode(1);
    const peer = await servePeer({ local: servedNode(waiting, ids) });
    let connections = 0;
    peer.server.on('connection', () => (connections += 1));
    const node = peerNode(peer.origin, ids, { limits: { ...LIMITS, peer_connections_max: 1 } });
    try {
      const shard: Shard = someShard();
      await node.put(batchOf([shard]), never());
      const before = connections;
      const first = node.get([shard], never());
      const givenUp = Array.from({ length: 5 }, async () => {
        const loser = new AbortController();
        setTimeout(() => loser.abort(new Error('another copy was faster')), 20);
        await node.get([shard], loser.signal);
      });
      for (const outcome of await Promise.allSettled(givenUp))
        expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'another copy was faster' } });
      waiting.gate.resolve(undefined);
      for (const got of [await first, await node.get([shard], never())])
        expect(Buffer.from(got[0] as Uint8Array).equals(shard.bytes)).toBe(true);
      expect(connections).toBe(before);
    } finally {
      await node.close();
      await peer.close();
    }
  });
});
