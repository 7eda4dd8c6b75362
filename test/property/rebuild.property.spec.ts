import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { newId, type FileId, type VersionId } from '../../src/common/ids.js';
import { LmdbMetadataStore } from '../../src/metadata/embedded/lmdb.metadata-store.js';
import type { Manifest, StoredFile } from '../../src/metadata/metadata-store.js';
import { NodeError } from '../../src/nodes/storage-node.js';
import { IndexRebuild } from '../../src/recovery/index-rebuild.js';
import { Cluster, NEVER, stream } from '../support/cluster.js';
import { MEMORY_DISK } from '../support/memory-disk.js';

const SLICE = 100;
const NODES = 4;

let cluster: Cluster;

afterEach(async () => {
  await cluster.remove();
});

/** What an index says that is made from the nodes that are up, but one. */
async function rebuilt(missing: number): Promise<StoredFile[]> {
  return inRebuilt(missing, (index) => Array.fromAsync(index.files(NEVER)));
}

async function inRebuilt<Result>(missing: number, look: (index: LmdbMetadataStore) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(MEMORY_DISK, 'dcloud-rebuilt-'));
  const index = await LmdbMetadataStore.open({ directory, clusterId: cluster.clusterId, mayCreate: true });
  try {
    const rebuild = new IndexRebuild({ index, sealer: cluster.sealer, progress: () => undefined, damageMax: 1000 });
    for (const node of cluster.memory) if (node.number !== missing) await rebuild.harvest(node, NEVER);
    expect((await rebuild.finish(NEVER)).incomplete).toEqual([]);
    return await look(index);
  } finally {
    await index.close();
    await rm(directory, { recursive: true });
  }
}

type Action =
  | 'store'
  | 'storeSmall'
  | 'storeHalf'
  | 'delete'
  | 'deleteHalf'
  | 'rename'
  | 'renameHalf'
  | 'nodeDown'
  | 'nodeUp'
  | 'collect'
  | 'sweep'
  | 'restart';

const action = fc.record({
  kind: fc.constantFrom<Action>(
    'store',
    'storeSmall',
    'storeSmall',
    'storeHalf',
    'delete',
    'delete',
    'deleteHalf',
    'rename',
    'renameHalf',
    'nodeDown',
    'nodeUp',
    'collect',
    'sweep',
    'restart',
  ),
  pick: fc.nat({ max: 1000 }),
});

/** Two changes of one file cut short: a node has a tombstone and a manifest of it, and a start takes both back at the same time. */
const TWO_HALVES = [
  { kind: 'store', pick: 127 },
  { kind: 'store', pick: 0 },
  { kind: 'deleteHalf', pick: 0 },
  { kind: 'nodeDown', pick: 0 },
  { kind: 'deleteHalf', pick: 129 },
  { kind: 'renameHalf', pick: 127 },
  { kind: 'store', pick: 0 },
] as const satisfies readonly { readonly kind: Action; readonly pick: number }[];

/** Does things to a cluster, some of them by half, as a crash would leave them. */
class Story {
  /** Files of which nodes have a change that the index does not have. */
  readonly open = new Set<FileId>();

  async run(kind: Action, pick: number): Promise<void> {
    await this.actions(pick)[kind]();
  }

  private actions(pick: number): Record<Action, () => Promise<unknown>> {
    const { registry, collector } = cluster;
    return {
      store: () => cluster.store(slices(2 + (pick % 4))),
      storeSmall: async () => {
        const writer = cluster.writer();
        writer.ride(new Uint8Array(1 + (pick % SLICE)));
        await cluster.commit(writer, [new Uint8Array(1 + (pick % SLICE))]);
      },
      storeHalf: async () => {
        const body = slices(1 + (pick % 3));
        const writer = cluster.writer();
        await writer.write(stream([body]), 2, NEVER);
        const { file } = await cluster.records.change((put) => cluster.record(writer, body, put));
        this.open.add(file.id);
        writer.leave();
      },
      delete: async () => this.withFile(pick, (id) => cluster.delete(id)),
      deleteHalf: async () => this.withFile(pick, (id) => cluster.deleteHalf(id), true),
      rename: async () => this.withFile(pick, (id) => cluster.rename(id, `name ${pick}`)),
      renameHalf: async () => this.withFile(pick, (id) => cluster.rename(id, `half ${pick}`, true), true),
      nodeDown: async () =>
        Promise.resolve(registry.writable().length === NODES && registry.setState(1 + (pick % NODES), 'down', {})),
      nodeUp: async () => {
        for (const { number } of cluster.memory) registry.setState(number, 'up', {});
        await Promise.resolve();
      },
      collect: () => collector.collect(NEVER),
      sweep: () => collector.sweep(NEVER),
      // Every change so far is over, so what the nodes have more than the index is taken back.
      restart: async () => {
        await collector.settle(NEVER);
        if (registry.writable().length === NODES) this.open.clear();
      },
    };
  }

  private async withFile(pick: number, work: (id: FileId) => Promise<void>, isHalf = false): Promise<void> {
    const files = await Array.fromAsync(cluster.metadata.files(NEVER));
    const id = files[pick % Math.max(1, files.length)]?.file.id;
    if (id === undefined) return;
    await work(id);
    if (isHalf) this.open.add(id);
    else this.open.delete(id);
  }
}

function slices(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => new Uint8Array(SLICE).fill(at));
}

describe('an index that is made from the nodes', () => {
  it('is the one that was lost, whichever node is missing and whatever was cut short or slept through', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
        cluster = await Cluster.make({ nodes: NODES, redundancy: 1, sliceBytes: SLICE });
        const story = new Story();
        for (const { kind, pick } of actions) await story.run(kind, pick);
        // Now, at any moment: of each file that no crash has left in doubt, exactly what the index says.
        const settled = ({ file }: StoredFile): boolean => !story.open.has(file.id);
        const expected = (await Array.fromAsync(cluster.metadata.files(NEVER))).filter(settled);
        const down = cluster.memory.find(({ number }) => cluster.registry.status(number).state === 'down')?.number;
        for (const missing of down === undefined ? [0, 1, 2, 3, 4] : [0, down])
          expect([missing, (await rebuilt(missing)).filter(settled)]).toEqual([missing, expected]);
        // And after a restart with all nodes, of all files, without exception.
        await story.run('nodeUp', 0);
        await story.run('restart', 0);
        const all = await Array.fromAsync(cluster.metadata.files(NEVER));
        for (const missing of [0, 1, 2, 3, 4]) expect([missing, await rebuilt(missing)]).toEqual([missing, all]);
        await cluster.remove();
      }),
      { numRuns: 60, examples: [[[...TWO_HALVES]]] },
    );
    cluster = await Cluster.make({ nodes: 1, redundancy: 0, sliceBytes: SLICE });
  });

  it('comes of nodes that end up with the records of files alone, when all are up', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
        cluster = await Cluster.make({ nodes: NODES, redundancy: 1, sliceBytes: SLICE });
        const story = new Story();
        for (const { kind, pick } of actions) await story.run(kind, pick);
        await story.run('nodeUp', 0);
        for (const kind of ['restart', 'collect', 'sweep', 'sweep', 'sweep'] as const) await story.run(kind, 0);
        const files = await Array.fromAsync(cluster.metadata.files(NEVER));
        const heads = await Promise.all(cluster.memory.map((node) => Array.fromAsync(node.listRecords(NEVER))));
        expect(heads.flat().length).toBe(2 * files.length);
        expect(await Array.fromAsync(cluster.metadata.tombstones(NEVER))).toEqual([]);
        const shards = files.reduce((sum, { manifest }) => sum + 2 * Math.ceil(manifest.sealedSize / SLICE), 0);
        const counts = await cluster.counts();
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(shards);
        await cluster.remove();
      }),
      { numRuns: 40 },
    );
    cluster = await Cluster.make({ nodes: 1, redundancy: 0, sliceBytes: SLICE });
  });
});

describe('while a node sleeps', () => {
  const setState = (number: number, state: 'up' | 'down'): unknown => cluster.registry.setState(number, state, {});

  async function storeSmall(): Promise<Manifest> {
    const writer = cluster.writer();
    writer.ride(Uint8Array.of(7));
    return cluster.commit(writer, [Uint8Array.of(7)]);
  }

  beforeEach(async () => {
    cluster = await Cluster.make({ nodes: NODES, redundancy: 1, sliceBytes: SLICE });
  });

  it('a deletion is remembered until that node has heard of it, and no longer', async () => {
    const { fileId, recordNodes } = await storeSmall();
    setState(recordNodes[0]!, 'down');
    await cluster.delete(fileId);
    await cluster.collector.collect(NEVER);
    for (let round = 0; round < 3; round += 1) await cluster.collector.sweep(NEVER);
    expect(await rebuilt(0)).toEqual([]);
    expect(await Array.fromAsync(cluster.metadata.tombstones(NEVER))).toHaveLength(1);
    setState(recordNodes[0]!, 'up');
    for (let round = 0; round < 3; round += 1) await cluster.collector.sweep(NEVER);
    expect(await Array.fromAsync(cluster.metadata.tombstones(NEVER))).toEqual([]);
    expect(await rebuilt(0)).toEqual([]);
  });

  it('a deletion that a crash cut short, and a rebuild took for done, is on as many nodes as any other after a start', async () => {
    const { fileId } = await storeSmall();
    await cluster.delete(fileId);
    const [tombstone] = await Array.fromAsync(cluster.metadata.tombstones(NEVER));
    const { nodes, revision } = tombstone!;
    const settledIn = (): Promise<number> => inRebuilt(0, (index) => index.settledThrough(NEVER));
    expect(await settledIn()).toBeGreaterThanOrEqual(revision);
    await cluster.memory[nodes[1]! - 1]!.forget([{ kind: 'tombstone', id: fileId, page: 0, revision }], NEVER);
    expect(await settledIn()).toBe(revision - 1);
    await cluster.collector.settle(NEVER);
    const [after] = await Array.fromAsync(cluster.metadata.tombstones(NEVER));
    const key = { kind: 'tombstone', id: fileId, page: 0 } as const;
    const kept = await Promise.all(after!.nodes.map((node) => cluster.memory[node - 1]!.getRecords([key], NEVER)));
    expect(kept.flat()).toEqual([after, after].map((last) => expect.objectContaining({ revision: last!.revision })));
    expect(await settledIn()).toBeGreaterThanOrEqual(after!.revision);
  });

  it('an older tombstone is none, and a node that fails keeps no other one from being settled', async () => {
    const { fileId } = await storeSmall();
    await cluster.delete(fileId);
    const [tombstone] = await Array.fromAsync(cluster.metadata.tombstones(NEVER));
    const { nodes, revision, kekId } = tombstone!;
    const second = cluster.memory[nodes[1]! - 1]!;
    const fails = (): Promise<never> => Promise.reject(new NodeError('unavailable', 'it hangs'));
    const asks = jest.spyOn(second, 'getRecords').mockImplementation(fails);
    await cluster.collector.settle(NEVER);
    expect(asks).toHaveBeenCalled();
    asks.mockRestore();
    expect(await Array.fromAsync(cluster.metadata.tombstones(NEVER))).toEqual([tombstone]);
    await second.forget([{ kind: 'tombstone', id: fileId, page: 0, revision }], NEVER);
    const older = cluster.sealer.tombstone({ fileId, kekId, nodes, revision: revision - 1 });
    await second.put({ shards: [], records: [older] }, NEVER);
    await cluster.collector.settle(NEVER);
    const [after] = await Array.fromAsync(cluster.metadata.tombstones(NEVER));
    expect(after!.revision).toBeGreaterThan(revision);
    const key = { kind: 'tombstone', id: fileId, page: 0 } as const;
    for (const node of after!.nodes)
      expect(await cluster.memory[node - 1]!.getRecords([key], NEVER)).toEqual([
        expect.objectContaining({ revision: after!.revision }),
      ]);
  });

  it('an upload that a crash cut short does not come back with that node', async () => {
    const writer = cluster.writer();
    writer.ride(Uint8Array.of(7));
    const { manifest } = await cluster.records.change((put) => cluster.record(writer, [Uint8Array.of(7)], put));
    writer.leave();
    setState(manifest.recordNodes[0]!, 'down');
    await cluster.collector.settle(NEVER);
    await cluster.collector.sweep(NEVER);
    expect(await rebuilt(0)).toEqual([]);
  });

  it.each([
    ['before this run goes at once', 1000, 0],
    ['in this run stays for as long as it may be under way', -1000, 1],
  ])('an upload of which that node alone has heard, begun %s, when it is back', async (_, aheadMs, left) => {
    await cluster.remove();
    const [hour, runBegan] = [3_600_000, Date.now() + aheadMs];
    cluster = await Cluster.make({ nodes: NODES, redundancy: 1, sliceBytes: SLICE, graceMs: hour, runBegan });
    const writer = cluster.writer();
    writer.ride(Uint8Array.of(7));
    const { manifest } = await cluster.records.change((put) => cluster.record(writer, [Uint8Array.of(7)], put));
    const [sleeper, other] = manifest.recordNodes as [number, number];
    const head = { kind: 'manifest', id: manifest.versionId, page: 0, revision: Number.MAX_SAFE_INTEGER } as const;
    await cluster.memory[other - 1]!.forget([head], NEVER);
    setState(sleeper, 'down');
    await cluster.collector.settle(NEVER);
    setState(sleeper, 'up');
    await cluster.collector.sweep(NEVER);
    expect(await rebuilt(0)).toHaveLength(1); // held: its writer is still at it
    writer.leave();
    await cluster.collector.sweep(NEVER);
    expect(await rebuilt(0)).toHaveLength(left);
  });

  it('a name that was given meanwhile is the one that counts, and the old one goes when it is back', async () => {
    const { fileId, recordNodes } = await storeSmall();
    setState(recordNodes[0]!, 'down');
    await cluster.rename(fileId, 'new');
    setState(recordNodes[0]!, 'up');
    for (const missing of [0, 1, 2, 3, 4]) expect((await rebuilt(missing)).map(({ file }) => file.name)).toEqual(['new']);
    await cluster.collector.sweep(NEVER);
    const heads = await Promise.all(cluster.memory.map((node) => Array.fromAsync(node.listRecords(NEVER))));
    expect(heads.flat()).toHaveLength(2);
  });

  it('no shard goes of a version whose record only that node may have', async () => {
    const body = slices(5);
    const writer = cluster.writer();
    await writer.write(stream([body]), 2, NEVER);
    const { manifest } = await cluster.records.change((put) => cluster.record(writer, body, put));
    writer.leave();
    const [sleeper, other] = manifest.recordNodes as [number, number];
    const head = { kind: 'manifest', id: manifest.versionId, page: 0, revision: Number.MAX_SAFE_INTEGER } as const;
    await cluster.memory[other - 1]!.forget([head], NEVER);
    setState(sleeper, 'down');
    for (let round = 0; round < 2; round += 1) await cluster.collector.sweep(NEVER);
    const shards = async (): Promise<number> => (await cluster.counts()).reduce((sum, count) => sum + count, 0);
    expect(await shards()).toBe(10);
    expect(await rebuilt(0)).toHaveLength(1); // as if it had been acknowledged, and whole
    setState(sleeper, 'up');
    for (let round = 0; round < 2; round += 1) await cluster.collector.sweep(NEVER);
    expect(await shards()).toBe(0);
    expect(await rebuilt(0)).toEqual([]);
  });

  it('nothing is cleaned up on a node that knows more than the index', async () => {
    const { versionId, fileId, recordNodes } = await storeSmall();
    const [first] = recordNodes as [number];
    const far = (await cluster.metadata.revisionCeiling(NEVER)) + 1;
    const orphan = { kind: 'manifest', id: newId<VersionId>(), page: 0, revision: far, fileId, bytes: Uint8Array.of(1) } as const;
    await cluster.memory[first - 1]!.put({ shards: [], records: [orphan] }, NEVER);
    await cluster.collector.sweep(NEVER);
    expect(cluster.ahead).toEqual([first]);
    expect(await cluster.memory[first - 1]!.getRecords([orphan, { ...orphan, id: versionId }], NEVER)).toMatchObject([
      { revision: far },
      { id: versionId },
    ]);
  });
});
