import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newId, type VersionId } from '../../src/common/ids.js';
import type { Manifest } from '../../src/metadata/metadata-store.js';
import { reportLayout } from '../../src/redundancy/survival.js';
import { Cluster, NEVER, wholeOf, stream } from '../support/cluster.js';

const SLICE = 64;

let cluster: Cluster | undefined;

afterAll(async () => {
  await cluster?.remove(); // of a property that failed
});

/** A store, the shape of its stripes, a body, and what happens to as many nodes as it survives. */
const story = fc
  .record({ k: fc.integer({ min: 2, max: 6 }), m: fc.integer({ min: 1, max: 3 }), spare: fc.integer({ min: 0, max: 2 }) })
  .chain(({ k, m, spare }) =>
    fc.record({
      k: fc.constant(k),
      m: fc.constant(m),
      nodes: fc.constant(k + m + spare),
      bytes: fc.oneof(
        fc.integer({ min: 1, max: 20 * SLICE }),
        fc.integer({ min: 1, max: 4 * k }).map((slices) => slices * SLICE),
      ),
      lost: fc.uniqueArray(fc.integer({ min: 0, max: k + m + spare - 1 }), { minLength: m, maxLength: m }),
      kind: fc.constantFrom('unavailable', 'not-found', 'corrupt', 'rejected'),
      from: fc.nat(),
      end: fc.nat(),
    }),
  );

function slicesOf(body: Buffer): Uint8Array[] {
  return Array.from({ length: Math.ceil(body.length / SLICE) }, (_, at) => body.subarray(at * SLICE, (at + 1) * SLICE));
}

async function readSlices(manifest: Manifest, first: number, end: number): Promise<Buffer> {
  return wholeOf(cluster!.reader.read(manifest, { first, end }, { width: 2, avoid: new Set() }, NEVER));
}

describe('erasure coded versions of any shape and size', () => {
  it('survive the loss of any m nodes, whole and in ranges, and lie on distinct nodes', async () => {
    await fc.assert(
      fc.asyncProperty(story, async ({ k, m, nodes, bytes, lost, kind, from, end }) => {
        cluster = await Cluster.make({ nodes, redundancy: m, data: k, sliceBytes: SLICE });
        const body = randomBytes(bytes);
        const manifest = await cluster.store(slicesOf(body));
        const report = await reportLayout(cluster.metadata, manifest, { isReadable: () => true, placesMax: 100 }, NEVER);
        expect(report).toMatchObject({ stripes: Math.ceil(bytes / SLICE / k), survives: m });
        for (const { nodes: row } of report.places) expect(new Set(row).size).toBe(k + m);
        for (const at of lost)
          cluster.faulty[at]!.inject({ on: 'get', effect: { fail: kind, each: kind === 'corrupt' || kind === 'not-found' } });
        expect((await cluster.read(manifest)).equals(body)).toBe(true);
        const slices = Math.ceil(bytes / SLICE);
        const first = from % slices;
        const last = first + 1 + (end % (slices - first));
        expect((await readSlices(manifest, first, last)).equals(body.subarray(first * SLICE, last * SLICE))).toBe(true);
        await cluster.remove();
        cluster = undefined;
      }),
      { numRuns: 40 },
    );
  });

  it('move the shards of a node that fails while they are written, and leave nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(story, fc.integer({ min: 1, max: 3 }), async ({ k, m, bytes, lost }, nth) => {
        cluster = await Cluster.make({ nodes: k + m + 1, redundancy: m, data: k, sliceBytes: SLICE });
        cluster.faulty[lost[0]! % (k + m + 1)]!.inject({ on: 'put', effect: { fail: 'unavailable' }, nth });
        const body = randomBytes(bytes);
        const manifest = await cluster.store(slicesOf(body));
        expect((await cluster.read(manifest)).equals(body)).toBe(true);
        await cluster.collector.deleteStrays(NEVER);
        const stripes = Math.ceil(bytes / SLICE / k);
        expect((await cluster.counts()).reduce((sum, shards) => sum + shards, 0)).toBe((k + m) * stripes);
        await cluster.delete(manifest.fileId);
        await cluster.collector.collect(NEVER);
        expect((await cluster.counts()).every((shards) => shards === 0)).toBe(true);
        await cluster.remove();
        cluster = undefined;
      }),
      { numRuns: 20 },
    );
  });

  it('are repaired after m nodes were lost, several shards of a stripe at once, and then survive m more', async () => {
    await fc.assert(
      fc.asyncProperty(story, async ({ k, m, bytes, lost, nodes }) => {
        cluster = await Cluster.make({ nodes: nodes + m, redundancy: m, data: k, sliceBytes: SLICE });
        const body = randomBytes(bytes);
        const { versionId } = await cluster.store(slicesOf(body));
        for (const at of lost) {
          cluster.memory[at]!.shards.clear();
          cluster.memory[at]!.records.clear();
          cluster.registry.setState(at + 1, 'down', {});
        }
        const isLost = (node: number): boolean => lost.includes(node - 1);
        const report = await cluster.mover.move(
          versionId,
          {
            decide: ({ node }) => (isLost(node) ? 'move' : 'keep'),
            mayTake: (node) => !isLost(node),
            mayKeepRecord: (node) => !isLost(node),
          },
          NEVER,
        );
        expect(report).toMatchObject({ isCurrent: true, unplaced: 0, unread: 0 });
        const { manifest } = (await cluster.metadata.findByVersion(versionId, NEVER))!;
        const layout = await reportLayout(
          cluster.metadata,
          manifest,
          { isReadable: ({ node }) => !isLost(node), placesMax: 0 },
          NEVER,
        );
        expect(layout.survives).toBe(m);
        const others = cluster.memory.map(({ number }) => number).filter((node) => !isLost(node));
        for (const node of others.slice(0, m)) cluster.faulty[node - 1]!.inject({ on: 'get', effect: { fail: 'unavailable' } });
        expect((await cluster.read(manifest)).equals(body)).toBe(true);
        await cluster.remove();
        cluster = undefined;
      }),
      { numRuns: 20 },
    );
  });

  it('are refused where fewer than k + m nodes are left, and nothing of them stays', async () => {
    cluster = await Cluster.make({ nodes: 5, redundancy: 2, data: 3, sliceBytes: SLICE });
    const mend = cluster.faulty[1]!.inject({ on: 'put', effect: { fail: 'unavailable' }, nth: 2 });
    const writer = cluster.writer();
    await expect(writer.write(stream([slicesOf(randomBytes(40 * SLICE))]), 2, NEVER)).rejects.toMatchObject({
      code: 'not-enough-nodes',
    });
    mend();
    await writer.abandon(NEVER);
    await cluster.collector.deleteStrays(NEVER);
    expect(await cluster.collector.collect(NEVER)).toBe(0);
    expect(await cluster.counts()).toEqual([0, 0, 0, 0, 0]);
    await cluster.remove();
    cluster = undefined;
  });

  it('read other ways when bytes lie, without the nodes that lied', async () => {
    cluster = await Cluster.make({ nodes: 6, redundancy: 2, data: 4, sliceBytes: SLICE });
    const body = randomBytes(3 * 4 * SLICE);
    const manifest = await cluster.store(slicesOf(body));
    // Two nodes give other bytes of the right length, with checksums that fit.
    for (const node of cluster.memory.slice(0, 2)) {
      const get = node.get.bind(node);
      node.get = async (ids, signal) =>
        (await get(ids, signal)).map((answer) => (answer instanceof Uint8Array ? randomBytes(answer.length) : answer));
    }
    let isRight = false;
    for await (const slices of cluster.reader.readings(manifest, { first: 0, end: 12 }, NEVER)) {
      isRight = (await wholeOf(slices)).equals(body);
      if (isRight) break;
    }
    expect(isRight).toBe(true);
    await cluster.remove();
    cluster = undefined;
  });

  it('are read without waiting for nodes that hang, from one shard more for each', async () => {
    cluster = await Cluster.make({ nodes: 6, redundancy: 2, data: 4, sliceBytes: SLICE });
    const body = randomBytes(9 * 4 * SLICE);
    const manifest = await cluster.store(slicesOf(body));
    for (let at = 0; at < 30; at += 1) await cluster.read(manifest); // it is known then how long reads take
    for (const node of cluster.faulty.slice(0, 2)) node.inject({ on: 'get', effect: { hang: true } });
    const begin = performance.now();
    expect((await cluster.read(manifest)).equals(body)).toBe(true);
    expect(performance.now() - begin).toBeLessThan(4000);
    for (const node of cluster.faulty) node.release();
    await cluster.remove();
    cluster = undefined;
  });

  it('are read from their data slices alone when all is well', async () => {
    cluster = await Cluster.make({ nodes: 6, redundancy: 2, data: 4, sliceBytes: SLICE });
    const body = randomBytes(4 * SLICE);
    const manifest = await cluster.store(slicesOf(body), cluster.writer(newId<VersionId>()));
    for (const node of cluster.faulty) node.calls.get = 0;
    expect((await readSlices(manifest, 1, 3)).equals(body.subarray(SLICE, 3 * SLICE))).toBe(true);
    expect(cluster.faulty.reduce((sum, { calls }) => sum + calls.get, 0)).toBe(2);
    await cluster.remove();
    cluster = undefined;
  });
});
