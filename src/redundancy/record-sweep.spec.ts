import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Cluster, NEVER, stream } from '../../test/support/cluster.js';
import { newId, type FileId } from '../common/ids.js';
import type { Manifest } from '../metadata/metadata-store.js';
import type { RecordHead } from '../nodes/storage-node.js';

const SLICE = 16;

let cluster: Cluster;

beforeEach(async () => {
  cluster = await Cluster.make({ nodes: 2, redundancy: 1, sliceBytes: SLICE });
});

afterEach(async () => {
  await cluster.remove();
});

function store(): Promise<Manifest> {
  return cluster.store([new Uint8Array(SLICE)]);
}

async function sweep(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) await cluster.collector.sweep(NEVER);
}

/** The revisions of the tombstones on each node. */
async function buried(): Promise<readonly (readonly number[])[]> {
  const heads = await Promise.all(cluster.memory.map((node) => Array.fromAsync<RecordHead>(node.listRecords(NEVER))));
  return heads.map((kept) => kept.filter(({ kind }) => kind === 'tombstone').map(({ revision }) => revision));
}

describe('tombstones go while an older file is read', () => {
  async function deleteBeside({ versionId }: Manifest): Promise<void> {
    const { fileId } = await store();
    cluster.holds.hold(versionId);
    await cluster.delete(fileId);
    await cluster.collector.collect(NEVER);
    await sweep(2);
    expect(await Array.fromAsync(cluster.metadata.tombstones(NEVER))).toEqual([]);
    expect(await buried()).toEqual([[], []]);
  }

  it('a small one', async () => {
    const read = await store();
    await deleteBeside(read);
    expect((await cluster.read(read)).length).toBe(SLICE);
  });

  it('one with a page of its layout as its upload put it', async () => {
    const read = await store();
    const owner = { fileId: read.fileId, versionId: read.versionId, kekId: 'k1', revision: 1 };
    const page = cluster.sealer.page(owner, { page: 0, bytes: new Uint8Array(8) }); // a file that has one takes seconds to store
    for (const node of cluster.memory) await node.put({ shards: [], records: [page] }, NEVER);
    await deleteBeside(read);
    for (const node of cluster.memory) expect(await node.getRecords([page], NEVER)).toMatchObject([{ revision: 1 }]);
  });

  it('but not while it is this one that is', async () => {
    const { fileId, versionId } = await store();
    const release = cluster.holds.hold(versionId);
    await cluster.delete(fileId);
    await cluster.collector.collect(NEVER);
    await sweep(2);
    expect((await buried()).flat()).toHaveLength(2);
    release();
    await cluster.collector.collect(NEVER);
    await sweep(2);
    expect((await buried()).flat()).toEqual([]);
  });
});

it('keeps the record of an upload that is committed, and lets go of its version, while the walk asks for it', async () => {
  const { records, metadata, memory, collector } = cluster;
  const writer = cluster.writer();
  const slices = [new Uint8Array(SLICE)];
  await writer.write(stream([slices]), 1, NEVER);
  await records.change(async (put) => {
    const statement = await cluster.record(writer, slices, put);
    const find = metadata.findByVersion.bind(metadata);
    jest.spyOn(metadata, 'findByVersion').mockImplementationOnce(async (...asked) => {
      const found = await find(...asked);
      await metadata.commit({ kind: 'create', ...statement }, NEVER);
      writer.committed();
      return found;
    });
    await collector.sweep(NEVER);
  });
  const heads = await Promise.all(memory.map((node) => Array.fromAsync(node.listRecords(NEVER))));
  expect(heads).toMatchObject([[{ kind: 'manifest' }], [{ kind: 'manifest' }]]);
});

it('leaves a tombstone that the index is about to hear of', async () => {
  const { metadata, collector } = cluster;
  const [reached, released] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const add = metadata.addTombstone.bind(metadata);
  jest.spyOn(metadata, 'addTombstone').mockImplementationOnce(async (...asked) => {
    reached.resolve(undefined);
    await released.promise;
    return add(...asked);
  });
  const fileId = newId<FileId>();
  const taking = cluster.reconcile(fileId); // an upload that failed is taken back
  await reached.promise;
  await collector.sweep(NEVER);
  released.resolve(undefined);
  await taking;
  const tombstone = await metadata.findTombstone(fileId, NEVER);
  expect(tombstone).toMatchObject({ nodes: [1, 2] });
  expect(await buried()).toEqual([[tombstone!.revision], [tombstone!.revision]]);
  await sweep(2);
  expect(await metadata.findTombstone(fileId, NEVER)).toBeUndefined();
  expect(await buried()).toEqual([[], []]);
});

it('lets go of a tombstone on all nodes even if it is stopped between the index and them', async () => {
  const { fileId } = await store();
  await cluster.delete(fileId);
  await cluster.collector.collect(NEVER);
  const stopping = new AbortController();
  const drop = cluster.metadata.dropTombstone.bind(cluster.metadata);
  for (const node of cluster.memory) {
    const forget = node.forget.bind(node);
    jest.spyOn(node, 'forget').mockImplementation((heads, signal) => {
      signal.throwIfAborted(); // as a folder does
      return forget(heads, signal);
    });
  }
  const dropping = jest.spyOn(cluster.metadata, 'dropTombstone').mockImplementationOnce(async (...asked) => {
    await drop(...asked);
    stopping.abort();
  });
  await cluster.collector.sweep(stopping.signal).catch(() => undefined);
  expect(dropping).toHaveBeenCalledTimes(1);
  expect(await buried()).toEqual([[], []]);
});
