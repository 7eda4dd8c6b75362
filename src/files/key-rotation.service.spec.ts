import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NEVER, makeCreation } from '../../test/support/metadata-fixtures.js';
import { MemoryStorageNode } from '../../test/support/memory.storage-node.js';
import { newId, type ClusterId, type VersionId } from '../common/ids.js';
import type { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { LiveConfig } from '../config/live-config.js';
import { changeKeyRing, createKeyRing } from '../crypto/key-ring-file.js';
import { KeyRingHolder } from '../crypto/key-ring.holder.js';
import { RecordCrypto } from '../crypto/record-crypto.js';
import { VersionCrypto } from '../crypto/version-keys.js';
import { LmdbMetadataStore } from '../metadata/embedded/lmdb.metadata-store.js';
import type { NodeRecord } from '../nodes/storage-node.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { Placement } from '../placement/placement.js';
import { RecordSealer } from '../records/record-sealer.js';
import { NodeWriter } from '../redundancy/node-writer.js';
import { RecordStore } from '../redundancy/record-store.js';
import { AmendService } from './amend.service.js';
import { FileChanges } from './file-changes.js';
import { KeyRotationService } from './key-rotation.service.js';
import { KeyUse } from './key-use.js';
import { MEMORY_DISK } from '../../test/support/memory-disk.js';

/** As many rows as the service reads at once, or more: damaged ones in front of good ones. */
const PAGE = 200;

let directory: string;
let path: string;
let store: LmdbMetadataStore;
let keys: KeyRingHolder;
let crypto: VersionCrypto;
let keyUse: KeyUse;
let sealer: RecordSealer;
let amends: AmendService;
let service: KeyRotationService;
let log: { readonly level: string; readonly fields: Record<string, unknown>; readonly text: string }[];

beforeEach(async () => {
  log = [];
  const note =
    (level: string) =>
    (fields: Record<string, unknown>, text: string): unknown =>
      log.push({ level, fields, text });
  Logger.overrideLogger({ log: note('log'), warn: note('warn'), error: note('error') });
  directory = mkdtempSync(join(MEMORY_DISK, 'key-rotation-'));
  path = join(directory, 'key-ring.json');
  const clusterId = newId<ClusterId>();
  createKeyRing(path, clusterId, 7);
  store = await LmdbMetadataStore.open({ directory: join(directory, 'index'), clusterId, mayCreate: true });
  keys = new KeyRingHolder(path, clusterId, { watchMs: 20, retryMs: 50 });
  crypto = new VersionCrypto(() => keys.current());
  keyUse = new KeyUse();
  const registry = new NodeRegistry([1, 2, 3, 4].map((number) => new MemoryStorageNode(number)));
  for (const { number } of registry.nodes) registry.setState(number, 'up', {});
  const writer = new NodeWriter(registry, LIMITS.write_slow_ms_min);
  const changes = new FileChanges(new RecordStore({ registry, placement: new Placement(), metadata: store, writer }));
  sealer = new RecordSealer(new RecordCrypto(clusterId, () => keys.current()));
  amends = new AmendService(new LiveConfig({ redundancy_count: 1 } as AppConfig), changes, sealer, keyUse);
  service = new KeyRotationService(amends, crypto, keys, keyUse);
});
afterEach(async () => {
  await service.beforeApplicationShutdown();
  await store.close();
  Logger.overrideLogger(false);
  rmSync(directory, { recursive: true });
});

/** Commits a version whose key is wrapped by the active key, or with damage. Later ones lie behind: their ids grow. */
async function addVersion(isDamaged = false): Promise<VersionId> {
  const creation = makeCreation('a file', { kekId: keys.current().active });
  const { manifest } = creation;
  const { sealer, finishSeal } = crypto.seal(manifest.fileId, manifest.versionId);
  sealer.finish();
  const seal = isDamaged ? manifest.seal : finishSeal(new Uint8Array(32));
  await store.commit({ ...creation, manifest: { ...manifest, seal } }, NEVER);
  return manifest.versionId;
}

/** Makes another key of the ring the active one, as by hand. */
function activate(id: string): void {
  const ring = JSON.parse(readFileSync(path, 'utf8')) as { active: string; keys: { id: string; state: string }[] };
  ring.active = id;
  for (const key of ring.keys) key.state = key.id === id ? 'active' : 'decrypt-only';
  writeFileSync(path, JSON.stringify(ring));
}

/** What a record says; undefined for what nobody has deleted yet and nobody can read any more. */
function openIfKnown(record: NodeRecord): unknown {
  try {
    return sealer.open(record);
  } catch (error) {
    expect(error).toMatchObject({ code: 'key-missing' });
    return undefined;
  }
}

const isOf = (record: unknown, kind: string): boolean => (record as { kind: string } | undefined)?.kind === kind;
const rotate = (): unknown => changeKeyRing(path, (keyRing) => keyRing.withNewActiveKey(8));
const idsOf = (): string =>
  keys
    .current()
    .keys.map(({ id }) => id)
    .join();
const lines = (part: string): typeof log => log.filter(({ text }) => text.includes(part));

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 8000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`it did not come: ${JSON.stringify(log)}`);
    await sleep(10);
  }
}

describe('KeyRotationService', () => {
  it('wraps all versions anew and drops the old key', async () => {
    for (let at = 0; at < 5; at += 1) await addVersion();
    service.onApplicationBootstrap();
    rotate();
    await until(() => idsOf() === 'k2');
    await until(() => log.length > 0);
    expect(log).toEqual([{ level: 'log', fields: { key: 'k1', versions: 5 }, text: expect.stringContaining('retired') }]);
    expect(await store.wrappedBy('k2', 10, NEVER)).toHaveLength(5);
  });

  it('seals what the nodes keep of files and of deleted ones anew, before the key goes', async () => {
    const versionId = await addVersion();
    await addVersion();
    const [kept, gone] = await Array.fromAsync(store.files(NEVER));
    await amends.remove(gone!.file.id, { owner: gone!.file.owner }, NEVER);
    service.onApplicationBootstrap();
    rotate();
    await until(() => idsOf() === 'k2');
    const nodes = amends.records.parts.registry.nodes;
    const opened: unknown[] = [];
    for (const node of nodes) {
      const heads = await Array.fromAsync(node.listRecords(NEVER));
      for (const record of await node.getRecords(heads, NEVER)) opened.push(openIfKnown(record as NodeRecord));
    }
    const { file, manifest } = (await store.findByVersion(versionId, NEVER))!;
    expect(file.id).toBe(kept!.file.id);
    expect(manifest.seal.kekId).toBe('k2');
    const tombstone = await store.findTombstone(gone!.file.id, NEVER);
    expect(tombstone?.kekId).toBe('k2');
    expect(opened.filter((record) => isOf(record, 'file'))).toEqual(
      [1, 4].map(() => ({ kind: 'file', file, manifest, lastPage: { page: 0, bytes: Uint8Array.of(1, 2, 3) } })),
    );
    expect(opened).toContainEqual({ kind: 'tombstone', tombstone });
  });

  it('passes over versions that do not open, reaches those behind them, and keeps the key', async () => {
    const damaged: VersionId[] = [];
    for (let at = 0; at < PAGE + 1; at += 1) damaged.push(await addVersion(true));
    for (let at = 0; at < 3; at += 1) await addVersion();
    rotate();
    service.onApplicationBootstrap();
    await until(() => lines('stays in the key ring').length > 0);
    expect(lines('stays in the key ring')[0]).toMatchObject({ level: 'error', fields: { key: 'k1', versions: PAGE + 1 } });
    expect(idsOf()).toBe('k1,k2');
    expect(await store.wrappedBy('k2', 10, NEVER)).toHaveLength(3);
    const told = lines('does not open and').map(({ fields }) => fields);
    expect(told).toHaveLength(damaged.length);
    expect(new Set(told)).toEqual(new Set(damaged.map((versionId) => ({ versionId }))));
  });

  it('retires other keys though one cannot be', async () => {
    await addVersion(true);
    service.onApplicationBootstrap();
    rotate();
    await until(() => keys.current().active === 'k2');
    await addVersion();
    rotate();
    await until(() => idsOf() === 'k1,k3');
    expect(await store.wrappedBy('k3', 10, NEVER)).toHaveLength(1);
  });

  it('retires a key that a rotation replaced while it was at work', async () => {
    await addVersion(true);
    service.onApplicationBootstrap();
    const wrappedBy = store.wrappedBy.bind(store);
    store.wrappedBy = async (...call) => {
      store.wrappedBy = wrappedBy;
      rotate();
      await until(() => keys.current().active === 'k3');
      return wrappedBy(...call);
    };
    rotate();
    await until(() => idsOf() === 'k1,k3');
  });

  it('waits no longer for a key that is the active one again', async () => {
    service.onApplicationBootstrap();
    const commit = Promise.withResolvers<undefined>();
    const committing = keyUse.during('k1', () => commit.promise);
    rotate();
    await until(() => keys.current().active === 'k2');
    await addVersion();
    activate('k1');
    await until(() => idsOf() === 'k1');
    expect(await store.wrappedBy('k1', 10, NEVER)).toHaveLength(1);
    commit.resolve(undefined);
    await committing;
  });

  it('ends in the middle when the key is the active one again', async () => {
    await addVersion();
    const wrappedBy = store.wrappedBy.bind(store);
    let calls = 0;
    store.wrappedBy = async (...call) => {
      if ((calls += 1) === 1) {
        activate('k1');
        await until(() => keys.current().active === 'k1');
      }
      return wrappedBy(...call);
    };
    rotate();
    service.onApplicationBootstrap();
    await until(() => idsOf() === 'k1');
    await sleep(100);
    expect(calls).toBe(2); // that one, and one for k2, by which nothing is wrapped
    expect(lines('failed')).toEqual([]);
  });

  it('stops while commits by an old key are under way', async () => {
    rotate();
    const commit = Promise.withResolvers<undefined>();
    const committing = keyUse.during('k1', () => commit.promise);
    service.onApplicationBootstrap();
    await sleep(50);
    await service.beforeApplicationShutdown();
    expect(idsOf()).toBe('k1,k2');
    commit.resolve(undefined);
    await committing;
  });

  it('says what is wrong with the file of the key ring', async () => {
    service.onApplicationBootstrap();
    await sleep(200);
    rmSync(path);
    await until(() => lines('the keys in use stay').length > 0);
    expect(lines('the keys in use stay')[0]?.fields['err']).toMatchObject({ code: 'storage-missing' });
  });
});
