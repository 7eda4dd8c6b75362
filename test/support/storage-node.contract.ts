import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type VersionId } from '../../src/common/ids.js';
import { NodeError, type ShardId, type StorageNode } from '../../src/nodes/storage-node.js';
import { describeRecords } from './storage-node.records.js';
import { batchOf, keyOf, listedKeys, never, someShard, someShards } from './storage-node.shards.js';

/** A fresh, empty node, and how to clear away what it lay on (after the node was closed). */
export interface StorageNodeFixture {
  readonly node: StorageNode;
  readonly dispose: () => Promise<void>;
}

/** What every `StorageNode` promises, whatever it is made of. Each driver and each decorator runs it unchanged. */
export function describeStorageNode(name: string, make: () => Promise<StorageNodeFixture>): void {
  describe(`${name} keeps the contract of StorageNode:`, () => {
    let fixture: StorageNodeFixture;
    let node: StorageNode;

    beforeEach(async () => {
      fixture = await make();
      node = fixture.node;
    });

    afterEach(async () => {
      await node.close();
      await fixture.dispose();
    });

    const context = { node: () => node };
    describeReadingAndWriting(context);
    describeRecords(context);
    describeIds(context);
    describeConcurrency(context);
    describeListing(context);
    describeAbort(context);
    describeProbeAndClose(context);
  });
}

interface Context {
  readonly node: () => StorageNode;
}

function describeReadingAndWriting({ node }: Context): void {
  it('gives back a batch in the order in which it is asked for', async () => {
    const shards = someShards(20);
    await node().put(batchOf(shards), never());
    await expectBytes(node(), shards.toReversed());
  });

  it.each([0, 1, 63, 64, 1024, 65_536, 65_537, 1_048_576])('keeps a payload of %i bytes', async (size) => {
    const shard = someShard({ size });
    await node().put(batchOf([shard]), never());
    await expectBytes(node(), [shard]);
  });

  it('reads large and small shards in turn', async () => {
    const shards = [10, 70_000, 0, 5, 140_000, 1].map((size, stripe) => someShard({ size, stripe }));
    await node().put(batchOf(shards), never());
    for (const shard of shards) await expectBytes(node(), [shard]);
  });

  it('hands over bytes that the caller may change', async () => {
    const shards = [someShard(), someShard()];
    await node().put(batchOf(shards), never());
    for (const bytes of await node().get(shards, never())) (bytes as Uint8Array).fill(0);
    await expectBytes(node(), shards);
  });

  it('does not hold on to the bytes that were put', async () => {
    const shard = someShard();
    const bytes = shard.bytes.slice();
    await node().put(batchOf([{ ...shard, bytes }]), never());
    bytes.fill(0);
    await expectBytes(node(), [shard]);
  });

  it('stores a view into a larger buffer, and only that', async () => {
    const whole = someShard({ size: 300 }).bytes;
    const shard = someShard({ bytes: whole.subarray(100, 200) });
    await node().put(batchOf([shard]), never());
    await expectBytes(node(), [shard]);
  });

  it('takes the same shard again, also twice in one batch', async () => {
    const shard = someShard();
    await node().put(batchOf([shard]), never());
    await node().put(batchOf([shard, shard]), never());
    await expectBytes(node(), [shard]);
    expect(await listedKeys(node())).toEqual([keyOf(shard)]);
  });

  it('answers for each shard alone when some are missing', async () => {
    const [first, last] = [someShard(), someShard()];
    await node().put(batchOf([first, last]), never());
    const answers = await node().get([first, { ...first, stripe: 1 }, { ...first, index: 1 }, last], never());
    expect(answers.map(kindOf)).toEqual(['bytes', 'not-found', 'not-found', 'bytes']);
    expectSameBytes(answers[3], last.bytes);
  });

  it('calls a shard corrupt whose bytes are not those of its checksum', async () => {
    const shards = someShards(3);
    await node().put(
      batchOf([shards[0]!, { ...shards[1]!, checksum: shards[1]!.checksum ^ 1 }, shards[2]!].map(unsigned)),
      never(),
    );
    expect((await node().get(shards, never())).map(kindOf)).toEqual(['bytes', 'corrupt', 'bytes']);
  });

  it('has a good shard again when it is put over a corrupt one', async () => {
    const shards = [someShard(), someShard({ size: 200_000 })];
    await node().put(batchOf(shards.map((shard) => unsigned({ ...shard, checksum: shard.checksum ^ 1 }))), never());
    expect((await node().check(shards, never())).map((verdict) => verdict?.kind)).toEqual(['corrupt', 'corrupt']);
    await node().put(batchOf(shards), never());
    await expectBytes(node(), shards);
  });

  it('checks each shard alone, in order, as a read would find it', async () => {
    const shards = someShards(20);
    const [small, large] = [shards[3]!, someShard({ size: 200_000 })];
    await node().put(batchOf([...shards, large]), never());
    await node().put(batchOf([unsigned({ ...small, checksum: small.checksum ^ 1 })]), never());
    const verdicts = await node().check([...shards, large, someShard()], never());
    expect(verdicts.map((verdict) => verdict?.kind)).toEqual(
      [...shards, large, someShard()].map((_, at) => (at === 3 ? 'corrupt' : at === 21 ? 'not-found' : undefined)),
    );
    expect(await node().check([], never())).toEqual([]);
  });

  it('deletes, and takes no offence at what is not there', async () => {
    const [kept, gone] = [someShard(), someShard()];
    await node().put(batchOf([kept, gone]), never());
    await node().delete([gone, someShard()], never());
    await node().delete([gone], never());
    expect((await node().get([kept, gone], never())).map(kindOf)).toEqual(['bytes', 'not-found']);
    expect(await listedKeys(node())).toEqual([keyOf(kept)]);
  });

  it('takes back a shard that was deleted', async () => {
    const shard = someShard();
    await node().put(batchOf([shard]), never());
    await node().delete([shard], never());
    await node().put(batchOf([shard]), never());
    await expectBytes(node(), [shard]);
  });

  it('takes empty batches', async () => {
    await node().put(batchOf([]), never());
    await node().delete([], never());
    expect(await node().get([], never())).toEqual([]);
    expect(await listedKeys(node())).toEqual([]);
  });
}

function describeIds({ node }: Context): void {
  it('tells ids apart that look alike', async () => {
    const versionId = newId<VersionId>();
    const pairs = [
      [0, 0],
      [0, 255],
      [1, 11],
      [11, 1],
      [0x11, 1],
      [1, 1],
      [10, 0],
      [16, 0],
      [255, 255],
      [2 ** 32, 0],
      [2 ** 40, 255],
      [Number.MAX_SAFE_INTEGER, 0],
    ] as const;
    const shards = pairs.map(([stripe, index]) => someShard({ versionId, stripe, index, m: 255 }));
    await node().put(batchOf(shards), never());
    await expectBytes(node(), shards);
    expect(await listedKeys(node())).toEqual(shards.map(keyOf).toSorted());
  });

  it('tells versions apart that differ in one digit only', async () => {
    const versionId = newId<VersionId>();
    const versions = [0, 10, 25, 35].map(
      (at) => (versionId.slice(0, at) + (versionId[at] === '0' ? '1' : '0') + versionId.slice(at + 1)) as VersionId,
    );
    const shards = [versionId, ...versions].map((id) => someShard({ versionId: id }));
    await node().put(batchOf(shards), never());
    await expectBytes(node(), shards);
    expect(await listedKeys(node())).toEqual(shards.map(keyOf).toSorted());
  });
}

function describeConcurrency({ node }: Context): void {
  it('bears 500 puts and 500 gets at once', async () => {
    const shards = someShards(500);
    await Promise.all(shards.map((shard) => node().put(batchOf([shard]), never())));
    await Promise.all(shards.map((shard) => expectBytes(node(), [shard])));
    expect(await listedKeys(node())).toEqual(shards.map(keyOf).toSorted());
  });

  it('bears 50 puts of one shard at once with gets of it, which see all of it or nothing', async () => {
    const shard = someShard({ size: 100_000 });
    const puts = Array.from({ length: 50 }, () => node().put(batchOf([shard]), never()));
    const gets = Array.from({ length: 50 }, () => node().get([shard], never()));
    for (const [answer] of await Promise.all(gets)) {
      if (kindOf(answer) !== 'not-found') expectSameBytes(answer, shard.bytes);
    }
    await Promise.all(puts);
    await expectBytes(node(), [shard]);
    expect(await listedKeys(node())).toEqual([keyOf(shard)]);
  });
}

function describeListing({ node }: Context): void {
  it('lists each shard once, however many there are, while others are deleted', async () => {
    const kept = someShards(700, 1);
    const gone = someShards(700, 1);
    await node().put(batchOf([...kept, ...gone]), never());
    const listed: string[] = [];
    let deleting: Promise<void> | undefined;
    for await (const id of node().list(never())) {
      listed.push(keyOf(id));
      deleting ??= node().delete(gone, never());
    }
    await deleting;
    expect(new Set(listed).size).toBe(listed.length);
    expect(kept.map(keyOf).filter((key) => !listed.includes(key))).toEqual([]);
    expect(await listedKeys(node())).toEqual(kept.map(keyOf).toSorted());
  });

  it('can be left in the middle, and be walked twice at once', async () => {
    const shards = someShards(100);
    await node().put(batchOf(shards), never());
    for await (const id of node().list(never())) {
      expect(shards.map(keyOf)).toContain(keyOf(id));
      break;
    }
    const [first, second] = await Promise.all([listedKeys(node()), listedKeys(node())]);
    expect(first).toEqual(second);
    expect(first).toHaveLength(100);
  });
}

function describeAbort({ node }: Context): void {
  const reason = new Error('the client left');

  it('does nothing for a signal that was aborted before', async () => {
    const shard = someShard();
    const signal = AbortSignal.abort(reason);
    await expect(node().put(batchOf([shard]), signal)).rejects.toBe(reason);
    await expect(node().get([shard], signal)).rejects.toBe(reason);
    await expect(node().check([shard], signal)).rejects.toBe(reason);
    await expect(node().delete([shard], signal)).rejects.toBe(reason);
    await expect(node().probe(signal)).rejects.toBe(reason);
    await expect(firstOf(node(), signal)).rejects.toBe(reason);
    expect(await listedKeys(node())).toEqual([]);
  });

  it('stops a put that is under way, and goes on working', async () => {
    const shards = someShards(300);
    const controller = new AbortController();
    const put = node().put(batchOf(shards), controller.signal);
    setImmediate(() => controller.abort(reason));
    await expect(put).rejects.toBe(reason);
    const answers = await node().get(shards, never());
    expect(answers.map(kindOf).every((kind) => kind === 'bytes' || kind === 'not-found')).toBe(true);
    await node().put(batchOf(shards), never());
    await expectBytes(node(), shards);
  });

  it('stops a list that is under way, at the next shard', async () => {
    const controller = new AbortController();
    await node().put(batchOf(someShards(50)), never());
    const yielded = await countUntilItThrows(node().list(controller.signal), () => controller.abort(reason));
    expect(yielded).toEqual({ count: 1, error: reason });
    expect(await listedKeys(node())).toHaveLength(50);
  });
}

function describeProbeAndClose({ node }: Context): void {
  it('tells its space', async () => {
    const { bytesFree, bytesTotal, full } = await node().probe(never());
    expect(bytesFree).toBeGreaterThan(0);
    expect(bytesTotal).toBeGreaterThanOrEqual(bytesFree);
    expect(full).toBe(false);
  });

  it('leaves nothing behind when probed 20 times at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => node().probe(never())));
    expect(await listedKeys(node())).toEqual([]);
  });

  it('can be closed twice, and refuses every call after that', async () => {
    const shard = someShard();
    await node().put(batchOf([shard]), never());
    await Promise.all([node().close(), node().close()]);
    await node().close();
    const unavailable: unknown = expect.objectContaining({ name: 'NodeError', kind: 'unavailable' });
    await expect(node().put(batchOf([shard]), never())).rejects.toEqual(unavailable);
    await expect(node().get([shard], never())).rejects.toEqual(unavailable);
    await expect(node().check([shard], never())).rejects.toEqual(unavailable);
    await expect(node().delete([shard], never())).rejects.toEqual(unavailable);
    await expect(node().probe(never())).rejects.toEqual(unavailable);
    await expect(firstOf(node(), never())).rejects.toEqual(unavailable);
  });

  it('stops a list that is under way when it is closed', async () => {
    await node().put(batchOf(someShards(50)), never());
    const yielded = await countUntilItThrows(node().list(never()), () => node().close());
    expect(yielded).toEqual({ count: 1, error: expect.objectContaining({ kind: 'unavailable' }) });
  });

  it('settles every put that was under way when it was closed', async () => {
    const puts = someShards(100).map((shard) => node().put(batchOf([shard]), never()));
    await node().close();
    for (const outcome of await Promise.allSettled(puts)) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ kind: 'unavailable' });
    }
  });
}

/** `bytes`, or the kind of the error. */
export function kindOf(answer: Uint8Array | NodeError | undefined): string {
  return answer instanceof NodeError ? answer.kind : answer === undefined ? 'nothing' : 'bytes';
}

async function expectBytes(node: StorageNode, shards: readonly (ShardId & { readonly bytes: Uint8Array })[]): Promise<void> {
  const answers = await node.get(shards, never());
  expect(answers).toHaveLength(shards.length);
  for (const [position, answer] of answers.entries()) expectSameBytes(answer, shards[position]!.bytes);
}

function expectSameBytes(answer: Uint8Array | NodeError | undefined, bytes: Uint8Array): void {
  expect(kindOf(answer)).toBe('bytes');
  expect(Buffer.compare(answer as Uint8Array, bytes)).toBe(0);
}

async function countUntilItThrows(
  walk: AsyncIterable<ShardId>,
  atFirst: () => unknown,
): Promise<{ count: number; error: unknown }> {
  let count = 0;
  try {
    for await (const id of walk) {
      expect(id.stripe).toBeGreaterThanOrEqual(0);
      if (++count === 1) await atFirst();
    }
    return { count, error: undefined };
  } catch (error) {
    return { count, error };
  }
}

async function firstOf(node: StorageNode, signal: AbortSignal): Promise<ShardId | undefined> {
  for await (const id of node.list(signal)) return id;
  return undefined;
}

function unsigned<Item extends { readonly checksum: number }>(shard: Item): Item {
  return { ...shard, checksum: shard.checksum >>> 0 };
}
