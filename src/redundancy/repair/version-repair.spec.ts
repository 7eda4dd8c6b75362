import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { current, expectInPlace, places } from '../../../test/support/cluster-state.js';
import { Cluster, NEVER } from '../../../test/support/cluster.js';
import type { Damage, Manifest } from '../../metadata/metadata-store.js';
import { AwayNodes } from './away-nodes.js';
import { findBacklog } from './repair-queue.js';
import type { VersionMover } from './version-mover.js';
import { VersionRepair } from './version-repair.js';

const SLICE = 100;

let cluster: Cluster;
let away: AwayNodes;

beforeEach(async () => {
  cluster = await Cluster.make({ nodes: 5, redundancy: 2, sliceBytes: SLICE });
  away = new AwayNodes(cluster.registry, 0);
});

afterEach(async () => {
  await cluster.remove();
});

function slices(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => Uint8Array.from(randomBytes(SLICE)));
}

/** Repairs all that is to be found, and returns in which order. */
async function repairAll(mover = cluster.mover): Promise<{ done: number; order: string[] }> {
  const { registry, metadata } = cluster;
  const repair = new VersionRepair({ registry, metadata, mover, away, reconcile: (id) => cluster.reconcile(id) });
  const isGone = (node: number): boolean => away.isAway(node);
  const search = { isGone, looksAtAll: true, writable: registry.writable().length };
  const { items } = await findBacklog(metadata, search, NEVER);
  let done = 0;
  for (const item of items) done += (await repair.repair(item, NEVER)).isDone ? 1 : 0;
  return { done, order: items.map(({ versionId }) => versionId) };
}

async function damage(manifest: Manifest, stripes: number): Promise<Damage[]> {
  const { versionId } = manifest;
  const all: Damage[] = [];
  for (const { stripe, index, node } of await places(cluster, manifest)) {
    if (stripe >= stripes || index > 0) continue;
    cluster.memory[node - 1]!.damage({ versionId, stripe, index });
    all.push({ node, shard: { versionId, stripe, index } });
  }
  await cluster.metadata.noteDamage(all, 1000, NEVER);
  return all;
}

describe('a repair', () => {
  it('mends damage in place, and clears it from the index', async () => {
    const body = slices(12);
    const manifest = await cluster.store(body);
    const before = await places(cluster, manifest);
    const damaged = await damage(manifest, 5);
    expect(await repairAll()).toMatchObject({ done: 1 });
    for (const { node, shard } of damaged) expect(await cluster.memory[node - 1]!.check([shard], NEVER)).toEqual([undefined]);
    expect(await places(cluster, manifest)).toEqual(before);
    expect(await Array.fromAsync(cluster.metadata.damage(NEVER))).toEqual([]);
    await expectInPlace(cluster, manifest);
  });

  it('begins with what survives the least', async () => {
    const manifests: Manifest[] = [];
    for (let at = 0; at < 5; at += 1) manifests.push(await cluster.store(slices(1)));
    const weakest = manifests[3]!;
    await damage(weakest, 1);
    const [, second] = await places(cluster, weakest);
    cluster.registry.setState(second!.node, 'down', {});
    const { order, done } = await repairAll();
    expect(order[0]).toBe(weakest.versionId);
    expect(done).toBe(order.length);
    expect(new Set(order).size).toBe(order.length);
  });

  it('leaves alone what a node has that is back in time, and waits for one that is not lost yet', async () => {
    const manifest = await cluster.store(slices(6));
    const damaged = await damage(manifest, 1);
    const { node } = damaged[0]!;
    away = new AwayNodes(cluster.registry, 60_000);
    cluster.registry.setState(node, 'down', {});
    expect(await repairAll()).toMatchObject({ done: 0 });
    expect(await Array.fromAsync(cluster.metadata.damage(NEVER))).toEqual(damaged);
    cluster.registry.setState(node, 'up', {});
    expect(await repairAll()).toMatchObject({ done: 1 });
    await expectInPlace(cluster, manifest);
  });

  it('does not forget what could not be mended because its node was away for a moment', async () => {
    const manifest = await cluster.store(slices(6));
    const damaged = await damage(manifest, 1);
    const { node } = damaged[0]!;
    away = new AwayNodes(cluster.registry, 60_000);
    const blinking = {
      move: async (...args: Parameters<VersionMover['move']>) => {
        cluster.registry.setState(node, 'suspect', {});
        const report = await cluster.mover.move(...args);
        cluster.registry.setState(node, 'up', {});
        return report;
      },
    } as VersionMover;
    expect(await repairAll(blinking)).toMatchObject({ done: 0 });
    expect(await Array.fromAsync(cluster.metadata.damage(NEVER))).toEqual(damaged);
    expect(await repairAll()).toMatchObject({ done: 1 });
    await expectInPlace(cluster, manifest);
  });

  it('puts what is damaged on a full node on another one', async () => {
    const body = slices(6);
    const manifest = await cluster.store(body);
    const [{ node }] = (await damage(manifest, 1)) as [Damage];
    cluster.registry.setState(node, 'full', {});
    cluster.faulty[node - 1]!.inject({ on: 'put', effect: { fail: 'full' } });
    expect(await repairAll()).toMatchObject({ done: 1 });
    await expectInPlace(cluster, manifest);
    expect(await cluster.read(await current(cluster, manifest))).toEqual(Buffer.concat(body));
  });

  it('does nothing for a file that was deleted, and forgets its damage', async () => {
    const manifest = await cluster.store(slices(6));
    await damage(manifest, 2);
    await cluster.delete(manifest.fileId);
    expect(await repairAll()).toEqual({ done: 0, order: [] });
    expect(await Array.fromAsync(cluster.metadata.damage(NEVER))).toEqual([]);
  });
});
