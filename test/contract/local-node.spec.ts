import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '../../src/config/limits.js';
import type { ClusterMap } from '../../src/config/cluster-map.js';
import { LocalNode } from '../../src/nodes/peer/local-node.js';
import { PeerClient } from '../../src/nodes/peer/peer-client.js';
import { MEMORY_DISK } from '../support/memory-disk.js';
import { newPeerIds, peerNode, SECRET, servePeer } from '../support/peer-pair.js';
import { batchOf, keyOf, listedKeys, never, someShard } from '../support/storage-node.shards.js';

const REJECTED = { name: 'NodeError', kind: 'rejected' };

describe('LocalNode', () => {
  const ids = newPeerIds();
  let around: string;
  let directory: string;
  let local: LocalNode;

  const open = (): Promise<LocalNode> =>
    LocalNode.open({ directory, number: 2, limits: LIMITS, packBelow: 65_536, bytesFreeMin: 0 }, never());
  const reopen = async (): Promise<void> => {
    await local.close();
    local = await open();
  };

  beforeEach(async () => {
    around = await mkdtemp(join(MEMORY_DISK, 'dcloud-local-'));
    directory = join(around, 'node_2');
    local = await open();
  });

  afterEach(async () => {
    await local.close();
    await rm(around, { recursive: true, force: true });
  });

  const mapOf = (term: number, revision: number, part: Partial<ClusterMap> = {}): ClusterMap => ({
    format: 2,
    clusterId: ids.clusterId,
    term,
    revision,
    gateway: 1,
    nodes: [
      { nodeId: newPeerIds().nodeId, ready: true, state: 'active' },
      { nodeId: ids.nodeId, ready: true, state: 'active' },
    ],
    ...part,
  });
  const call = (term: number) => ({ ...ids, term });

  it('is no node until it is made one, once and for all', async () => {
    expect([local.node, local.map, local.ids]).toEqual([undefined, undefined, undefined]);
    expect(() => local.admit(call(1))).toThrow('rejected: its folder is no node');
    await local.create(ids, never());
    await local.create(ids, never());
    const shard = someShard();
    await local.admit(call(1)).put(batchOf([shard]), never());
    for (const other of [newPeerIds(), { ...ids, nodeId: newPeerIds().nodeId }])
      await expect(local.create(other, never())).rejects.toMatchObject(REJECTED);
    await reopen();
    expect(local.ids).toMatchObject(ids);
    await local.create(ids, never());
    expect(await listedKeys(local.admit(call(1)))).toEqual([keyOf(shard)]);
  });

  it('makes no node in a folder that holds something', async () => {
    await mkdir(directory);
    await writeFile(join(directory, 'holiday.jpg'), 'x');
    await expect(local.create(ids, never())).rejects.toMatchObject(REJECTED);
    expect(await readdir(directory)).toEqual(['holiday.jpg']);
  });

  it('takes no call for another cluster or node, nor of an earlier term', async () => {
    await local.create(ids, never());
    expect(local.admit(call(0))).toBe(local.node);
    await local.takeMap(mapOf(5, 1), never());
    expect(local.admit(call(5))).toBe(local.node);
    expect(local.admit(call(6))).toBe(local.node);
    expect(() => local.admit(call(4))).toThrow(/^rejected: fenced: /);
    expect(() => local.admit({ ...call(5), ...newPeerIds() })).toThrow('another cluster');
    expect(() => local.admit({ ...call(5), nodeId: newPeerIds().nodeId })).toThrow('another node');
    expect(() => local.admit({ term: 9 })).toThrow(/^rejected/);
  });

  it('keeps the map and the fence over a restart', async () => {
    await local.create(ids, never());
    const map = mapOf(3, 7);
    await local.takeMap(map, never());
    expect(JSON.parse(await readFile(join(directory, 'cluster-map.json'), 'utf8'))).toEqual(map);
    await reopen();
    expect(local.map).toEqual(map);
    expect(() => local.admit(call(2))).toThrow(/fenced/);
  });

  it('keeps a map that came while the folder was away, as soon as that is back', async () => {
    await local.create(ids, never());
    await local.takeMap(mapOf(1, 1), never());
    await local.close();
    await rename(directory, `${directory}.away`);
    local = await open();
    await local.takeMap(mapOf(2, 1), never());
    await rename(`${directory}.away`, directory);
    expect(await local.use(call(2), never(), (node) => listedKeys(node))).toEqual([]);
    await reopen();
    expect(local.map?.term).toBe(2);
    expect(() => local.admit(call(1))).toThrow(/fenced/);
  });

  it('does not call a map kept that could not be written when the node was made', async () => {
    const map = mapOf(2, 1);
    await local.takeMap(map, never());
    await mkdir(join(directory, 'cluster-map.json'), { recursive: true });
    await expect(local.create(ids, never())).rejects.toMatchObject({ name: 'NodeError' });
    await rm(join(directory, 'cluster-map.json'), { recursive: true });
    await local.create(ids, never());
    await local.takeMap(map, never());
    await reopen();
    expect(local.map?.term).toBe(2);
  });

  it('takes newer maps and no older ones, and of two that contradict each other the first', async () => {
    await local.create(ids, never());
    const heard: ClusterMap[] = [];
    local.onMap((map) => heard.push(map));
    const [first, second, third] = [mapOf(1, 1), mapOf(1, 2), mapOf(2, 1)];
    for (const map of [first, second, second, first, third]) await local.takeMap(map, never());
    expect(heard).toEqual([first, second, third]);
    await expect(local.takeMap(mapOf(1, 9), never())).rejects.toMatchObject({
      ...REJECTED,
      message: expect.stringMatching(/: fenced: /) as unknown,
    });
    await expect(local.takeMap({ ...third, gateway: 2 }, never())).rejects.toMatchObject(REJECTED);
    await expect(local.takeMap(mapOf(9, 1, { clusterId: newPeerIds().clusterId }), never())).rejects.toMatchObject(REJECTED);
    await expect(local.create({ ...newPeerIds() }, never())).rejects.toMatchObject(REJECTED);
    expect(local.map).toEqual(third);
  });

  it('is not served at all if its map cannot be read, since the fence is in it', async () => {
    await local.create(ids, never());
    await local.takeMap(mapOf(3, 1), never());
    await local.close();
    await writeFile(join(directory, 'cluster-map.json'), '{ "format": 2');
    local = await open();
    expect(() => local.admit(call(9))).toThrow(/cluster-map.json.*damaged/);
    await expect(local.use(call(9), never(), () => Promise.resolve())).rejects.toMatchObject(REJECTED);
  });

  it('lets a new term begin only when the work of the old one has ended', async () => {
    await local.create(ids, never());
    await local.takeMap(mapOf(1, 1), never());
    const events: string[] = [];
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    const old = local.use(call(1), never(), async (_node, signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      events.push('aborted');
      await released;
      events.push('ended');
      throw signal.reason as Error;
    });
    const outcome = expect(old).rejects.toMatchObject({ ...REJECTED, message: expect.stringMatching(/: fenced: /) as unknown });
    const taking = local.takeMap(mapOf(2, 1), never()).then(() => events.push('new term'));
    while (events.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(() => local.admit(call(1))).toThrow(/fenced/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    release(undefined);
    await Promise.all([outcome, taking]);
    expect(events).toEqual(['aborted', 'ended', 'new term']);
  });

  it('does not end work of the same term for a new revision', async () => {
    await local.create(ids, never());
    await local.takeMap(mapOf(1, 1), never());
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    const work = local.use(call(1), never(), () => released.then(() => 'done'));
    await local.takeMap(mapOf(1, 2), never());
    release(undefined);
    expect(await work).toBe('done');
  });

  it('comes back with its folder, and becomes another node where an empty one lies', async () => {
    await local.create(ids, never());
    await local.close();
    await rename(directory, `${directory}.away`);
    local = await open();
    await expect(local.use(call(1), never(), (node, signal) => node.probe(signal))).rejects.toMatchObject(REJECTED);
    await rename(`${directory}.away`, directory);
    await local.use(call(1), never(), (node, signal) => node.probe(signal));
    await rm(directory, { recursive: true, maxRetries: 5 });
    await mkdir(directory);
    const replacement = { clusterId: ids.clusterId, nodeId: newPeerIds().nodeId };
    await local.takeMap(mapOf(1, 1), never()).catch(() => undefined);
    await local.create(replacement, never());
    expect(local.ids).toMatchObject(replacement);
    await local.use({ ...replacement, term: 1 }, never(), (node, signal) => node.probe(signal));
  });

  it('serves peers: greeting, creation, maps and the fence', async () => {
    const peer = await servePeer({ local });
    const client = new PeerClient({ origin: peer.origin, secret: SECRET, limits: LIMITS });
    let term = 1;
    const node = peerNode(peer.origin, ids, { number: 2, term: () => term });
    try {
      const greeting = await client.hello(never());
      expect(greeting).toMatchObject({ protocol: [2, 2], number: 2, nodeCount: 4, redundancyCount: 1, version: '0.0.0' });
      expect([greeting.nodeId, greeting.map]).toEqual([undefined, undefined]);
      await expect(node.probe(never())).rejects.toMatchObject(REJECTED);
      await expect(client.create({ ...ids, number: 3 }, never())).rejects.toMatchObject(REJECTED);
      await client.create({ ...ids, number: 2 }, never());
      const map = mapOf(1, 1);
      await client.giveMap(map, never());
      expect(await client.hello(never())).toMatchObject({ ...ids, map });
      await node.put(batchOf([someShard()]), never());
      await client.giveMap(mapOf(2, 1), never());
      await expect(node.probe(never())).rejects.toMatchObject({
        ...REJECTED,
        message: expect.stringMatching(/^rejected: fenced: /) as unknown,
      });
      await expect(client.giveMap(mapOf(1, 5), never())).rejects.toMatchObject({
        message: expect.stringMatching(/^rejected: fenced: /) as unknown,
      });
      term = 2;
      expect(await listedKeys(node)).toHaveLength(1);
      await expect(Array.fromAsync(client.takeOver(false, never()))).rejects.toMatchObject(REJECTED);
    } finally {
      await Promise.all([client.close(), node.close()]);
      await peer.close();
    }
  });
});
