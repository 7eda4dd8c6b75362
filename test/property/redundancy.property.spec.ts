import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newId, type VersionId } from '../../src/common/ids.js';
import type { Manifest } from '../../src/metadata/metadata-store.js';
import { NodeError } from '../../src/nodes/storage-node.js';
import { reportLayout } from '../../src/redundancy/survival.js';
import type { VersionWriter } from '../../src/redundancy/version-writer.js';
import { Cluster, NEVER, stream } from '../support/cluster.js';

const SLICE = 100;

let cluster: Cluster;

afterEach(async () => {
  await cluster.remove();
});

function slices(count: number, last = SLICE): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => Uint8Array.from(randomBytes(at === count - 1 ? last : SLICE)));
}

describe('writing', () => {
  it('moves the shards of a node that fails to others, keeps stripes on distinct nodes, and leaves nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          nodes: fc.integer({ min: 3, max: 6 }),
          count: fc.integer({ min: 1, max: 30 }),
          failing: fc.nat(),
          nth: fc.integer({ min: 1, max: 4 }),
        }),
        async ({ nodes, count, failing, nth }) => {
          cluster = await Cluster.make({ nodes, redundancy: 1, sliceBytes: SLICE });
          const faulty = cluster.faulty[failing % nodes]!;
          faulty.inject({ on: 'put', effect: { fail: 'unavailable' }, nth });
          const body = slices(count, 1 + (failing % SLICE));
          const manifest = await cluster.store(body);
          expect((await cluster.read(manifest)).equals(Buffer.concat(body))).toBe(true);
          const report = await reportLayout(cluster.metadata, manifest, { isReadable: () => true, placesMax: 1000 }, NEVER);
          expect(report).toMatchObject({ stripes: count, survives: 1 });
          for (const { nodes: row } of report.places) expect(new Set(row).size).toBe(2);
          await cluster.collector.deleteStrays(NEVER);
          const counts = await cluster.counts();
          expect(counts.reduce((sum, shards) => sum + shards, 0)).toBe(2 * count);
          expect(counts).toEqual(
            cluster.memory.map(({ number }) => manifest.usage.find(({ node }) => node === number)?.shards ?? 0),
          );
          expect(counts).toEqual(cluster.memory.map(({ number }) => cluster.placement.files(number)));
          await cluster.remove();
        },
      ),
      { numRuns: 25 },
    );
    cluster = await Cluster.make({ nodes: 1, redundancy: 0, sliceBytes: SLICE });
  });

  it('with too few nodes stores nothing, and what was on its way is deleted even where a node was down', async () => {
    cluster = await Cluster.make({ nodes: 3, redundancy: 1, sliceBytes: SLICE });
    const mend = [1, 2].map((at) => cluster.faulty[at]!.inject({ on: 'put', effect: { fail: 'unavailable' }, nth: 2 }));
    const writer = cluster.writer();
    await expect(writer.write(stream([slices(40)]), 3, NEVER)).rejects.toMatchObject({ code: 'not-enough-nodes' });
    cluster.registry.setState(3, 'down', {});
    await writer.abandon(NEVER);
    expect(await cluster.collector.collect(NEVER)).toBe(1);
    expect((await cluster.counts()).slice(0, 2)).toEqual([0, 0]);
    mend.forEach((undo) => undo());
    cluster.registry.setState(3, 'up', {});
    expect(await cluster.collector.collect(NEVER)).toBe(0);
    expect(await cluster.counts()).toEqual([0, 0, 0]);
    expect([1, 2, 3].map((node) => cluster.placement.files(node))).toEqual([0, 0, 0]);
    expect(await Array.fromAsync(cluster.metadata.garbage(NEVER))).toEqual([]);
  });
});

describe('a shard that reached a node which then failed', () => {
  it('is deleted there, once the file has it elsewhere', async () => {
    cluster = await Cluster.make({ nodes: 3, redundancy: 1, sliceBytes: SLICE });
    const [first] = cluster.memory;
    const put = first!.put.bind(first);
    first!.put = async (batch, signal) => {
      await put(batch, signal);
      first!.put = put;
      throw new NodeError('unavailable', 'the answer was lost');
    };
    const body = slices(3);
    const manifest = await cluster.store(body);
    expect(first!.shards.size).toBeGreaterThan(manifest.usage.find(({ node }) => node === 1)?.shards ?? 0);
    await cluster.collector.deleteStrays(NEVER);
    expect(first!.shards.size).toBe(manifest.usage.find(({ node }) => node === 1)?.shards ?? 0);
    expect((await cluster.read(manifest)).equals(Buffer.concat(body))).toBe(true);
  });
});

describe('reading', () => {
  it('goes on to the end of a version that is deleted meanwhile', async () => {
    cluster = await Cluster.make({ nodes: 3, redundancy: 1, sliceBytes: SLICE });
    const body = slices(5);
    const manifest = await cluster.store(body);
    const release = cluster.holds.hold(manifest.versionId);
    await cluster.delete(manifest.fileId);
    expect(await cluster.collector.collect(NEVER)).toBe(1);
    await cluster.collector.sweep(NEVER);
    expect((await cluster.read(manifest)).equals(Buffer.concat(body))).toBe(true);
    release();
    expect(await cluster.collector.collect(NEVER)).toBe(0);
    expect(await cluster.counts()).toEqual([0, 0, 0]);
  });

  it('survives the loss of any R nodes, by silence, by absence or by lies that checksums show', async () => {
    const kinds = ['unavailable', 'not-found', 'corrupt', 'rejected'] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }).chain((redundancy) =>
          fc.record({
            redundancy: fc.constant(redundancy),
            lost: fc.uniqueArray(fc.integer({ min: 0, max: 4 }), { minLength: redundancy, maxLength: redundancy }),
            kind: fc.constantFrom(...kinds),
            count: fc.integer({ min: 1, max: 20 }),
          }),
        ),
        async ({ redundancy, lost, kind, count }) => {
          cluster = await Cluster.make({ nodes: 5, redundancy, sliceBytes: SLICE });
          const body = slices(count, 17);
          const manifest = await cluster.store(body);
          for (const at of lost)
            cluster.faulty[at]!.inject({ on: 'get', effect: { fail: kind, each: kind === 'corrupt' || kind === 'not-found' } });
          expect((await cluster.read(manifest)).equals(Buffer.concat(body))).toBe(true);
          await cluster.remove();
        },
      ),
      { numRuns: 25 },
    );
    cluster = await Cluster.make({ nodes: 1, redundancy: 0, sliceBytes: SLICE });
  });

  it('asks each node once for a batch when all is well, and none that is down', async () => {
    cluster = await Cluster.make({ nodes: 4, redundancy: 1, sliceBytes: SLICE });
    const body = slices(4);
    const manifest = await cluster.store(body);
    cluster.registry.setState(1, 'down', {});
    for (const node of cluster.faulty) node.calls.get = 0;
    await cluster.read(manifest);
    expect(cluster.faulty[0]!.calls.get).toBe(0);
    expect(cluster.faulty.reduce((sum, { calls }) => sum + calls.get, 0)).toBeLessThanOrEqual(3);
  });
});

type Action =
  'upload' | 'commit' | 'abandon' | 'delete' | 'hold' | 'letGo' | 'nodeDown' | 'nodeUp' | 'collect' | 'sweep' | 'crash';

describe('the collector', () => {
  it('never touches a shard that is needed, and leaves none that is not', async () => {
    const action = fc.record({
      kind: fc.constantFrom<Action>(
        'upload',
        'upload',
        'commit',
        'commit',
        'abandon',
        'delete',
        'hold',
        'letGo',
        'nodeDown',
        'nodeUp',
        'collect',
        'sweep',
        'crash',
      ),
      pick: fc.nat({ max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
        cluster = await Cluster.make({ nodes: 4, redundancy: 1, sliceBytes: SLICE });
        const model = new CollectorModel(cluster);
        for (const { kind, pick } of actions) await model.run(kind, pick);
        await model.settle();
        await cluster.remove();
      }),
      { numRuns: 40 },
    );
    cluster = await Cluster.make({ nodes: 1, redundancy: 0, sliceBytes: SLICE });
  });
});

/** What the store should hold: committed versions readable at any time, and in the end nothing else. */
class CollectorModel {
  private readonly open: { writer: VersionWriter; body: readonly Uint8Array[] }[] = [];
  private readonly files: { manifest: Manifest; body: Buffer }[] = [];
  private readonly held: { manifest: Manifest; body: Buffer; release: () => void }[] = [];

  constructor(private readonly subject: Cluster) {}

  async run(kind: Action, pick: number): Promise<void> {
    await this.actions(pick)[kind]();
    for (const { manifest, body } of [...this.files, ...this.held])
      expect((await this.subject.read(manifest)).equals(body)).toBe(true);
  }

  async settle(): Promise<void> {
    for (const { release } of this.held.splice(0)) release();
    for (const { writer } of this.open.splice(0)) await writer.abandon(NEVER);
    for (const { number } of this.subject.memory) this.subject.registry.setState(number, 'up', {});
    await this.subject.collector.deleteStrays(NEVER);
    expect(await this.subject.collector.collect(NEVER)).toBe(0);
    await this.subject.collector.sweep(NEVER);
    const needed = this.files.reduce((sum, { manifest }) => sum + 2 * Math.ceil(manifest.sealedSize / SLICE), 0);
    expect((await this.subject.counts()).reduce((sum, count) => sum + count, 0)).toBe(needed);
  }

  private actions(pick: number): Record<Action, () => Promise<unknown>> {
    const { registry, collector, holds } = this.subject;
    return {
      upload: async () => {
        const body = slices(1 + (pick % 5), 1 + (pick % SLICE));
        const writer = this.subject.writer(newId<VersionId>());
        await writer.write(stream([body]), 2, NEVER);
        this.open.push({ writer, body });
      },
      commit: async () => {
        const [next] = this.open.splice(pick % Math.max(1, this.open.length), 1);
        if (next === undefined) return;
        const manifest = await this.subject.commit(next.writer, next.body);
        this.files.push({ manifest, body: Buffer.concat(next.body) });
      },
      abandon: async () => this.open.splice(pick % Math.max(1, this.open.length), 1)[0]?.writer.abandon(NEVER),
      delete: async () => {
        const [gone] = this.files.splice(pick % Math.max(1, this.files.length), 1);
        if (gone !== undefined) await this.subject.delete(gone.manifest.fileId);
      },
      hold: async () => {
        const file = this.files[pick % Math.max(1, this.files.length)];
        if (file !== undefined) this.held.push({ ...file, release: holds.hold(file.manifest.versionId) });
      },
      letGo: async () => this.held.splice(pick % Math.max(1, this.held.length), 1)[0]?.release(),
      // One at a time, so that with R = 1 all stays readable and writable.
      nodeDown: async () => registry.writable().length === 4 && registry.setState(1 + (pick % 4), 'down', {}),
      nodeUp: async () => this.subject.memory.forEach(({ number }) => registry.setState(number, 'up', {})),
      collect: () => collector.collect(NEVER),
      sweep: () => collector.sweep(NEVER),
      crash: async () => this.open.splice(pick % Math.max(1, this.open.length), 1)[0]?.writer.committed(), // lets go without a commit
    };
  }
}
