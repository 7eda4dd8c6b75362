import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LIMITS } from '../../src/config/limits.js';
import type { Manifest } from '../../src/metadata/metadata-store.js';
import { reportLayout } from '../../src/redundancy/survival.js';
import { Cluster, type ClusterShape, NEVER } from '../support/cluster.js';
import type { Effect, FaultyStorageNode } from '../support/faulty.storage-node.js';
import type { MemoryStorageNode } from '../support/memory.storage-node.js';

const SLICE = 1000;
/** Longer than any hedge or move of a write may take on a busy machine, and much shorter than what the slow nodes here take. */
const SOON_MS = 4000;
/** Writes that take this long are late: nodes in memory take less, even on a busy machine. */
const QUICK = { ...LIMITS, write_slow_ms_min: 150 };

let cluster: Cluster | undefined;

afterEach(async () => {
  for (const node of cluster?.faulty ?? []) node.release();
  await cluster?.remove();
  cluster = undefined;
});

async function make(shape: Partial<ClusterShape> = {}): Promise<Cluster> {
  cluster = await Cluster.make({ nodes: 4, redundancy: 1, sliceBytes: SLICE, limits: QUICK, ...shape });
  return cluster;
}

function slices(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => Uint8Array.from(randomBytes(SLICE)));
}

function gets(nodes: readonly FaultyStorageNode[]): number {
  return nodes.reduce((sum, { calls }) => sum + calls.get, 0);
}

/** A frozen process that has the request in its socket already: it does what it was asked when it thaws, whoever has left meanwhile. */
function deafen(node: MemoryStorageNode): void {
  const put = node.put.bind(node);
  node.put = (batch) => put(batch, NEVER);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/** Reads until it is known how long reads take. */
async function warm(subject: Cluster, manifest: Manifest): Promise<void> {
  for (let at = 0; at < 30; at += 1) await subject.read(manifest);
}

describe('a read', () => {
  it('is asked of the next copy when a node hangs, once for a stripe, and then of others first', async () => {
    const subject = await make();
    const body = slices(40); // ten batches
    const manifest = await subject.store(body);
    await warm(subject, manifest);
    const [frozen, ...others] = subject.faulty;
    frozen!.inject({ on: 'get', effect: { hang: true } });
    const before = gets(subject.faulty);
    const asked = frozen!.calls.get;
    expect(await timed(async () => expect((await subject.read(manifest)).equals(Buffer.concat(body))).toBe(true))).toBeLessThan(
      SOON_MS,
    );
    const first = frozen!.calls.get - asked;
    // Ten batches of four stripes: each batch asks at most four nodes, and each stripe of the frozen node one more.
    expect(gets(subject.faulty) - before).toBeLessThanOrEqual(40 + 40);
    // Those that were under way at once, and until it counts as slower than others that a busy machine holds up; never each batch.
    expect(first).toBeLessThanOrEqual(3 + 3);
    for (let at = 0; at < 20; at += 1) await subject.read(manifest);
    expect(frozen!.calls.get - asked - first).toBeLessThanOrEqual(3);
    expect(others.every(({ calls }) => calls.get > 0)).toBe(true);
    expect(subject.damaged).toEqual([]);
  });

  it('does not wait for a node that it waits for already when that goes down', async () => {
    const subject = await make({ limits: { ...LIMITS, hedge_burst: 0, hedge_percent: 0 } });
    const body = slices(8);
    const manifest = await subject.store(body);
    for (const node of subject.faulty.slice(0, 1)) node.inject({ on: 'get', effect: { hang: true } });
    const reading = subject.read(manifest);
    setTimeout(() => subject.registry.setState(1, 'down', {}), 100);
    expect((await reading).equals(Buffer.concat(body))).toBe(true);
  });

  it('lets go of the loser', async () => {
    const subject = await make({ nodes: 2 });
    const manifest = await subject.store(slices(1));
    await warm(subject, manifest);
    const slow = subject.faulty.find(({ number }) => number === subject.registry.byReadRank([1, 2])[0])!;
    slow.inject({ on: 'get', effect: { delayMs: 60_000 } });
    await subject.read(manifest);
    await new Promise((resolve) => setImmediate(resolve));
    expect(subject.registry.status(slow.number).inFlight).toBe(0); // it heard its signal
    expect(subject.registry.status(slow.number).state).toBe('up');
  });

  it.each<[string, Effect]>([
    ['wrong bytes', { fail: 'corrupt', each: true }],
    ['missing shards', { fail: 'not-found', each: true }],
    ['short bytes', { truncate: true }],
    ['a reset connection', { fail: 'unavailable' }],
  ])('falls over to a third copy when the first hangs and the second gives %s', async (_, effect) => {
    const subject = await make({ nodes: 3, redundancy: 2 });
    const body = slices(12);
    const manifest = await subject.store(body);
    subject.faulty[0]!.inject({ on: 'get', effect: { hang: true } });
    subject.faulty[1]!.inject({ on: 'get', effect });
    expect(await timed(async () => expect((await subject.read(manifest)).equals(Buffer.concat(body))).toBe(true))).toBeLessThan(
      SOON_MS,
    );
  });

  it('waits for a late node when no other has the bytes, and then serves them', async () => {
    const subject = await make({ nodes: 2 });
    const body = slices(4);
    const manifest = await subject.store(body);
    subject.faulty[0]!.inject({ on: 'get', effect: { delayMs: 600 } });
    subject.faulty[1]!.inject({ on: 'get', effect: { fail: 'corrupt', each: true } });
    expect((await subject.read(manifest)).equals(Buffer.concat(body))).toBe(true);
  });

  it('fails with a reason, and not by waiting, when no copy is left', async () => {
    const subject = await make({ nodes: 2 });
    const manifest = await subject.store(slices(4));
    for (const node of subject.faulty) node.inject({ on: 'get', effect: { fail: 'corrupt', each: true } });
    await expect(subject.read(manifest)).rejects.toMatchObject({ code: 'data-damaged' });
    for (const node of subject.faulty) node.inject({ on: 'get', effect: { fail: 'unavailable' } });
    await expect(subject.read(manifest)).rejects.toMatchObject({ code: 'data-unavailable' });
  });

  it('is asked of others first once a node was late, although that one is not busy', async () => {
    const subject = await make({ nodes: 2 });
    const manifest = await subject.store(slices(1));
    await warm(subject, manifest);
    const slow = subject.faulty.find(({ number }) => number === subject.registry.byReadRank([1, 2])[0])!;
    slow.inject({ on: 'get', effect: { delayMs: 60_000 } });
    const before = slow.calls.get;
    for (let at = 0; at < 20; at += 1) await subject.read(manifest);
    expect(slow.calls.get - before).toBeLessThanOrEqual(3);
  });

  it('is hedged a bounded number of times when every node is late: no load is made of load', async () => {
    const subject = await make({ nodes: 2, limits: { ...LIMITS, hedge_burst: 5, hedge_percent: 10, hedge_ms_max: 20 } });
    const manifest = await subject.store(slices(1));
    for (const node of subject.faulty) node.inject({ on: 'get', effect: { delayMs: 60 } });
    const before = gets(subject.faulty);
    for (let at = 0; at < 10; at += 1) await Promise.all(Array.from({ length: 10 }, () => subject.read(manifest)));
    const hedges = gets(subject.faulty) - before - 100;
    expect(hedges).toBeGreaterThan(0);
    expect(hedges).toBeLessThanOrEqual(5 + 10);
  });
});

describe('a write', () => {
  it('moves to another node when one hangs, is on two others when it is done, and avoids the late one', async () => {
    const subject = await make();
    subject.faulty[0]!.inject({ on: 'put', effect: { hang: true } });
    const bodies = Array.from({ length: 10 }, () => slices(12));
    const first = bodies[0]!;
    let manifest: Manifest | undefined;
    expect(await timed(async () => (manifest = await subject.store(first)))).toBeLessThan(SOON_MS);
    const asked = subject.faulty[0]!.calls.put;
    for (const body of bodies.slice(1)) await subject.store(body);
    expect(subject.faulty[0]!.calls.put).toBe(asked);
    const report = await reportLayout(subject.metadata, manifest!, { isReadable: () => true, placesMax: 100 }, NEVER);
    for (const { nodes } of report.places) {
      expect(new Set(nodes).size).toBe(2);
      expect(nodes).not.toContain(1);
    }
    expect(manifest!.recordNodes).not.toContain(1);
    expect((await subject.read(manifest!)).equals(Buffer.concat(first))).toBe(true);
  });

  it('of which a shard arrives late at a node that was given up leaves nothing there', async () => {
    const subject = await make();
    deafen(subject.memory[0]!);
    subject.faulty[0]!.inject({ on: 'put', effect: { hang: true } });
    const manifest = await subject.store(slices(12));
    subject.faulty[0]!.release();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(subject.memory[0]!.shards.size).toBeGreaterThan(0); // it has arrived
    await subject.collector.deleteStrays(NEVER);
    expect(subject.memory[0]!.shards.size).toBe(0);
    expect(await subject.read(manifest)).toHaveLength(12 * SLICE);
  });

  it('waits for a late node when there is no other', async () => {
    const subject = await make({ nodes: 2 });
    for (const node of subject.faulty) node.inject({ on: 'put', effect: { delayMs: 500 } });
    const manifest = await subject.store(slices(4));
    expect(manifest.usage.map(({ shards }) => shards)).toEqual([4, 4]);
  });

  it('goes back to a late node when the only other one fails', async () => {
    for (const size of [1, 0]) {
      const subject = await make({ nodes: 3 });
      subject.faulty[0]!.inject({ on: 'put', effect: { delayMs: 600 } });
      subject.faulty[1]!.inject({ on: 'put', effect: { delayMs: 300 } });
      subject.faulty[1]!.inject({ on: 'put', effect: { fail: 'unavailable' } });
      const writer = subject.writer();
      if (size === 0) writer.ride(Uint8Array.of(7));
      const manifest = await (size === 0 ? subject.commit(writer, [Uint8Array.of(7)]) : subject.store(slices(size), writer));
      expect(manifest.usage.map(({ node }) => node).sort()).toEqual([1, 3]);
      expect([...manifest.recordNodes].sort()).toEqual([1, 3]);
      for (const node of subject.faulty) node.release();
      await subject.remove();
    }
    cluster = undefined;
  });

  it('waits when all are slow, and does not move about', async () => {
    const subject = await make();
    for (const node of subject.faulty) node.inject({ on: 'put', effect: { delayMs: 400 } });
    for (let at = 0; at < 3; at += 1) await subject.store(slices(4));
    const puts = subject.faulty.reduce((sum, { calls }) => sum + calls.put, 0);
    expect(puts).toBeLessThanOrEqual(3 * (4 + 2) + 8); // without moves, and two for each node
  });

  it('is refused, with nothing kept, when fewer nodes are left than it needs', async () => {
    const subject = await make({ nodes: 3, redundancy: 2 });
    subject.faulty[0]!.inject({ on: 'put', effect: { fail: 'unavailable' } });
    const writer = subject.writer();
    const writing = writer.write(
      (async function* () {
        yield slices(4);
        await Promise.resolve();
      })(),
      3,
      NEVER,
    );
    await expect(writing).rejects.toMatchObject({ code: 'not-enough-nodes' });
    await writer.abandon(NEVER);
    await subject.collector.collect(NEVER);
    await subject.collector.deleteStrays(NEVER);
    expect(await subject.counts()).toEqual([0, 0, 0]);
  });
});

describe('a node that is to be emptied', () => {
  it('is read from, and gets neither shards nor records while there are others', async () => {
    const subject = await make();
    const body = slices(8);
    const manifest = await subject.store(body);
    const [drained] = manifest.recordNodes;
    subject.registry.setDraining(drained!, true);
    const { put } = subject.faulty[drained! - 1]!.calls;
    await subject.store(slices(8));
    await subject.rename(manifest.fileId, 'g');
    expect(subject.faulty[drained! - 1]!.calls.put).toBe(put);
    const renamed = (await subject.metadata.find(manifest.fileId, NEVER))!;
    expect(renamed.manifest.recordNodes).not.toContain(drained);
    expect((await subject.read(renamed.manifest)).equals(Buffer.concat(body))).toBe(true);
    const [, ...rest] = subject.registry.writable();
    for (const number of rest) subject.registry.setState(number, 'down', {});
    await subject.rename(manifest.fileId, 'h'); // better there than not at all
    expect((await subject.metadata.find(manifest.fileId, NEVER))!.manifest.recordNodes).toContain(drained);
  });
});

describe('a record that arrives late at a node that was given up', () => {
  /** Stores a small file of which the record hangs on its way to its first node. */
  async function storeSmall(subject: Cluster): Promise<Manifest> {
    deafen(subject.memory[0]!);
    subject.faulty[0]!.inject({ on: 'put', effect: { hang: true } });
    const writer = subject.writer();
    writer.ride(Uint8Array.of(7));
    const manifest = await subject.commit(writer, [Uint8Array.of(7)]);
    expect(manifest.recordNodes).not.toContain(1);
    return manifest;
  }

  async function headsOn(subject: Cluster, at: number): Promise<number> {
    return (await Array.fromAsync(subject.memory[at]!.listRecords(NEVER))).length;
  }

  it('is of a lower revision than the file, and is forgotten by the walk', async () => {
    const subject = await make();
    const manifest = await storeSmall(subject);
    subject.faulty[0]!.release();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await headsOn(subject, 0)).toBe(1);
    await subject.collector.sweep(NEVER);
    expect(await headsOn(subject, 0)).toBe(0);
    expect((await subject.read(manifest)).equals(Buffer.of(7))).toBe(true);
  });

  it('does not raise the dead: a tombstone stays until the record can come no more', async () => {
    const subject = await make();
    const { fileId } = await storeSmall(subject);
    await subject.delete(fileId);
    for (let at = 0; at < 3; at += 1) await subject.collector.sweep(NEVER);
    expect(await Array.fromAsync(subject.metadata.tombstones(NEVER))).toHaveLength(1);
    subject.faulty[0]!.release();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await headsOn(subject, 0)).toBe(1);
    for (let at = 0; at < 3; at += 1) await subject.collector.sweep(NEVER);
    expect(await Array.fromAsync(subject.metadata.tombstones(NEVER))).toHaveLength(0);
    expect(await Promise.all([0, 1, 2, 3].map((at) => headsOn(subject, at)))).toEqual([0, 0, 0, 0]);
  });
});

describe('whatever goes wrong on at most R nodes', () => {
  const effects: readonly Effect[] = [
    { delayMs: 30 },
    { hang: true },
    { fail: 'unavailable' },
    { fail: 'rejected' },
    { fail: 'corrupt', each: true },
    { truncate: true },
  ];
  const fault = fc.record({
    on: fc.constantFrom('get' as const, 'put' as const),
    effect: fc.constantFrom(...effects),
    odds: fc.constantFrom(0.3, 1),
  });

  it('reads give the right bytes, and what was acknowledged is on R + 1 distinct nodes, or k + R if it is coded', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 }).chain((redundancy) =>
          fc.record({
            redundancy: fc.constant(redundancy),
            data: fc.integer({ min: 1, max: 3 }),
            bad: fc.uniqueArray(fc.integer({ min: 0, max: 4 }), { maxLength: redundancy }),
            faults: fc.array(fault, { minLength: 1, maxLength: 3 }),
            counts: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }),
          }),
        ),
        async ({ redundancy, data, bad, faults, counts }) => {
          // As many as a stripe needs besides those that are bad.
          const subject = await make({ nodes: Math.max(5, data + 2 * redundancy), redundancy, data });
          for (const at of bad) {
            for (const { on, effect, odds } of faults) {
              // A node that stores other bytes than it acknowledges is met when they are read.
              if (on === 'put' && ('truncate' in effect || 'each' in effect)) continue;
              subject.faulty[at]!.inject({ on, effect, odds });
            }
          }
          for (const count of counts) {
            const body = slices(count);
            const manifest = await subject.store(body);
            const report = await reportLayout(subject.metadata, manifest, { isReadable: () => true, placesMax: 100 }, NEVER);
            for (const { stripe, nodes } of report.places) {
              expect(new Set(nodes).size).toBe(data + redundancy);
              const { versionId } = manifest;
              for (const [index, node] of nodes.entries())
                expect((await subject.memory[node - 1]!.get([{ versionId, stripe, index }], NEVER))[0]).toBeInstanceOf(
                  Uint8Array,
                );
            }
            expect((await subject.read(manifest)).equals(Buffer.concat(body))).toBe(true);
          }
          for (const node of subject.faulty) node.release();
          await subject.remove();
        },
      ),
      { numRuns: 20 },
    );
    cluster = undefined;
  });
});
