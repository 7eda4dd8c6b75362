import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { current, expectInPlace, places } from '../../test/support/cluster-state.js';
import { NEVER, stream } from '../../test/support/cluster.js';
import { eventually, Members } from '../../test/support/members.js';
import type { VersionId } from '../common/ids.js';
import { AlignmentService } from './alignment.service.js';

Logger.overrideLogger(false);

const SLICE = 16;

let members: Members;
let alignment: AlignmentService;

async function make(shape: { readonly nodes: number; readonly redundancy: number; readonly data?: number }): Promise<void> {
  members = await Members.make({ ...shape, sliceBytes: SLICE, graceMs: 3_600_000 });
  alignment = new AlignmentService(members.mover, members.collector, members.membership);
}

afterEach(async () => {
  await alignment.onApplicationShutdown();
  await members.remove();
});

function slices(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => new Uint8Array(SLICE).fill(at + 1));
}

const failed = (): number => members.membership.view.alignment?.failed ?? 0;

/** From now on the index does not have the layout of a version. */
function lose(lost: VersionId): void {
  const { metadata } = members.cluster;
  const readLayout = metadata.readLayout.bind(metadata);
  jest
    .spyOn(metadata, 'readLayout')
    .mockImplementation(async (id, page, signal) => (id === lost ? undefined : readLayout(id, page, signal)));
}

describe('a lower R', () => {
  it('drops no copy before as many as stay can be read, whichever nodes are away', async () => {
    await make({ nodes: 5, redundancy: 2 });
    const { cluster, membership } = members;
    const body = slices(10);
    const manifest = await cluster.store(body);
    for (const node of [1, 2]) {
      cluster.registry.setState(node, 'down', {});
      for (const on of ['get', 'put', 'delete'] as const)
        cluster.faulty[node - 1]!.inject({ on, effect: { fail: 'unavailable' } });
    }
    members.setRedundancy(1);
    alignment.onApplicationBootstrap();
    await eventually(async () => (await current(cluster, manifest)).m === 1);
    await eventually(() => membership.view.alignment === undefined);
    expect(await cluster.read(await current(cluster, manifest))).toEqual(Buffer.concat(body));
    expect((await places(cluster, manifest)).every(({ node }) => node > 2)).toBe(true);
  });
});

describe('a lower R with damage that is known', () => {
  it('writes anew what stays before it drops what is good', async () => {
    await make({ nodes: 5, redundancy: 2 });
    const { cluster } = members;
    const body = slices(10);
    const manifest = await cluster.store(body);
    const { versionId } = manifest;
    const bad = (await places(cluster, manifest)).filter(({ index }) => index < 2);
    for (const { node, stripe, index } of bad) cluster.memory[node - 1]!.damage({ versionId, stripe, index });
    const damage = bad.map(({ node, stripe, index }) => ({ node, shard: { versionId, stripe, index } }));
    await cluster.metadata.noteDamage(damage, 1000, NEVER);
    members.setRedundancy(1);
    alignment.onApplicationBootstrap();
    await eventually(async () => (await current(cluster, manifest)).m === 1);
    expect(await cluster.read(await current(cluster, manifest))).toEqual(Buffer.concat(body));
  });
});

describe('a higher R for which there are too few nodes', () => {
  it('does not keep a new disk from being filled', async () => {
    await make({ nodes: 4, redundancy: 1, data: 3 });
    const { cluster, membership } = members;
    const manifest = await cluster.store(slices(12));
    const memory = cluster.memory[2]!;
    await memory.delete(await Array.fromAsync(memory.list(NEVER)), NEVER);
    await memory.forget(await Array.fromAsync(memory.listRecords(NEVER)), NEVER);
    membership.cluster.changeNode(3, (node) => ({ ...node, lostBefore: Date.now() }));
    members.setRedundancy(2);
    alignment.onApplicationBootstrap();
    await eventually(() => membership.losses.size === 0);
    await expectInPlace(cluster, manifest);
    expect(failed()).toBe(1);
    expect(membership.cluster.map.redundancy ?? 1).toBe(1);
  });

  it('does not keep a node from being emptied', async () => {
    await make({ nodes: 5, redundancy: 1, data: 3 });
    const { cluster, membership } = members;
    const manifest = await cluster.store(slices(12));
    members.drain(5);
    members.setRedundancy(2);
    alignment.onApplicationBootstrap();
    await eventually(() => membership.view.drains.get(5)?.isDone === true);
    await expectInPlace(cluster, manifest);
    expect(failed()).toBe(1);
  });
});

describe('a new disk', () => {
  it('counts as restored only after a walk that began after the last change', async () => {
    await make({ nodes: 4, redundancy: 1 });
    const { cluster, membership } = members;
    await cluster.store(slices(12));
    membership.cluster.changeNode(3, (node) => ({ ...node, lostBefore: Date.now() }));
    const fast = cluster.faulty[2]!.inject({ on: 'check', effect: { delayMs: 100 } });
    alignment.onApplicationBootstrap();
    await eventually(() => membership.view.alignment !== undefined);
    const writer = cluster.writer();
    await writer.write(stream([slices(12)]), 3, NEVER); // what it has put on the old disk is gone
    alignment.changed();
    fast();
    await eventually(() => membership.view.alignment === undefined);
    await sleep(200);
    expect(membership.losses.size).toBe(1);
    await cluster.commit(writer, slices(12));
    await eventually(() => membership.losses.size === 0);
  });

  it('is looked at once, and not again and again, while a file is read that was there before', async () => {
    await make({ nodes: 4, redundancy: 1 });
    const { cluster, membership } = members;
    const { versionId } = await cluster.store(slices(12));
    membership.cluster.changeNode(3, (node) => ({ ...node, lostBefore: Date.now() + 1 }));
    const release = cluster.holds.hold(versionId);
    alignment.changed();
    await sleep(300);
    expect(cluster.faulty[2]!.calls.check).toBe(1);
    expect(membership.losses.size).toBe(1);
    expect(membership.view.alignment).toBeUndefined();
    alignment.onApplicationBootstrap();
    release();
    await eventually(() => membership.losses.size === 0);
  });

  it('is nothing to flee from while the old one makes room for it', async () => {
    await make({ nodes: 4, redundancy: 1 });
    const { cluster, membership } = members;
    await cluster.registry.retire(3);
    expect(membership.target.isLeaving(3)).toBe(false);
    membership.cluster.changeNode(3, (node) => ({ ...node, state: 'removed' }));
    expect(membership.target.isLeaving(3)).toBe(true);
  });
});

describe('a file of which the index has lost where it lies', () => {
  it('is not tried without a pause on a node that leaves', async () => {
    await make({ nodes: 4, redundancy: 1 });
    const { cluster } = members;
    const { recordNodes } = await cluster.store(slices(12));
    jest.spyOn(cluster.metadata, 'readLayout').mockResolvedValue(undefined);
    const moves = jest.spyOn(cluster.mover, 'move');
    members.drain([1, 2, 3, 4].find((node) => !recordNodes.includes(node))!);
    alignment.onApplicationBootstrap();
    await sleep(300);
    expect(failed()).toBe(1);
    expect(moves.mock.calls.length).toBeLessThan(10);
  });

  it('is named, stays on the node that leaves, and keeps neither other files there nor other nodes from their end', async () => {
    await make({ nodes: 6, redundancy: 1 });
    const { cluster, membership } = members;
    const { fileId, versionId, recordNodes } = await cluster.store(slices(1));
    for (let at = 0; at < 9; at += 1) await cluster.store(slices(1));
    lose(versionId);
    const [holder, other] = [recordNodes[0]!, [1, 2, 3, 4, 5, 6].find((node) => !recordNodes.includes(node))!];
    membership.cluster.changeNode(recordNodes[1]!, (node) => ({ ...node, lostBefore: Date.now() + 1 }));
    members.drain(holder);
    members.drain(other);
    alignment.onApplicationBootstrap();
    const { view } = membership;
    await eventually(() => view.drains.get(other)?.isDone === true && view.drains.get(holder)?.stuck !== undefined);
    await eventually(() => membership.losses.size === 0);
    const stuck = { files: 1, fileId, reason: expect.stringContaining('layout is lost') };
    expect(view.drains.get(other)).toMatchObject({ isDone: true, stuck: undefined });
    expect(view.drains.get(holder)).toMatchObject({ records: 1, isDone: false, stuck });
    expect(view.alignment).toMatchObject({ files: 1, failed: 1, stuck });
    const left = await Array.fromAsync(cluster.memory[holder - 1]!.list(NEVER));
    expect(left).toEqual([{ versionId, stripe: 0, index: expect.any(Number) }]);
    await cluster.delete(fileId);
    await eventually(() => view.drains.get(holder)?.isDone === true && view.alignment === undefined);
    expect(view.drains.get(holder)?.stuck).toBeUndefined();
  });

  it('and that is to have more copies keeps no node from being drained, and the higher R from being relied on', async () => {
    await make({ nodes: 6, redundancy: 1 });
    const { cluster, membership } = members;
    const { fileId, versionId, recordNodes } = await cluster.store(slices(1));
    await cluster.store(slices(6));
    lose(versionId);
    const other = [1, 2, 3, 4, 5, 6].find((node) => !recordNodes.includes(node))!;
    members.setRedundancy(2);
    members.drain(other);
    alignment.onApplicationBootstrap();
    await eventually(() => membership.view.drains.get(other)?.isDone === true);
    expect(membership.view.alignment?.stuck).toMatchObject({ files: 1, fileId });
    expect(membership.cluster.map.redundancy ?? 1).toBe(1);
  });
});

describe('the mark of a deleted file', () => {
  it('that no other node can take is not put on the one that leaves without end', async () => {
    await make({ nodes: 5, redundancy: 1 });
    const { cluster } = members;
    for (let at = 0; at < 5; at += 1) await cluster.delete((await cluster.store(slices(1))).fileId);
    await cluster.collector.collect(NEVER);
    members.drain(5);
    for (const node of [2, 3, 4]) cluster.registry.setState(node, 'down', {});
    alignment.onApplicationBootstrap();
    await eventually(() => failed() > 0);
    for (const node of [2, 3, 4]) cluster.registry.setState(node, 'up', {});
    await eventually(() => members.membership.view.drains.get(5)?.isDone === true);
  });
});
