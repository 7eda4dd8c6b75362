import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Cluster, NEVER } from '../../test/support/cluster.js';
import { newId, type VersionId } from '../common/ids.js';
import type { ShardId } from '../nodes/storage-node.js';
import { Strays } from './strays.js';
import { STRAYS_MAX } from './write-ledger.js';

const SLICE = 16;

let cluster: Cluster;
let versionId: VersionId;
/** What node 3 was told to delete, by call. */
let deleted: (readonly ShardId[])[];

beforeEach(async () => {
  cluster = await Cluster.make({ nodes: 3, redundancy: 1, sliceBytes: SLICE });
  versionId = newId<VersionId>();
  deleted = [];
  const node = cluster.faulty[2]!;
  const erase = node.delete.bind(node);
  node.delete = (ids, signal) => {
    deleted.push(ids);
    return erase(ids, signal);
  };
});

afterEach(async () => {
  jest.restoreAllMocks();
  await cluster.remove();
});

function add(shard: Partial<ShardId> = {}): void {
  cluster.collector.addStrays([{ node: 3, shard: { versionId, stripe: 0, index: 0, ...shard } }]);
}

/** A file that lies on other nodes than the last one. */
async function storeElsewhere(): Promise<VersionId> {
  cluster.registry.setState(3, 'down', {});
  const manifest = await cluster.store([new Uint8Array(SLICE)]);
  cluster.registry.setState(3, 'up', {});
  return manifest.versionId;
}

describe('strays', () => {
  it('are deleted with one call, however many versions they are of, and each only once', async () => {
    for (let at = 0; at < 1000; at += 1) add();
    for (let at = 0; at < 10; at += 1) add({ versionId: newId<VersionId>(), stripe: 70_000, index: 255 });
    await cluster.collector.deleteStrays(NEVER);
    await cluster.collector.deleteStrays(NEVER);
    expect(deleted.map(({ length }) => length)).toEqual([11]);
    expect(deleted[0]).toContainEqual({ versionId, stripe: 0, index: 0 });
    expect(deleted[0]?.[10]).toMatchObject({ stripe: 70_000, index: 255 });
  });

  it('are not even looked up while their node is down', async () => {
    add({ versionId: await storeElsewhere() });
    cluster.registry.setState(3, 'down', {});
    const reads = jest.spyOn(cluster.metadata, 'readLayout');
    await cluster.collector.deleteStrays(NEVER);
    expect(reads).not.toHaveBeenCalled();
    cluster.registry.setState(3, 'up', {});
    await cluster.collector.deleteStrays(NEVER);
    expect(deleted).toHaveLength(1);
  });

  it('are forgotten with the node that they are on', async () => {
    add();
    await cluster.registry.retire(3);
    await cluster.collector.deleteStrays(NEVER);
    cluster.registry.add(cluster.faulty[2]!);
    cluster.registry.setState(3, 'up', {});
    await cluster.collector.deleteStrays(NEVER);
    expect(deleted).toEqual([]);
  });

  it('are left for the next time from the first call on that fails', async () => {
    for (let stripe = 0; stripe < 3000; stripe += 1) add({ stripe });
    const mend = cluster.faulty[2]!.inject({ on: 'delete', effect: { fail: 'unavailable' } });
    await cluster.collector.deleteStrays(NEVER);
    expect(deleted).toHaveLength(1);
    mend();
    deleted = [];
    await cluster.collector.deleteStrays(NEVER);
    expect(new Set(deleted.flat().map(({ stripe }) => stripe)).size).toBe(3000);
  });

  it('are kept in mind while their version is written, read or moved', async () => {
    add();
    const letGo = [cluster.holds.hold(versionId), await cluster.holds.claim(versionId)];
    for (const release of letGo) {
      await cluster.collector.deleteStrays(NEVER);
      release();
    }
    expect(deleted).toEqual([]);
    await cluster.collector.deleteStrays(NEVER);
    expect(deleted).toHaveLength(1);
  });

  it('are kept in mind if somebody begins to read their version while they are looked at', async () => {
    versionId = await storeElsewhere();
    add({ index: 0 });
    add({ index: 1 });
    const committed = jest.spyOn(cluster.metadata, 'isCommitted');
    const release = await new Promise<() => void>((resolve) => {
      committed.mockImplementationOnce(() => {
        resolve(cluster.holds.hold(versionId));
        return Promise.resolve(true);
      });
      void cluster.collector.deleteStrays(NEVER).catch(() => undefined);
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    release();
    await cluster.collector.deleteStrays(NEVER);
    expect(new Set(deleted.flat().map(({ index }) => index))).toEqual(new Set([0, 1]));
  });

  it('of one node are remembered up to a limit', () => {
    const strays = new Strays();
    for (let stripe = 0; stripe < STRAYS_MAX + 10; stripe += 1) strays.add([{ node: 3, shard: { versionId, stripe, index: 0 } }]);
    strays.add([{ node: 4, shard: { versionId, stripe: 0, index: 0 } }]);
    expect(strays.take(3)).toHaveLength(STRAYS_MAX);
    expect(strays.take(4)).toHaveLength(1);
    expect(strays.nodes).toEqual([]);
  });
});
