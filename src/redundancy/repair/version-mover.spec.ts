import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { current, expectInPlace, places } from '../../../test/support/cluster-state.js';
import { Cluster, NEVER } from '../../../test/support/cluster.js';
import { OutcomeUnknownError } from '../../common/outcome-unknown-error.js';
import { SENT_BYTES_LEAST } from '../../common/release.js';
import type { Manifest } from '../../metadata/metadata-store.js';
import { NodeError } from '../../nodes/storage-node.js';
import type { Stray } from '../write-ledger.js';
import type { MovePolicy } from './move-plan.js';

const SLICE = 100;
/** Slices that are given back one by one. */
const LARGE = SENT_BYTES_LEAST;

let cluster: Cluster;

afterEach(async () => {
  await cluster.remove();
});

function slices(count: number, bytes = SLICE): Uint8Array[] {
  return Array.from({ length: count }, () => Uint8Array.from(randomBytes(bytes)));
}

/** Everything goes away from a node. */
function leave(node: number): MovePolicy {
  return {
    decide: (place) => (place.node === node ? 'move' : 'keep'),
    mayTake: (other) => other !== node,
    mayKeepRecord: (other) => other !== node,
  };
}

describe.each([
  ['the mover', false],
  ['the mover, where nodes copy from each other,', true],
])('%s', (_name, pulls) => {
  beforeEach(async () => {
    cluster = await Cluster.make({ nodes: 5, redundancy: 1, sliceBytes: SLICE, pulls });
  });

  it('takes everything away from a node that is up, in many steps, and leaves nothing there', async () => {
    const body = slices(50);
    const manifest = await cluster.store(body);
    const report = await cluster.mover.move(manifest.versionId, leave(2), NEVER);
    expect(report).toMatchObject({ isCurrent: true, unplaced: 0, unread: 0, shards: 20, bytes: 20 * SLICE });
    await expectInPlace(cluster, manifest);
    expect((await cluster.counts())[1]).toBe(0);
    expect((await cluster.read(await current(cluster, manifest))).equals(Buffer.concat(body))).toBe(true);
  });

  it('gives back the memory of what has arrived, but not of what a put that was left behind may still use', async () => {
    await cluster.remove();
    cluster = await Cluster.make({ nodes: 5, redundancy: 1, sliceBytes: LARGE, pulls });
    const body = slices(20, LARGE);
    const manifest = await cluster.store(body);
    const [left, arrived]: [Uint8Array[], Uint8Array[]] = [[], []];
    for (const node of cluster.faulty) {
      const put = node.put.bind(node);
      node.put = async (batch, signal) => {
        const isFirst = left.length === 0 && batch.shards.length > 0;
        (isFirst ? left : arrived).push(...batch.shards.map(({ bytes }) => bytes));
        if (isFirst) throw new NodeError('unavailable', 'it did not answer');
        await put(batch, signal);
      };
    }
    expect(await cluster.mover.move(manifest.versionId, leave(2), NEVER)).toMatchObject({ unplaced: 0, unread: 0 });
    expect(left.map(({ byteLength }) => byteLength)).toEqual(left.map(() => LARGE));
    expect(arrived.some(({ byteLength }) => byteLength === 0)).toBe(true);
    expect((await cluster.read(await current(cluster, manifest))).equals(Buffer.concat(body))).toBe(true);
  });

  it('restores what was on a node that is gone, and another one may go', async () => {
    const body = slices(23);
    const manifest = await cluster.store(body);
    cluster.registry.setState(1, 'down', {});
    expect(await cluster.mover.move(manifest.versionId, leave(1), NEVER)).toMatchObject({ unplaced: 0, unread: 0 });
    for (const other of [2, 3, 4, 5]) {
      for (const number of [2, 3, 4, 5]) cluster.registry.setState(number, number === other ? 'down' : 'up', {});
      expect((await cluster.read(await current(cluster, manifest))).equals(Buffer.concat(body))).toBe(true);
    }
    for (const number of [1, 2, 3, 4, 5]) cluster.registry.setState(number, 'up', {});
    await cluster.collector.sweep(NEVER);
    await expectInPlace(cluster, manifest);
  });

  it('restores shards of an erasure coded file, data and parity, and two other nodes may go', async () => {
    await cluster.remove();
    cluster = await Cluster.make({ nodes: 7, redundancy: 2, data: 3, sliceBytes: SLICE, pulls });
    const body = [...slices(37), Uint8Array.from(randomBytes(31))];
    const manifest = await cluster.store(body);
    expect(manifest.k).toBe(3);
    cluster.registry.setState(1, 'down', {});
    cluster.registry.setState(2, 'down', {});
    for (const gone of [1, 2]) {
      const policy = { ...leave(gone), mayTake: (node: number) => node > 2, mayKeepRecord: (node: number) => node > 2 };
      expect(await cluster.mover.move(manifest.versionId, policy, NEVER)).toMatchObject({ unplaced: 0, unread: 0 });
    }
    for (const others of [
      [3, 4],
      [5, 7],
      [4, 6],
    ]) {
      for (const number of [3, 4, 5, 6, 7]) cluster.registry.setState(number, others.includes(number) ? 'down' : 'up', {});
      expect((await cluster.read(await current(cluster, manifest))).equals(Buffer.concat(body))).toBe(true);
    }
    for (const number of [1, 2, 3, 4, 5, 6, 7]) cluster.registry.setState(number, 'up', {});
    await cluster.collector.sweep(NEVER);
    await expectInPlace(cluster, manifest);
  });

  it('moves a small file with its record', async () => {
    const writer = cluster.writer();
    writer.ride(Uint8Array.of(7, 8));
    const manifest = await cluster.commit(writer, [Uint8Array.of(7, 8)]);
    await cluster.mover.move(manifest.versionId, leave(1), NEVER);
    await expectInPlace(cluster, manifest);
    expect((await current(cluster, manifest)).recordNodes).not.toContain(1);
    expect(await cluster.read(await current(cluster, manifest))).toEqual(Buffer.of(7, 8));
  });

  it('writes a shard anew where it lies', async () => {
    const body = slices(5);
    const manifest = await cluster.store(body);
    const [first] = await places(cluster, manifest);
    const { stripe, index, node } = first!;
    cluster.memory[node - 1]!.damage({ versionId: manifest.versionId, stripe, index });
    const policy: MovePolicy = { decide: (place) => (place.stripe === stripe && place.index === index ? 'mend' : 'keep') };
    expect(await cluster.mover.move(manifest.versionId, policy, NEVER)).toMatchObject({ shards: 1, unread: 0 });
    const [bytes] = await cluster.memory[node - 1]!.get([{ versionId: manifest.versionId, stripe, index }], NEVER);
    expect(Buffer.compare(bytes as Uint8Array, body[stripe]!)).toBe(0);
    await expectInPlace(cluster, manifest);
  });

  it('does not take a shard away that is to be written anew, be it good or the node one that fails in the middle', async () => {
    const manifest = await cluster.store(slices(5));
    const [first] = await places(cluster, manifest);
    const { stripe, index, node } = first!;
    const id = { versionId: manifest.versionId, stripe, index };
    const policy: MovePolicy = { decide: (place) => (place.stripe === stripe && place.index === index ? 'mend' : 'keep') };
    const [{ calls }, memory] = [cluster.faulty[node - 1]!, cluster.memory[node - 1]!];
    const puts = calls.put;
    expect(await cluster.mover.move(manifest.versionId, policy, NEVER)).toMatchObject({ unplaced: 0, unread: 0 });
    expect([calls.put, calls.delete]).toEqual([puts, 0]);

    memory.damage(id);
    const heal = cluster.faulty[node - 1]!.inject({ on: 'put', effect: { fail: 'unavailable' } });
    expect(await cluster.mover.move(manifest.versionId, policy, NEVER)).toMatchObject({ unplaced: 1 });
    heal();
    expect(calls.delete).toBe(0);
    expect(await memory.check([id], NEVER)).toEqual([expect.objectContaining({ kind: 'corrupt' })]);
  });

  it.each([0, 2, 3])('gives a file of one copy more than R = 1 the copies of R = %d', async (m) => {
    const body = slices(20);
    const manifest = await cluster.store(body);
    await cluster.mover.move(manifest.versionId, { m, decide: () => 'keep' }, NEVER);
    expect((await current(cluster, manifest)).m).toBe(m);
    await expectInPlace(cluster, manifest);
    expect((await cluster.read(await current(cluster, manifest))).equals(Buffer.concat(body))).toBe(true);
  });

  it('leaves a file at its R, and nothing behind, where there are too few nodes for another one', async () => {
    const manifest = await cluster.store(slices(20));
    for (const number of [2, 3]) cluster.registry.setState(number, 'full', {});
    const report = await cluster.mover.move(manifest.versionId, { m: 3, decide: () => 'keep' }, NEVER);
    expect(report.unplaced).toBeGreaterThan(0);
    await cluster.collector.deleteStrays(NEVER);
    expect((await current(cluster, manifest)).m).toBe(1);
    await expectInPlace(cluster, manifest);
  });

  it('drops no copy for a lower R while one that stays cannot be written anew', async () => {
    const manifest = await cluster.store(slices(5));
    const [first] = await places(cluster, manifest);
    const policy: MovePolicy = { m: 0, decide: ({ stripe, index }) => (stripe === 0 && index === 0 ? 'mend' : 'keep') };
    cluster.memory[first!.node - 1]!.damage({ versionId: manifest.versionId, stripe: 0, index: 0 });
    const mend = cluster.faulty[first!.node - 1]!.inject({ on: 'put', effect: { fail: 'unavailable' } });
    const report = await cluster.mover.move(manifest.versionId, policy, NEVER);
    expect(report.unplaced).toBe(1);
    expect((await current(cluster, manifest)).m).toBe(1);
    expect(await places(cluster, manifest)).toHaveLength(10);
    mend();
    await cluster.mover.move(manifest.versionId, policy, NEVER);
    expect((await current(cluster, manifest)).m).toBe(0);
    await expectInPlace(cluster, manifest);
  });

  it('goes round a node that fails', async () => {
    const manifest = await cluster.store(slices(30));
    cluster.faulty[4]!.inject({ on: 'put', effect: { fail: 'unavailable' }, nth: 2 });
    expect(await cluster.mover.move(manifest.versionId, leave(2), NEVER)).toMatchObject({ unplaced: 0 });
    await cluster.collector.deleteStrays(NEVER);
    await cluster.collector.sweep(NEVER);
    await expectInPlace(cluster, manifest);
  });

  it('names what may lie where it failed, also if nothing could be moved', async () => {
    const manifest = await cluster.store(slices(10));
    for (const node of cluster.faulty) node.inject({ on: 'put', effect: { fail: 'unavailable' } });
    const strays: Stray[] = [];
    const mover = cluster.makeMover({ onStrays: (some) => strays.push(...some) });
    const report = await mover.move(manifest.versionId, leave(1), NEVER);
    expect(report).toMatchObject({ unplaced: 4, shards: 0 });
    expect(strays.length).toBeGreaterThanOrEqual(4);
    await expectInPlace(cluster, manifest);
  });

  it('leaves what no node can take where it is, and says so', async () => {
    const manifest = await cluster.store(slices(10));
    for (const number of [3, 4, 5]) cluster.registry.setState(number, 'full', {});
    const before = await places(cluster, manifest);
    const report = await cluster.mover.move(manifest.versionId, leave(1), NEVER);
    const stuck = before.filter(({ node }) => node === 1);
    const shared = stuck.filter(({ stripe }) => before.some((place) => place.stripe === stripe && place.node === 2));
    expect(report.unplaced).toBe(shared.length);
    expect(report.shards).toBe(stuck.length - shared.length);
    await expectInPlace(cluster, manifest);
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
    for (; slice.done !== true; slice = await reading.next()) got.push(Buffer.from(slice.value));
    expect(Buffer.concat(got).equals(Buffer.concat(body))).toBe(true);
  });

  it('is not undone by a walk over the nodes that began before', async () => {
    const manifest = await cluster.store(slices(20));
    // The walk has seen the layout as it was; then comes the move, and what it has put on the node is listed too.
    const list = cluster.memory[2]!.list.bind(cluster.memory[2]);
    cluster.memory[2]!.list = async function* (signal) {
      const [first] = await Array.fromAsync(list(signal));
      yield first!;
      await cluster.mover.move(manifest.versionId, leave(2), NEVER);
      yield* list(signal);
    };
    await cluster.collector.sweep(NEVER);
    cluster.memory[2]!.list = list;
    await expectInPlace(cluster, manifest);
  });

  it('takes back what it copied if the file is deleted or the index fails meanwhile', async () => {
    const kept = await cluster.store(slices(12));
    const failing = cluster.makeMover({ changeFile: () => Promise.reject(new Error('the index fails')) });
    await expect(failing.move(kept.versionId, leave(1), NEVER)).rejects.toThrow('the index fails');
    await cluster.collector.deleteStrays(NEVER);
    await expectInPlace(cluster, kept);
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

  it('leaves what it copied alone as long as it is not known whether the index has it', async () => {
    const manifest = await cluster.store(slices(12));
    const { promise: isMade, resolve } = Promise.withResolvers<boolean>();
    let commit = (): Promise<unknown> => Promise.reject(new Error('nothing was moved'));
    const doubtful = cluster.makeMover({
      stepBytes: Infinity,
      changeFile: (_, work) => {
        commit = () => cluster.records.change((put) => work(put, cluster.sealer));
        return Promise.reject(new OutcomeUnknownError(isMade, undefined));
      },
    });
    await expect(doubtful.move(manifest.versionId, leave(1), NEVER)).rejects.toMatchObject({ code: 'outcome-unknown' });
    await cluster.collector.deleteStrays(NEVER);
    await cluster.collector.sweep(NEVER);
    await commit();
    resolve(true);
    await isMade;
    await cluster.collector.deleteStrays(NEVER);
    await cluster.collector.sweep(NEVER);
    await expectInPlace(cluster, manifest);
  });
});

describe('a node that copies by itself', () => {
  beforeEach(async () => {
    cluster = await Cluster.make({ nodes: 5, redundancy: 2, sliceBytes: SLICE, pulls: true });
  });

  it.each([
    ['has not got the shards', { fail: 'not-found', each: true }],
    ['has other bytes', { fail: 'corrupt', each: true }],
    ['has too few bytes', { truncate: true }],
    ['is gone in that moment', { fail: 'unavailable' }],
  ] as const)('gets them in another way where the first one %s', async (_what, effect) => {
    const body = slices(12);
    const manifest = await cluster.store(body);
    cluster.registry.setState(1, 'down', {});
    for (const node of cluster.faulty) node.inject({ on: 'get', effect, nth: node.calls.get + 1 });
    expect(await cluster.mover.move(manifest.versionId, leave(1), NEVER)).toMatchObject({ unplaced: 0, unread: 0 });
    await expectWhole(manifest, body);
  });

  it('takes one shard for one, also of a coded file, as long as the node is there that is emptied', async () => {
    await cluster.remove();
    cluster = await Cluster.make({ nodes: 6, redundancy: 1, data: 3, sliceBytes: SLICE, pulls: true });
    const body = slices(30);
    const manifest = await cluster.store(body);
    const read: number[] = [];
    for (const node of cluster.faulty) {
      const get = node.get.bind(node);
      node.get = (ids, signal) => {
        read.push(...ids.map(() => node.number));
        return get(ids, signal);
      };
    }
    const { shards } = await cluster.mover.move(manifest.versionId, leave(2), NEVER);
    expect(read).toEqual(Array.from({ length: shards }, () => 2));
    expect((await cluster.read(await current(cluster, manifest))).equals(Buffer.concat(body))).toBe(true);
  });

  it('is never sent to itself, where a lower R drops the copy that it has', async () => {
    await cluster.remove();
    cluster = await Cluster.make({ nodes: 3, redundancy: 2, sliceBytes: SLICE, pulls: true });
    const body = slices(12);
    const manifest = await cluster.store(body);
    const pulls: number[][] = [];
    for (const node of cluster.faulty) {
      const pull = node.pull.bind(node);
      node.pull = (source, copies, signal) => {
        pulls.push([source, node.number]);
        return pull(source, copies, signal);
      };
    }
    // Of three copies the first is to go elsewhere and the last is dropped: only the node of the last can take the first.
    const policy: MovePolicy = { m: 1, decide: ({ index }) => (index === 0 ? 'move' : 'keep') };
    expect(await cluster.mover.move(manifest.versionId, policy, NEVER)).toMatchObject({ shards: 12, unplaced: 0, unread: 0 });
    expect(pulls).not.toEqual([]);
    expect(pulls.filter(([source, target]) => source === target)).toEqual([]);
    expect((await cluster.read(await current(cluster, manifest))).equals(Buffer.concat(body))).toBe(true);
  });

  it('puts them nowhere else if it is full: another node gets them', async () => {
    const body = slices(12);
    const manifest = await cluster.store(body);
    cluster.registry.setState(1, 'down', {});
    cluster.faulty[4]!.inject({ on: 'put', effect: { fail: 'full' } });
    expect(await cluster.mover.move(manifest.versionId, leave(1), NEVER)).toMatchObject({ unread: 0 });
    await expectWhole(manifest, body);
  });

  /** When all nodes are back. */
  async function expectWhole(manifest: Manifest, body: readonly Uint8Array[]): Promise<void> {
    for (const node of cluster.faulty) node.release();
    cluster.registry.setState(1, 'up', {});
    await cluster.collector.sweep(NEVER);
    await expectInPlace(cluster, manifest);
    expect((await cluster.read(await current(cluster, manifest))).equals(Buffer.concat(body))).toBe(true);
  }
});
