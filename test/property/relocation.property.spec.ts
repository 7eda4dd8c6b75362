import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newId, type VersionId } from '../../src/common/ids.js';
import { LmdbMetadataStore } from '../../src/metadata/embedded/lmdb.metadata-store.js';
import type { Manifest, MetadataStore, StoredFile } from '../../src/metadata/metadata-store.js';
import { IndexRebuild } from '../../src/recovery/index-rebuild.js';
import { STRIPES_PER_PAGE } from '../../src/redundancy/layout.js';
import type { ChangeFile } from '../../src/redundancy/repair/move-committer.js';
import type { MovePolicy } from '../../src/redundancy/repair/move-plan.js';
import type { VersionMover } from '../../src/redundancy/repair/version-mover.js';
import { Cluster, NEVER, stream } from '../support/cluster.js';
import { MEMORY_DISK } from '../support/memory-disk.js';

const SLICE = 100;
const NODES = 5;
const ALL = [1, 2, 3, 4, 5];

let cluster: Cluster;

afterEach(async () => {
  await cluster.remove();
});

/** An index that is made from the nodes but some, and what it says. */
async function withRebuilt<Result>(
  missing: ReadonlySet<number>,
  look: (index: MetadataStore) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(MEMORY_DISK, 'dcloud-rebuilt-'));
  const index = await LmdbMetadataStore.open({ directory, clusterId: cluster.clusterId, mayCreate: true });
  try {
    const rebuild = new IndexRebuild({ index, sealer: cluster.sealer, progress: () => undefined, damageMax: 1000 });
    for (const node of cluster.memory) if (!missing.has(node.number)) await rebuild.harvest(node, NEVER);
    expect((await rebuild.finish(NEVER)).incomplete).toEqual([]);
    return await look(index);
  } finally {
    await index.close();
    await rm(directory, { recursive: true });
  }
}

/** A crash: nothing that the process still wanted to do is done. */
class Crash extends Error {}

type CrashPoint = 'copied' | 'recorded' | 'committed';

function crashingMover(point: CrashPoint): VersionMover {
  const changeFile: ChangeFile = async (_id, work) => {
    if (point === 'copied') throw new Crash();
    await cluster.records.change((put) =>
      work(async (draft, signal) => {
        const placed = await put(draft, signal);
        if (point === 'recorded') throw new Crash();
        return placed;
      }, cluster.sealer),
    );
    throw new Crash();
  };
  return cluster.makeMover({ changeFile, onStrays: () => undefined });
}

type Action = 'store' | 'storeSmall' | 'delete' | 'rename' | 'lose' | 'sleep' | 'wake' | 'repair' | 'crash' | 'reshape' | 'sweep';

const action = fc.record({
  kind: fc.constantFrom<Action>(
    'store',
    'storeSmall',
    'delete',
    'rename',
    'lose',
    'lose',
    'sleep',
    'wake',
    'repair',
    'repair',
    'crash',
    'crash',
    'reshape',
    'sweep',
  ),
  pick: fc.nat({ max: 1000 }),
});

/** A life of a cluster with R = 1: never is more than one node lost, or away, that was not repaired. */
class Story {
  readonly bodies = new Map<VersionId, Buffer>();
  /** The node that is gone or away at the moment. */
  down: number | undefined;
  private isLost = false;

  async run(kind: Action, pick: number): Promise<void> {
    await this.actions(pick)[kind]();
  }

  private actions(pick: number): Record<Action, () => Promise<unknown>> {
    return {
      store: () => this.store(2 + (pick % 20)),
      storeSmall: () => this.storeSmall(1 + (pick % SLICE)),
      delete: () =>
        this.withFile(pick, async ({ file, manifest }) => {
          await cluster.delete(file.id);
          for (const { node, shards } of manifest.usage) cluster.placement.release(node, shards);
          this.bodies.delete(file.versionId);
        }),
      rename: () => this.withFile(pick, ({ file }) => cluster.rename(file.id, `name ${pick}`)),
      lose: () => this.goDown(1 + (pick % NODES), true),
      sleep: () => this.goDown(1 + (pick % NODES), false),
      wake: () => this.wake(),
      repair: () => this.repair(),
      crash: () => this.crash(pick),
      reshape: () => this.reshape(1 + (pick % 2)),
      sweep: async () => {
        await cluster.collector.collect(NEVER);
        await cluster.collector.deleteStrays(NEVER);
        await cluster.collector.sweep(NEVER);
      },
    };
  }

  private async store(count: number): Promise<void> {
    const body = Array.from({ length: count }, () => Uint8Array.from(randomBytes(SLICE)));
    const { versionId } = await cluster.store(body);
    this.bodies.set(versionId, Buffer.concat(body));
  }

  private async storeSmall(length: number): Promise<void> {
    const body = Uint8Array.from(randomBytes(length));
    const writer = cluster.writer(newId<VersionId>(), 1);
    writer.ride(body);
    const { versionId } = await cluster.commit(writer, [body]);
    this.bodies.set(versionId, Buffer.from(body));
  }

  /** Only if everything is there; and a crash before must have been repaired, for it may have left a stripe with one copy less. */
  private async goDown(node: number, isLost: boolean): Promise<void> {
    if (this.down !== undefined) return;
    this.down = node;
    this.isLost = isLost;
    if (isLost) {
      cluster.memory[node - 1]!.shards.clear();
      cluster.memory[node - 1]!.records.clear();
    }
    cluster.registry.setState(node, 'down', {});
    await Promise.resolve();
  }

  /** A node that slept is back; one that was lost comes back empty, after the repair. */
  private async wake(): Promise<void> {
    const { down } = this;
    if (down === undefined) return;
    if (this.isLost) await this.repair();
    cluster.registry.setState(down, 'up', {});
    this.down = undefined;
    await cluster.collector.settle(NEVER);
  }

  private policy(): MovePolicy {
    const { down } = this;
    return {
      decide: ({ node }) => (node === down ? 'move' : 'keep'),
      mayTake: (node) => node !== down,
      mayKeepRecord: (node) => node !== down,
    };
  }

  async repair(): Promise<void> {
    for (const { file } of await Array.fromAsync(cluster.metadata.files(NEVER))) {
      const report = await cluster.mover.move(file.versionId, this.policy(), NEVER);
      expect(report).toMatchObject({ isCurrent: true, unplaced: 0, unread: 0 });
    }
  }

  /** A crash in the middle of moving a file away from a node; then a start. */
  private async crash(pick: number): Promise<void> {
    const point = (['copied', 'recorded', 'committed'] as const)[pick % 3]!;
    const from = this.down ?? 1 + (pick % NODES);
    const policy: MovePolicy = {
      decide: ({ node }) => (node === from ? 'move' : 'keep'),
      mayTake: (node) => node !== from,
      mayKeepRecord: (node) => node !== from,
    };
    await this.withFile(pick, async ({ file }) => {
      try {
        await crashingMover(point).move(file.versionId, policy, NEVER);
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
      }
    });
    await cluster.collector.settle(NEVER);
    const usage = new Map((await cluster.metadata.usage(NEVER)).map(({ node, shards }) => [node, shards]));
    for (const node of ALL) cluster.placement.restore(node, usage.get(node) ?? 0);
  }

  private async reshape(m: number): Promise<void> {
    if (this.down !== undefined) return;
    for (const { file } of await Array.fromAsync(cluster.metadata.files(NEVER)))
      await cluster.mover.move(file.versionId, { m, decide: () => 'keep' }, NEVER);
  }

  private async withFile(pick: number, work: (stored: StoredFile) => Promise<unknown>): Promise<void> {
    const files = await Array.fromAsync(cluster.metadata.files(NEVER));
    const stored = files[pick % Math.max(1, files.length)];
    if (stored !== undefined) await work(stored);
  }

  /** Every file that was acknowledged reads back as it was. */
  async expectAll(): Promise<void> {
    const files = await Array.fromAsync(cluster.metadata.files(NEVER));
    expect(files.map(({ file }) => file.versionId).sort()).toEqual([...this.bodies.keys()].sort());
    for (const { file, manifest } of files)
      expect((await cluster.read(manifest)).equals(this.bodies.get(file.versionId)!)).toBe(true);
  }

  /** The same with an index that is made from the nodes that are left. */
  async expectRebuilt(): Promise<void> {
    const expected = await Array.fromAsync(cluster.metadata.files(NEVER));
    const pagesOf = async (index: MetadataStore): Promise<unknown> =>
      Promise.all(expected.map(async ({ file }) => index.readLayout(file.versionId, 0, NEVER)));
    const layouts = await pagesOf(cluster.metadata);
    await withRebuilt(new Set(this.down === undefined ? [] : [this.down]), async (index) => {
      expect(await Array.fromAsync(index.files(NEVER))).toEqual(expected);
      expect(await pagesOf(index)).toEqual(layouts);
    });
  }
}

describe('moving shards', () => {
  it('loses no file, whatever nodes go one after the other with a repair in between, and wherever it crashes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 5, maxLength: 30 }),
        fc.constantFrom(1, 2),
        fc.boolean(),
        async (actions, data, pulls) => {
          cluster = await Cluster.make({ nodes: NODES, redundancy: 1, data, sliceBytes: SLICE, pulls });
          const story = new Story();
          for (const { kind, pick } of actions) {
            await story.run(kind, pick);
            await story.expectAll();
          }
          await story.expectRebuilt();
          await story.repair();
          await story.expectRebuilt();
          // Now any other node may go.
          for (const other of ALL.filter((node) => node !== story.down)) {
            cluster.registry.setState(other, 'down', {});
            await story.expectAll();
            cluster.registry.setState(other, 'up', {});
          }
          // And when all are back, nothing lies where it should not.
          await story.run('wake', 0);
          await story.repair();
          for (let round = 0; round < 3; round += 1) await story.run('sweep', 0);
          const files = await Array.fromAsync(cluster.metadata.files(NEVER));
          const expected = files.flatMap(({ manifest }) => manifest.usage);
          const counts = await cluster.counts();
          expect(counts).toEqual(
            ALL.map((number) => expected.filter(({ node }) => node === number).reduce((sum, { shards }) => sum + shards, 0)),
          );
          const heads = await Promise.all(cluster.memory.map((node) => Array.fromAsync(node.listRecords(NEVER))));
          expect(heads.flat().length).toBe(files.reduce((sum, { manifest }) => sum + manifest.m + 1, 0));
          await cluster.remove();
        },
      ),
      { numRuns: 25 },
    );
    cluster = await Cluster.make({ nodes: 1, redundancy: 0, sliceBytes: SLICE });
  });
});

describe('a layout of several pages', () => {
  const policy: MovePolicy = {
    decide: ({ node }) => (node === 1 ? 'move' : 'keep'),
    mayTake: (node) => node !== 1,
    mayKeepRecord: (node) => node !== 1,
  };

  async function storeLong(): Promise<Manifest> {
    cluster = await Cluster.make({ nodes: 4, redundancy: 1, sliceBytes: 1 });
    const writer = cluster.writer();
    const count = STRIPES_PER_PAGE + 50;
    const body = Array.from({ length: count }, (_, at) => Uint8Array.of(at));
    await writer.write(stream([body]), 3, NEVER);
    return cluster.commit(writer, Array<Uint8Array>(count).fill(Uint8Array.of(0)));
  }

  async function layouts(index: MetadataStore, { versionId }: Manifest): Promise<(Buffer | undefined)[]> {
    return Promise.all(
      [0, 1].map(async (page) => {
        const bytes = await index.readLayout(versionId, page, NEVER);
        return bytes && Buffer.from(bytes);
      }),
    );
  }

  it('is moved page by page, and the nodes know every page as it is, also after a move that was cut short', async () => {
    const manifest = await storeLong();
    const before = await layouts(cluster.metadata, manifest);
    const crashing = crashingMover('recorded');
    await expect(crashing.move(manifest.versionId, policy, NEVER)).rejects.toThrow(Crash);
    // Nobody has taken it back: another change of the file comes, as if the start had not seen the node.
    await cluster.rename(manifest.fileId, 'renamed');
    for (let round = 0; round < 2; round += 1) await cluster.collector.sweep(NEVER);
    expect(await layouts(cluster.metadata, manifest)).toEqual(before);
    await withRebuilt(new Set(), async (index) => expect(await layouts(index, manifest)).toEqual(before));
    cluster.registry.setState(1, 'down', {});
    const mover = cluster.makeMover({ stepBytes: 5000 });
    expect(await mover.move(manifest.versionId, policy, NEVER)).toMatchObject({ unplaced: 0, unread: 0 });
    const after = await layouts(cluster.metadata, manifest);
    expect(after).not.toEqual(before);
    for (const missing of [2, 3, 4])
      await withRebuilt(new Set([1, missing]), async (index) => expect(await layouts(index, manifest)).toEqual(after));
  }, 60_000);
});
