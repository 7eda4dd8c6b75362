import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { crc32 } from 'node:zlib';
import { Logger } from '@nestjs/common';
import { NEVER, stream } from '../../test/support/cluster.js';
import { eventually, Members } from '../../test/support/members.js';
import { newId, type VersionId } from '../common/ids.js';
import type { Manifest } from '../metadata/metadata-store.js';
import { AlignmentService } from './alignment.service.js';
import { RebalanceService } from './rebalance.service.js';
import { SurvivalService } from './survival.service.js';

Logger.overrideLogger(false);

const SLICE = 16;

let members: Members;
let alignment: AlignmentService;
let survival: SurvivalService | undefined;

beforeEach(async () => {
  members = await Members.make({ nodes: 5, redundancy: 1, sliceBytes: SLICE, graceMs: 3_600_000 });
  alignment = new AlignmentService(members.mover, members.collector, members.membership);
});

afterEach(async () => {
  await alignment.onApplicationShutdown();
  await survival?.onApplicationShutdown();
  await members.remove();
});

function slices(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => new Uint8Array(SLICE).fill(at + 1));
}

async function expectWhole(manifest: Manifest, body: readonly Uint8Array[]): Promise<void> {
  const { cluster } = members;
  const stored = (await cluster.metadata.findByVersion(manifest.versionId, NEVER))!;
  expect(await cluster.read(stored.manifest)).toEqual(Buffer.concat(body));
}

/** Leaves marks of deleted files on all nodes. */
async function deleteSome(): Promise<void> {
  const { cluster } = members;
  for (let at = 0; at < 5; at += 1) await cluster.delete((await cluster.store(slices(1))).fileId);
  await cluster.collector.collect(NEVER);
  const marked = (await Array.fromAsync(cluster.metadata.tombstones(NEVER))).flatMap(({ nodes }) => nodes);
  expect(new Set(marked)).toEqual(new Set([1, 2, 3, 4, 5]));
}

/** Each mark of a deleted file is where it is said to be. */
async function expectMarked(): Promise<void> {
  const { metadata, memory } = members.cluster;
  for await (const { fileId: id, nodes } of metadata.tombstones(NEVER))
    for (const node of nodes)
      expect(await memory[node - 1]!.getRecords([{ kind: 'tombstone', id, page: 0 }], NEVER)).toMatchObject([{ fileId: id }]);
}

/** Everything that lies on a node. */
async function kept(node: number): Promise<number> {
  const memory = members.cluster.memory[node - 1]!;
  return (await Array.fromAsync(memory.list(NEVER))).length + (await Array.fromAsync(memory.listRecords(NEVER))).length;
}

const isDone = (node: number) => (): boolean => members.membership.view.drains.get(node)?.isDone === true;

describe('the alignment', () => {
  it('empties a node, also of what an upload commits that began before, and of the marks of deleted files', async () => {
    const { cluster } = members;
    const body = slices(20);
    const manifest = await cluster.store(body);
    await deleteSome();
    const orphan = {
      versionId: newId<VersionId>(),
      stripe: 0,
      index: 0,
      k: 1,
      m: 1,
      bytes: Uint8Array.of(1),
      checksum: crc32(Uint8Array.of(1)),
    };
    await cluster.memory[1]!.put({ shards: [orphan], records: [] }, NEVER); // of an upload that a crash cut short a moment ago
    const writer = cluster.writer();
    await writer.write(stream([body]), 3, NEVER); // on all nodes, and not committed
    members.drain(2);
    alignment.onApplicationBootstrap();
    alignment.changed();
    await eventually(async () => !(await cluster.metadata.usage(NEVER)).some(({ node }) => node === 2));
    expect(isDone(2)()).toBe(false);
    const late = await cluster.commit(writer, body);
    await cluster.collector.collect(NEVER);
    await eventually(isDone(2));
    expect(await kept(2)).toBe(0);
    for (const one of [manifest, late]) await expectWhole(one, body);
    for await (const { nodes } of cluster.metadata.tombstones(NEVER)) expect(nodes).not.toContain(2);
  });

  it('goes on when there are nodes again that can take what is left', async () => {
    const { cluster } = members;
    const body = slices(10);
    const manifest = await cluster.store(body);
    members.drain(1);
    for (const node of [3, 4, 5]) cluster.registry.setState(node, 'down', {});
    alignment.onApplicationBootstrap();
    await eventually(() => (members.membership.view.alignment?.failed ?? 0) > 0);
    expect(isDone(1)()).toBe(false);
    for (const node of [3, 4, 5]) cluster.registry.setState(node, 'up', {});
    await eventually(isDone(1));
    expect(await kept(1)).toBe(0);
    await expectWhole(manifest, body);
  });

  it('restores a node with a new disk, and until then does not count on it', async () => {
    const { cluster, membership } = members;
    const body = slices(20);
    const manifest = await cluster.store(body);
    await deleteSome();
    const memory = cluster.memory[2]!;
    const before = await Array.fromAsync(memory.list(NEVER));
    await memory.delete(before, NEVER);
    await memory.forget(await Array.fromAsync(memory.listRecords(NEVER)), NEVER);
    const lostBefore = Date.now() + 1;
    membership.cluster.changeNode(3, (node) => ({ ...node, lostBefore }));
    cluster.registry.losses.set(3, lostBefore);
    survival = new SurvivalService(members.collector, membership);
    survival.onApplicationBootstrap();
    await eventually(() => membership.view.survival !== undefined);
    expect(membership.view.survival).toMatchObject({ survives: 0, fileId: manifest.fileId });
    alignment.onApplicationBootstrap();
    await eventually(() => membership.losses.size === 0);
    expect(await Array.fromAsync(memory.list(NEVER))).toHaveLength(before.length);
    await expectMarked();
    await eventually(() => membership.view.survival?.survives === 1);
    await expectWhole(manifest, body);
  });

  it.each([0, 2, 3])(
    'brings files from R = 1 to R = %d, and the map says what may be lost only when that is so',
    async (redundancy) => {
      const { cluster, membership } = members;
      const body = slices(20);
      const manifest = await cluster.store(body);
      alignment.onApplicationBootstrap();
      await eventually(() => membership.cluster.map.redundancy === 1);
      const writer = cluster.writer();
      await writer.write(stream([body]), 3, NEVER); // as it was at its begin
      members.setRedundancy(redundancy);
      const failing = cluster.faulty.map((node) => node.inject({ on: 'put', effect: { fail: 'unavailable' } }));
      alignment.changed();
      if (redundancy > 1) {
        await eventually(() => (membership.view.alignment?.failed ?? 0) > 0);
        expect(membership.cluster.map.redundancy).toBe(1);
      }
      for (const mend of failing) mend();
      for (const { number } of cluster.memory) cluster.registry.setState(number, 'up', {});
      await eventually(async () => (await cluster.metadata.findByVersion(manifest.versionId, NEVER))?.manifest.m === redundancy);
      await eventually(() => membership.view.alignment === undefined);
      if (redundancy > 1) expect(membership.cluster.map.redundancy).toBe(1);
      const stored = (await cluster.metadata.findByVersion(manifest.versionId, NEVER))!;
      expect(stored.manifest.recordNodes).toHaveLength(redundancy + 1);
      await expectWhole(manifest, body);
      const late = await cluster.commit(writer, body);
      await eventually(async () => (await cluster.metadata.findByVersion(late.versionId, NEVER))?.manifest.m === redundancy);
      await eventually(() => membership.cluster.map.redundancy === redundancy);
      await expectWhole(late, body);
    },
  );
});

describe('a rebalance', () => {
  it('evens out with as few moves as there are, and ends when a node goes', async () => {
    const { cluster, membership } = members;
    for (const node of [4, 5]) cluster.registry.setState(node, 'down', {});
    const bodies = [slices(20), slices(7), slices(1), slices(30)];
    const manifests: Manifest[] = [];
    for (const body of bodies) manifests.push(await cluster.store(body));
    for (const node of [4, 5]) cluster.registry.setState(node, 'up', {});
    const rebalance = new RebalanceService(members.mover, members.collector, membership);
    const { left } = rebalance.status;
    expect(left).toBeGreaterThan(40);
    rebalance.start();
    await eventually(() => rebalance.status.state !== 'running');
    expect(rebalance.status).toMatchObject({ state: 'even', moved: left, left: 0 });
    const counts = await cluster.counts();
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    for (const [at, manifest] of manifests.entries()) await expectWhole(manifest, bodies[at]!);
    cluster.registry.setState(5, 'down', {});
    for (const body of bodies) await cluster.store(body);
    cluster.registry.setState(5, 'up', {});
    const slow = cluster.faulty[4]!.inject({ on: 'put', effect: { delayMs: 100 } });
    rebalance.start();
    cluster.registry.setState(1, 'down', {});
    await eventually(() => rebalance.status.state !== 'running');
    expect(rebalance.status.state).toBe('cancelled');
    slow();
    await rebalance.onApplicationShutdown();
  });
});
