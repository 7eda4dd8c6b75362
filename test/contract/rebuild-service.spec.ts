import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FileId } from '../../src/common/ids.js';
import type { AppConfig } from '../../src/config/app-config.js';
import { ClusterFile } from '../../src/config/cluster-file.js';
import type { ClusterMap } from '../../src/config/cluster-map.js';
import { LIMITS } from '../../src/config/limits.js';
import { LmdbMetadataStore } from '../../src/metadata/embedded/lmdb.metadata-store.js';
import type { NodeSource } from '../../src/nodes/node-source.js';
import type { NodeProgress } from '../../src/recovery/index-rebuild.js';
import { RebuildService, type RebuildResult } from '../../src/recovery/rebuild.service.js';
import { Cluster, NEVER } from '../support/cluster.js';
import { MEMORY_DISK } from '../support/memory-disk.js';

const SLICE = 100;

describe('RebuildService', () => {
  let cluster: Cluster;
  let around: string;

  beforeEach(async () => {
    cluster = await Cluster.make({ nodes: 4, redundancy: 1, sliceBytes: SLICE });
    around = await mkdtemp(join(MEMORY_DISK, 'dcloud-rebuild-'));
  });

  afterEach(async () => {
    await cluster.remove();
    await rm(around, { recursive: true, force: true });
  });

  /** @param onRead told of each batch of records that was read; may end it there */
  function rebuild(
    onRead: (progress: NodeProgress) => void = () => undefined,
    missing: readonly number[] = [],
    lost: readonly number[] = [],
  ): Promise<RebuildResult> {
    const nodes = cluster.memory.map(({ number }) => ({
      nodeId: cluster.clusterId as never,
      ready: true,
      state: 'active' as const,
      ...(lost.includes(number) ? { lostBefore: Date.now() } : {}),
    }));
    const map: ClusterMap = { format: 2, clusterId: cluster.clusterId, term: 2, revision: 1, gateway: 2, redundancy: 1, nodes };
    const config = {
      redundancy_count: 1,
      limits: LIMITS,
      metadata: { directory: join(around, 'index') },
    } as unknown as AppConfig;
    const readable = cluster.memory.filter(({ number }) => !missing.includes(number));
    const source = {
      openForReading: () =>
        Promise.resolve({
          readable: new Map(
            readable.map((node) => [
              node.number,
              Object.create(node, { close: { value: () => Promise.resolve() } }) as typeof node,
            ]),
          ),
          missing: new Map(missing.map((number) => [number, 'not there'])),
        }),
    } as unknown as NodeSource;
    const service = new RebuildService(config, ClusterFile.of(around, map), cluster.sealer, source);
    return service.run({ progress: onRead }, NEVER);
  }

  async function files(): Promise<FileId[]> {
    const index = await LmdbMetadataStore.open({
      directory: join(around, 'index'),
      clusterId: cluster.clusterId,
      mayCreate: false,
    });
    try {
      return (await Array.fromAsync(index.files(NEVER))).map(({ file }) => file.id);
    } finally {
      await index.close();
    }
  }

  it('does not go on with what an interrupted one had read before files were deleted', async () => {
    const slices = [new Uint8Array(SLICE), new Uint8Array(SLICE)];
    await cluster.store(slices);
    await cluster.store(slices);
    const [first, second] = (await Array.fromAsync(cluster.metadata.files(NEVER))).map(({ file }) => file.id) as [FileId, FileId];
    await expect(
      rebuild(() => {
        throw new Error('interrupted');
      }),
    ).rejects.toThrow('interrupted');
    await cluster.delete(first);
    await cluster.collector.collect(NEVER);
    for (let round = 0; round < 3; round += 1) await cluster.collector.sweep(NEVER);
    expect(await Array.fromAsync(cluster.metadata.tombstones(NEVER))).toEqual([]);
    await rebuild();
    expect(await files()).toEqual([second]);
  });

  it('goes on with what an interrupted one had read, if nothing was changed since', async () => {
    await cluster.store([new Uint8Array(SLICE)]);
    await cluster.store([new Uint8Array(SLICE)]);
    const read: number[] = [];
    await expect(
      rebuild(({ node }) => {
        if (read.length === 1) throw new Error('interrupted');
        read.push(node);
      }),
    ).rejects.toThrow('interrupted');
    await rebuild(({ node }) => read.push(node));
    expect(read).toEqual([...new Set(read)]);
    expect(await files()).toHaveLength(2);
  });

  it('counts a node that has not got back what its old disk had as one that is missing', async () => {
    await cluster.store([new Uint8Array(SLICE)]);
    for (const [missing, lost] of [
      [[1], [3]],
      [[], [1, 3]],
    ] as const)
      await expect(rebuild(undefined, missing, lost)).rejects.toMatchObject({
        code: 'not-enough-nodes',
        detail: expect.stringMatching(/2 nodes cannot be read.*node 3: its disk is new/),
      });
    await rebuild(undefined, [3], [3]);
    expect(await files()).toHaveLength(1);
  });

  it('notes also after an interruption what only one of the nodes has', async () => {
    for (let count = 0; count < 12; count += 1) await cluster.store([new Uint8Array(SLICE)]);
    const stored = await Array.fromAsync(cluster.metadata.files(NEVER));
    const { file, manifest } = stored.find(({ manifest: { recordNodes } }) => recordNodes.includes(1))!;
    const other = manifest.recordNodes.find((number) => number !== 1)!;
    const lacking = cluster.memory[other - 1]!;
    const heads = (await Array.fromAsync(lacking.listRecords(NEVER))).filter(({ id }) => id === file.versionId);
    expect(heads).toHaveLength(1);
    await lacking.forget(heads, NEVER);
    await expect(
      rebuild(({ node }) => {
        if (node > 1) throw new Error('interrupted');
      }),
    ).rejects.toThrow('interrupted');
    await rebuild();
    const index = await LmdbMetadataStore.open({
      directory: join(around, 'index'),
      clusterId: cluster.clusterId,
      mayCreate: false,
    });
    try {
      const damage = await Array.fromAsync(index.damage(NEVER));
      expect(damage.map(({ node, shard }) => [node, shard.versionId])).toEqual([[other, file.versionId]]);
    } finally {
      await index.close();
    }
  });
});
