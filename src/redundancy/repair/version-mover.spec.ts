import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Cluster, NEVER } from '../../../test/support/cluster.js';
import type { Manifest } from '../../metadata/metadata-store.js';
import { reportLayout } from '../survival.js';
import type { MovePolicy, ShardPlace } from './move-plan.js';

const SLICE = 100;

let cluster: Cluster;

beforeEach(async () => {
  cluster = await Cluster.make({ nodes: 5, redundancy: 1, sliceBytes: SLICE });
});

afterEach(async () => {
  await cluster.remove();
});

function slices(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => Uint8Array.from(randomBytes(SLICE)));
}

/** Everything goes away from a node. */
function leave(node: number): MovePolicy {
  return {
    decide: (place) => (place.node === node ? 'move' : 'keep'),
    mayTake: (other) => other !== node,
    mayKeepRecord: (other) => other !== node,
  };
}

async function current(manifest: Manifest): Promise<Manifest> {
  return (await cluster.metadata.findByVersion(manifest.versionId, NEVER))!.manifest;
}

async function places(manifest: Manifest): Promise<ShardPlace[]> {
  const report = await reportLayout(cluster.metadata, manifest, { isReadable: () => true, placesMax: 1e6 }, NEVER);
  return report.places.flatMap(({ stripe, nodes }) => nodes.map((node, index) => ({ stripe, index, node })));
}

/** What the nodes have is what the layout says, neither more nor less, and so say all counters. */
async function expectInPlace(before: Manifest): Promise<void> {
  const manifest = await current(before);
  const rows = await places(manifest);
  const expected = rows.map(({ stripe, index, node }) => `${stripe}.${index}@${node}`).sort();
  const found: string[] = [];
  for (const node of cluster.memory)
    for await (const { stripe, index } of node.list(NEVER)) found.push(`${stripe}.${index}@${node.number}`);
  expect(found.sort()).toEqual(expected);
  for (const [, row] of Map.groupBy(rows, ({ stripe }) => stripe)) {
    expect(new Set(row.map(({ node }) => node)).size).toBe(manifest.m + 1);
    expect(row).toHaveLength(manifest.m + 1);
  }
  const counts = await cluster.counts();
  expect(cluster.memory.map(({ number }) => cluster.placement.files(number))).toEqual(counts);
  const usage = new Map(manifest.usage.map(({ node, shards }) => [node, shards]));
  expect(cluster.memory.map(({ number }) => usage.get(number) ?? 0)).toEqual(counts);
  expect(await cluster.metadata.usage(NEVER)).toEqual([...manifest.usage].sort((a, b) => a.node - b.node));
  const heads = await Promise.all(cluster.memory.map((node) => Array.fromAsync(node.listRecords(NEVER))));
  const manifests = cluster.memory.filter((_, at) => heads[at]!.some(({ kind }) => kind === 'manifest'));
  expect(manifests.map(({ number }) => number)).toEqual([...manifest.recordNodes].sort());
  expect(manifest.recordNodes).toHaveLength(manifest.m + 1);
}

describe('the mover', () => {
  it('takes everything away from a node that is up, in many steps, and leaves nothing there', async () => {
    const body = slices(50);
    const manifest = await cluster.store(body);
    const report = await cluster.mover.move(manifest.versionId, leave(2), NEVER);
    expect(report).toMatchObject({ isCurrent: true, unplaced: 0, unread: 0, shards: 20, bytes: 20 * SLICE });
    await expectInPlace(manifest);
    expect((await cluster.counts())[1]).toBe(0);
    expect(await cluster.read(await current(manifest))).toEqual(Buffer.concat(body));
  });

  it('restores what was on a node that is gone, and another one may go', async () => {
    const body = slices(23);
    const manifest = await cluster.store(body);
    cluster.registry.setState(1, 'down', {});
    expect(await cluster.mover.move(manifest.versionId, leave(1), NEVER)).toMatchObject({ unplaced: 0, unread: 0 });
    for (const other of [2, 3, 4, 5]) {
      for (const number of [2, 3, 4, 5]) cluster.registry.setState(number, number === other ? 'down' : 'up', {});
      expect(await cluster.read(await current(manifest))).toEqual(Buffer.concat(body));
    }
    for (const number of [1, 2, 3, 4, 5]) cluster.registry.setState(number, 'up', {});
    await cluster.collector.sweep(NEVER);
    await expectInPlace(manifest);
  });

  it('moves a small file with its record', async () => {
    const writer = cluster.writer();
    writer.ride(Uint8Array.of(7, 8));
    const manifest = await cluster.commit(writer, [Uint8Array.of(7, 8)]);
    await cluster.mover.move(manifest.versionId, leave(1), NEVER);
    await expectInPlace(manifest);
    expect((await current(manifest)).recordNodes).not.toContain(1);
    expect(await cluster.read(await current(manifest))).toEqual(Buffer.of(7, 8));
  });

  it('writes a shard anew where it lies', async () => {
    const body = slices(5);
    const manifest = await cluster.store(body);
    const [first] = await places(manifest);
    const { stripe, index, node } = first!;
    cluster.memory[node - 1]!.damage({ versionId: manifest.versionId, stripe, index });
    const policy: MovePolicy = { decide: (place) => (place.stripe === stripe && place.index === index ? 'mend' : 'keep') };
    expect(await cluster.mover.move(manifest.versionId, policy, NEVER)).toMatchObject({ shards: 1, unread: 0 });
    const [bytes] = await cluster.memory[node - 1]!.get([{ versionId: manifest.versionId, stripe, index }], NEVER);
    expect(Buffer.compare(bytes as Uint8Array, body[stripe]!)).toBe(0);
    await expectInPlace(manifest);
  });

  it.each([0, 2, 3])('gives a file of one copy more than R = 1 the copies of R = %d', async (m) => {
    const body = slices(20);
    const manifest = await cluster.store(body);
    await cluster.mover.move(manifest.versionId, { m, decide: () => 'keep' }, NEVER);
    expect((await current(manifest)).m).toBe(m);
    await expectInPlace(manifest);
    expect(await cluster.read(await current(manifest))).toEqual(Buffer.concat(body));
  });

  it('goes round a node that fails', async () => {
    const manifest = await cluster.store(slices(30));
    cluster.faulty[4]!.inject({ on: 'put', effect: { fail: 'unavailable' }, nth: 2 });
    expect(await cluster.mover.move(manifest.versionId, leave(2), NEVER)).toMatchObject({ unplaced: 0 });
    await cluster.collector.deleteStrays(NEVER);
    await cluster.collector.sweep(NEVER);
    await expectInPlace(manifest);
  });

  it('leaves what no node can take where it is, and says so', async () => {
    const manifest = await cluster.store(slices(10));
    for (const number of [3, 4, 5]) cluster.registry.setState(number, 'full', {});
    const before = await places(manifest);
    const report = await cluster.mover.move(manifest.versionId, leave(1), NEVER);
    const stuck = before.filter(({ node }) => node === 1);
    const shared = stuck.filter(({ stripe }) => before.some((place) => place.stripe === stripe && place.node === 2));
    expect(report.unplaced).toBe(shared.length);
    expect(report.shards).toBe(stuck.length - shared.length);
    await expectInPlace(manifest);
  });

  it('does not disturb a download, wherever the shards go meanwhile', async () => {
    const body = slices(40);
    const manifest = await cluster.store(body);
    const span = { first: 0, end: 40 };
    const reading = cluster.reader.read(manifest, span, { width: 2, avoid: new Set() }, NEVER);
    const got: Uint8Array[] = [];
    let slice = await reading.next();
    // Both copies of every stripe go elsewhere, and then once more.
    for (const node of [1, 2, 3]) await cluster.mover.move(manifest.versionId, leave(node), NEVER);
    for (const node of [4]) await cluster.mover.move(manifest.versionId, leave(node), NEVER);
    for (; slice.done !== true; slice = await reading.next()) got.push(slice.value);
    expect(Buffer.concat(got)).toEqual(Buffer.concat(body));
  });

  it('takes back what it copied if the file is deleted or the index fails meanwhile', async () => {
    const kept = await cluster.store(slices(12));
    const failing = cluster.makeMover({ changeFile: () => Promise.reject(new Error('the index fails')) });
    await expect(failing.move(kept.versionId, leave(1), NEVER)).rejects.toThrow('the index fails');
    await cluster.collector.deleteStrays(NEVER);
    await expectInPlace(kept);
    const deleting = cluster.makeMover({
      changeFile: async (id, work) => {
        await cluster.delete(id);
        return cluster.records.change((put) => work(put, cluster.sealer));
      },
    });
    expect(await deleting.move(kept.versionId, leave(1), NEVER)).toMatchObject({ isCurrent: false });
    for (const { node, shards } of kept.usage) cluster.placement.release(node, shards);
    await cluster.collector.collect(NEVER);
    await cluster.collector.deleteStrays(NEVER);
    expect(await cluster.counts()).toEqual([0, 0, 0, 0, 0]);
    expect(cluster.memory.map(({ number }) => cluster.placement.files(number))).toEqual([0, 0, 0, 0, 0]);
  });
});
