import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type ClusterId, type LeaseId, type VersionId } from '../../src/common/ids.js';
import { LIMITS } from '../../src/config/limits.js';
import { PeerClient } from '../../src/nodes/peer/peer-client.js';
import type { FoundDamage, Leases, ReadDesk } from '../../src/nodes/peer/read-desk.js';
import { someBytes } from '../support/bytes.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { newPeerIds, type RunningPeer, SECRET, servedNode, servePeer } from '../support/peer-pair.js';

const NEVER = new AbortController().signal;
const VERSION = newId<VersionId>();
/** Longer than a frame of the protocol. */
const PAGE = someBytes(3_000_000);

describe('the desk of the gateway, by the peer protocol', () => {
  const ids = newPeerIds();
  const leases: Leases[] = [];
  const damages: FoundDamage[] = [];
  let desk: ReadDesk | undefined;
  let peer: RunningPeer;
  let client: PeerClient;

  beforeEach(async () => {
    desk = {
      layout: (versionId, page) => Promise.resolve(versionId === VERSION && page === 7 ? PAGE : undefined),
      lease: (given) => void leases.push(given),
      damaged: (found) => void damages.push(...found),
    };
    peer = await servePeer({ local: servedNode(new MemoryStorageNode(1), ids), desk: () => desk });
    client = new PeerClient({ origin: peer.origin, secret: SECRET, limits: LIMITS });
  });

  afterEach(async () => {
    await client.close();
    await peer.close();
  });

  it('gives pages of layouts, of any length, and says which there are not', async () => {
    const found = await client.layout(ids.clusterId, { versionId: VERSION, page: 7 }, NEVER);
    expect(found && Buffer.from(found).equals(PAGE)).toBe(true);
    expect(await client.layout(ids.clusterId, { versionId: VERSION, page: 8 }, NEVER)).toBeUndefined();
  });

  it('hears of leases and of damage', async () => {
    const told = { held: [newId<LeaseId>(), newId<LeaseId>()], ended: [newId<LeaseId>()] };
    await client.lease(ids.clusterId, told, NEVER);
    await client.lease(ids.clusterId, { held: [], ended: [] }, NEVER);
    expect(leases).toEqual([told, { held: [], ended: [] }]);
    const found: readonly FoundDamage[] = [
      { node: 3, kind: 'corrupt', shard: { versionId: VERSION, stripe: 2 ** 33, index: 255 } },
      { node: 4, kind: 'not-found', shard: { versionId: VERSION, stripe: 0, index: 0 } },
    ];
    await client.damaged(ids.clusterId, found, NEVER);
    expect(damages).toEqual(found);
  });

  it('is nobody else’s: of another cluster, or of a process that is not the gateway', async () => {
    const key = { versionId: VERSION, page: 7 };
    await expect(client.layout(newId<ClusterId>(), key, NEVER)).rejects.toMatchObject({ kind: 'rejected' });
    await expect(client.lease(newId<ClusterId>(), { held: [], ended: [] }, NEVER)).rejects.toMatchObject({ kind: 'rejected' });
    desk = undefined;
    await expect(client.layout(ids.clusterId, key, NEVER)).rejects.toThrow('it is not the gateway');
  });
});
