import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { writeBackupFile } from '../../src/backup/backup-file.js';
import { BackupWriter } from '../../src/backup/backup-writer.js';
import type { AppConfig } from '../../src/config/app-config.js';
import { ClusterFile } from '../../src/config/cluster-file.js';
import type { ClusterMap } from '../../src/config/cluster-map.js';
import { LIMITS } from '../../src/config/limits.js';
import { LiveConfig } from '../../src/config/live-config.js';
import { BackupCrypto } from '../../src/crypto/backup-crypto.js';
import { KeyRing } from '../../src/crypto/key-ring.js';
import { VersionCrypto } from '../../src/crypto/version-keys.js';
import { newId, type NodeId } from '../../src/common/ids.js';
import { LmdbMetadataStore } from '../../src/metadata/embedded/lmdb.metadata-store.js';
import type { StoredFile } from '../../src/metadata/metadata-store.js';
import type { NodeSource } from '../../src/nodes/node-source.js';
import { RebuildService } from '../../src/recovery/rebuild.service.js';
import { RestoreCrypto, RestoreService, type RestoreResult } from '../../src/recovery/restore.service.js';
import { STRIPES_PER_PAGE } from '../../src/redundancy/layout.js';
import { Cluster, NEVER } from '../support/cluster.js';
import { MEMORY_DISK } from '../support/memory-disk.js';

const SLICE = 100;

describe('RestoreService', () => {
  let cluster: Cluster;
  let around: string;
  let map: ClusterMap;
  let file: FileHandle | undefined;
  let crypto: RestoreCrypto;

  beforeEach(async () => {
    cluster = await Cluster.make({ nodes: 4, redundancy: 1, sliceBytes: SLICE });
    around = await mkdtemp(join(MEMORY_DISK, 'dcloud-restore-'));
    const nodes = cluster.memory.map(() => ({ nodeId: newId<NodeId>(), ready: true, state: 'active' as const }));
    map = { format: 2, clusterId: cluster.clusterId, term: 2, revision: 1, gateway: 2, redundancy: 1, nodes };
    const keyRing = KeyRing.create(cluster.clusterId, 1);
    crypto = new RestoreCrypto(new BackupCrypto(() => keyRing), new VersionCrypto(() => keyRing));
  });

  afterEach(async () => {
    await file?.close();
    file = undefined;
    await cluster.remove();
    await rm(around, { recursive: true, force: true });
  });

  const config = (): AppConfig =>
    ({ redundancy_count: 1, limits: LIMITS, metadata: { directory: join(around, 'index') } }) as unknown as AppConfig;

  async function backup(): Promise<void> {
    const writer = new BackupWriter(new LiveConfig(config()), ClusterFile.of(around, map), crypto.backups);
    await writeBackupFile({ path: join(around, 'backup'), isReplacing: true }, writer.write(cluster.metadata, NEVER), NEVER);
    file = await open(join(around, 'backup'), 'r');
  }

  function restore(now = map): Promise<RestoreResult> {
    const readable = new Map(
      cluster.memory.map((node) => [
        node.number,
        Object.create(node, { close: { value: () => Promise.resolve() } }) as typeof node,
      ]),
    );
    const source = { openForReading: () => Promise.resolve({ readable, missing: new Map() }) } as unknown as NodeSource;
    const clusterFile = ClusterFile.of(around, now);
    const rebuild = new RebuildService(config(), clusterFile, cluster.sealer, source);
    return new RestoreService(config(), clusterFile, rebuild, crypto).run(file, { progress: () => undefined }, NEVER);
  }

  async function inIndex<Result>(look: (index: LmdbMetadataStore) => Promise<Result>): Promise<Result> {
    const options = { directory: join(around, 'index'), clusterId: cluster.clusterId, mayCreate: false };
    const index = await LmdbMetadataStore.open(options);
    try {
      return await look(index);
    } finally {
      await index.close();
    }
  }

  const filesIn = (index: LmdbMetadataStore): Promise<StoredFile[]> => Array.fromAsync(index.files(NEVER));

  /** Flips a byte of every copy of a record, or of so many. */
  function spoil(kind: string, id: string, max = Infinity): number {
    let spoiled = 0;
    for (const { records } of cluster.memory)
      for (const record of records.values()) {
        if (record.kind !== kind || record.id !== id || spoiled >= max) continue;
        record.bytes[record.bytes.length - 1]! ^= 1;
        spoiled += 1;
      }
    return spoiled;
  }

  it('brings back of the backup what nodes hold and cannot give, and nothing that was changed or deleted since', async () => {
    for (let count = 0; count < 6; count += 1) await cluster.store([new Uint8Array(SLICE).fill(count)]);
    const [damaged, renamed, deleted, buried, ...others] = (await filesIn(cluster.metadata)) as [
      StoredFile,
      StoredFile,
      StoredFile,
      StoredFile,
      ...StoredFile[],
    ];
    await cluster.delete(buried.file.id);
    await backup();
    await cluster.rename(renamed.file.id, 'since');
    await cluster.delete(deleted.file.id);
    const later = await cluster.store([new Uint8Array(SLICE).fill(99)]);
    // No node knows any more of what was deleted.
    await cluster.collector.collect(NEVER);
    for (let round = 0; round < 3; round += 1) await cluster.collector.sweep(NEVER);
    expect(await Array.fromAsync(cluster.metadata.tombstones(NEVER))).toEqual([]);
    expect(spoil('manifest', damaged.file.versionId)).toBe(2);
    const { filled, files } = await restore();
    expect([filled.records, files]).toEqual([1, 5]);
    const found = await inIndex(filesIn);
    expect(found.map(({ file: { id } }) => id).sort()).toEqual(
      [damaged.file.id, renamed.file.id, later.fileId, ...others.map((one) => one.file.id)].sort(),
    );
    expect(found.find(({ file: { id } }) => id === damaged.file.id)).toEqual(damaged);
    expect(found.find(({ file: { id } }) => id === renamed.file.id)?.file.name).toBe('since');
  });

  it('does not count as brought back what another node gave', async () => {
    const { fileId, versionId } = await cluster.store([new Uint8Array(SLICE)]);
    const { versionId: paged } = await cluster.store(Array.from({ length: STRIPES_PER_PAGE + 1 }, () => new Uint8Array(SLICE)));
    const removed = await cluster.store([new Uint8Array(SLICE)]);
    await cluster.delete(removed.fileId);
    await backup();
    expect([spoil('manifest', versionId, 1), spoil('layout', paged, 1), spoil('tombstone', removed.fileId, 1)]).toEqual([
      1, 1, 1,
    ]);
    const { filled, harvests } = await restore();
    expect(harvests.reduce((sum, { damaged }) => sum + damaged, 0)).toBe(3);
    expect(filled.records).toBe(0);
    expect(await inIndex((index) => index.find(fileId, NEVER))).toBeDefined();
  });

  it('lets what was deleted rest, whose tombstone no node can give', async () => {
    const { fileId } = await cluster.store([new Uint8Array(SLICE)]);
    await cluster.delete(fileId);
    await backup();
    const tombstone = (await cluster.metadata.findTombstone(fileId, NEVER))!;
    expect(spoil('tombstone', fileId)).toBe(2);
    expect((await restore()).filled.records).toBe(1);
    expect(await inIndex((index) => index.findTombstone(fileId, NEVER))).toEqual(tombstone);
    expect(await inIndex(filesIn)).toEqual([]);
  });

  it('brings back what the index alone knew: damage that is still there, proofs of disks that are still the same, an unfinished scrub', async () => {
    const manifest = await cluster.store([new Uint8Array(SLICE)]);
    const gone = await cluster.store([new Uint8Array(SLICE)]);
    const { node } = manifest.usage[0]!;
    const [elsewhere] = [1, 2, 3, 4].filter((number) => manifest.usage.every((one) => one.node !== number)) as [number];
    const shard = { versionId: manifest.versionId, stripe: 0, index: 0 };
    const page = (await cluster.metadata.readLayout(manifest.versionId, 0, NEVER))!;
    const index = page[8] === node ? 0 : 1;
    const real = { node, shard: { ...shard, index } };
    const stale = [
      { node: elsewhere, shard },
      { node, shard: { ...shard, stripe: 5 } },
      { node: gone.usage[0]!.node, shard: { ...shard, versionId: gone.versionId } },
    ];
    await cluster.metadata.noteDamage([real, ...stale], 100, NEVER);
    await cluster.metadata.noteProven(1, 1000, NEVER);
    await cluster.metadata.noteProven(2, 2000, NEVER);
    const note = { startedAt: 7, after: manifest.fileId, unproven: [3] };
    await cluster.metadata.noteScrub(note, NEVER);
    await backup();
    await cluster.delete(gone.fileId);
    const nodes = map.nodes.map((one, at) => (at === 1 ? { ...one, nodeId: newId<NodeId>() } : one));
    expect((await restore({ ...map, nodes })).filled).toEqual({ records: 0, damage: 1, proven: 1 });
    await inIndex(async (restored) => {
      expect(await Array.fromAsync(restored.damage(NEVER))).toEqual([real]);
      expect([await restored.provenAt(1, NEVER), await restored.provenAt(2, NEVER)]).toEqual([1000, undefined]);
      expect(await restored.scrubNote(NEVER)).toBeUndefined(); // it would take the new disk for one that it has read
    });
    const larger = [...map.nodes, { nodeId: newId<NodeId>(), ready: true, state: 'active' as const }];
    await restore({ ...map, nodes: larger });
    await inIndex(async (restored) => expect(await restored.scrubNote(NEVER)).toBeUndefined());
    expect((await restore()).filled.proven).toBe(2);
    await inIndex(async (restored) => expect(await restored.scrubNote(NEVER)).toEqual(note));
  });
});
