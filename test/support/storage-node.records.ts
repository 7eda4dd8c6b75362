import { expect, it } from '@jest/globals';
import { newId, type FileId, type VersionId } from '../../src/common/ids.js';
import { NodeError, RECORD_BYTES_MAX, type NodeRecord, type RecordKey, type StorageNode } from '../../src/nodes/storage-node.js';
import {
  batchOf,
  headOf,
  keyOf,
  listedHeads,
  listedKeys,
  never,
  someRecord,
  someShard,
  someShards,
} from './storage-node.shards.js';

interface Context {
  readonly node: () => StorageNode;
}

/** What every `StorageNode` promises of records; a part of the contract. */
export function describeRecords({ node }: Context): void {
  it('gives back records of all kinds in the order in which they are asked for', async () => {
    const id = newId<VersionId>();
    const records = [
      someRecord({ id }),
      someRecord({ id, kind: 'layout', page: 1 }),
      someRecord({ id, kind: 'layout', page: Number.MAX_SAFE_INTEGER, revision: Number.MAX_SAFE_INTEGER }),
      someRecord({ id: id as string as FileId, kind: 'tombstone', revision: 0, size: 0 }),
      someRecord({ size: RECORD_BYTES_MAX }),
    ];
    await node().put(batchOf([], records), never());
    await expectRecords(node(), records.toReversed());
    expect(await listedHeads(node())).toEqual(records.map(headOf).toSorted());
    expect(await listedKeys(node())).toEqual([]);
  });

  it('keeps the record with the highest revision, whatever the order', async () => {
    const id = newId<VersionId>();
    const [old, middle, young] = [1, 2, 2 ** 40].map((revision) => someRecord({ id, revision }));
    await node().put(batchOf([], [middle!]), never());
    await node().put(batchOf([], [old!]), never());
    await expectRecords(node(), [middle!]);
    await node().put(batchOf([], [young!, middle!]), never());
    await node().put(batchOf([], [old!]), never());
    await expectRecords(node(), [young!]);
    expect(await listedHeads(node())).toEqual([headOf(young!)]);
  });

  it('forgets, but not what has a higher revision by now', async () => {
    const [gone, kept] = [someRecord({ revision: 5 }), someRecord({ revision: 5 })];
    await node().put(batchOf([], [gone, kept]), never());
    await node().forget([gone, { ...kept, revision: 4 }, someRecord()], never());
    await node().forget([gone], never());
    expect((await node().getRecords([gone, kept], never())).map(kindOf)).toEqual(['not-found', 'record']);
    expect(await listedHeads(node())).toEqual([headOf(kept)]);
    await node().forget([{ ...kept, revision: 6 }], never());
    expect(await listedHeads(node())).toEqual([]);
  });

  it('takes back a record that was forgotten', async () => {
    const record = someRecord({ revision: 7 });
    await node().put(batchOf([], [record]), never());
    await node().forget([record], never());
    await node().put(batchOf([], [record]), never());
    await expectRecords(node(), [record]);
  });

  it('puts shards and records together, and a manifest with the shard that rides in it', async () => {
    const versionId = newId<VersionId>();
    const shards = [0, 1, 2].map((stripe) => someShard({ versionId, stripe, index: 1, size: 900 }));
    const manifest = someRecord({ id: versionId });
    await node().put(batchOf(shards, [manifest]), never());
    await expectShards(node(), shards);
    await expectRecords(node(), [manifest]);
    expect(await listedKeys(node())).toEqual(shards.map(keyOf).toSorted());
  });

  it.each([0, 1, 1024, 17_408, 17_409, 100_000])(
    'parts a manifest from its shard of %i bytes, each of which can go alone',
    async (size) => {
      const [first, second] = [someShard({ size }), someShard({ size })];
      const [record, other] = [first, second].map(({ versionId }) => someRecord({ id: versionId, revision: 3 }));
      await node().put(batchOf([first, second], [record!, other!]), never());
      await node().delete([first], never());
      await node().forget([other!], never());
      await expectRecords(node(), [record!]);
      await expectShards(node(), [second]);
      expect((await node().get([first], never())).map(kindOf)).toEqual(['not-found']);
      expect((await node().getRecords([other!], never())).map(kindOf)).toEqual(['not-found']);
      const younger = someRecord({ ...other!, revision: 4, size: 50 });
      await node().put(batchOf([first], [younger]), never());
      await expectShards(node(), [first, second]);
      await expectRecords(node(), [record!, younger]);
    },
  );

  it('keeps a new shard that comes with a manifest too old to count', async () => {
    const shard = someShard();
    const young = someRecord({ id: shard.versionId, revision: 9 });
    await node().put(batchOf([], [young]), never());
    await node().put(batchOf([shard], [someRecord({ id: shard.versionId, revision: 8 })]), never());
    await expectShards(node(), [shard]);
    await expectRecords(node(), [young]);
  });

  it('tells a record from a shard, and from records of other kinds and pages, with the same id', async () => {
    const record = someRecord({ kind: 'layout', page: 1 });
    await node().put(batchOf([], [record]), never());
    const others: RecordKey[] = [
      { kind: 'layout', id: record.id, page: 2 },
      { kind: 'manifest', id: record.id, page: 0 },
      { kind: 'tombstone', id: record.id, page: 0 },
    ];
    expect((await node().getRecords(others, never())).map(kindOf)).toEqual(Array(3).fill('not-found'));
    const shard = { versionId: record.id as VersionId, stripe: 1, index: 0 };
    expect((await node().get([shard], never())).map(kindOf)).toEqual(['not-found']);
    await node().delete([shard], never());
    await expectRecords(node(), [record]);
  });

  it('hands over records that the caller may change, and holds on to none that was put', async () => {
    const record = someRecord();
    const bytes = record.bytes.slice();
    await node().put(batchOf([], [{ ...record, bytes }]), never());
    bytes.fill(0);
    for (const answer of await node().getRecords([record, record], never())) {
      expect(Buffer.compare((answer as NodeRecord).bytes, record.bytes)).toBe(0);
      (answer as NodeRecord).bytes.fill(1);
    }
    await expectRecords(node(), [record]);
  });

  it('hands over a shard twice in one answer as bytes of their own', async () => {
    const shard = someShard();
    await node().put(batchOf([shard]), never());
    const [first, second] = await node().get([shard, shard], never());
    (first as Uint8Array).fill(0);
    expect(Buffer.compare(second as Uint8Array, shard.bytes)).toBe(0);
  });

  it('tells the newest revision that it ever held', async () => {
    expect((await node().probe(never())).newestRevision).toBe(0);
    const record = someRecord({ revision: 12 });
    await node().put(batchOf([someShard()], [someRecord({ revision: 3 }), record]), never());
    await node().forget([{ ...record, revision: 99 }], never());
    expect((await node().probe(never())).newestRevision).toBe(12);
  });

  const bad = 'nonsense' as VersionId;
  it.each([
    ['an id that is none', { id: bad }],
    ['an id in capitals', { id: newId<VersionId>().toUpperCase() as VersionId }],
    ['a path for an id', { id: '../../../../etc/passwd' as VersionId }],
    ['a file id that is none', { fileId: '' as FileId }],
    ['a page of a manifest', { page: 1 }],
    ['a negative page', { kind: 'layout' as const, page: -1 }],
    ['half a page', { kind: 'layout' as const, page: 0.5 }],
    ['a kind that is none', { kind: 'shard' as 'layout' }],
    ['too many bytes', { bytes: new Uint8Array(RECORD_BYTES_MAX + 1) }],
  ])('rejects a record with %s, and all that came with it', async (_what, part) => {
    const record = { ...someRecord(), ...part };
    const shard = someShard();
    await expect(node().put(batchOf([shard], [record]), never())).rejects.toMatchObject({ kind: 'rejected' });
    expect([await listedKeys(node()), await listedHeads(node())]).toEqual([[], []]);
    await node().put(batchOf([shard]), never());
  });

  it.each([
    { versionId: bad, stripe: 0, index: 0 },
    { versionId: '../../x' as VersionId, stripe: 0, index: 0 },
    { versionId: newId<VersionId>(), stripe: -1, index: 0 },
    { versionId: newId<VersionId>(), stripe: 2 ** 53, index: 0 },
    { versionId: newId<VersionId>(), stripe: 0.5, index: 0 },
    { versionId: newId<VersionId>(), stripe: 0, index: 256 },
    { versionId: newId<VersionId>(), stripe: 0, index: -1 },
  ])('rejects a shard with the id %j', async (id) => {
    const rejected = { name: 'NodeError', kind: 'rejected' };
    await expect(node().put(batchOf([{ ...someShard(), ...id }]), never())).rejects.toMatchObject(rejected);
    await expect(node().delete([id], never())).rejects.toMatchObject(rejected);
    expect(await listedKeys(node())).toEqual([]);
  });

  it('bears puts, deletions, forgetting, reading and listing of the same keys at once', async () => {
    const shards = someShards(40, 300);
    const records = shards.map(({ versionId }) => someRecord({ id: versionId, revision: 2 }));
    const rounds = Array.from({ length: 12 }, async (_, round) => {
      const [some, heads] = [shards.filter((_s, at) => at % 3 === round % 3), records.filter((_r, at) => at % 3 === round % 3)];
      if (round % 2 === 0) return node().put(batchOf(some, heads), never());
      await Promise.all([node().delete(some, never()), node().forget(heads, never()), listedKeys(node()), listedHeads(node())]);
      for (const answer of await node().get(some, never())) expect(['bytes', 'not-found']).toContain(kindOf(answer));
    });
    await Promise.all(rounds);
    await node().put(batchOf(shards, records), never());
    await expectShards(node(), shards);
    await expectRecords(node(), records);
    await Promise.all([node().delete(shards, never()), node().forget(records, never())]);
    expect([await listedKeys(node()), await listedHeads(node())]).toEqual([[], []]);
  });

  it('does nothing with records for a signal that was aborted before, nor when it is closed', async () => {
    const record = someRecord();
    const reason = new Error('the client left');
    const calls = (signal: AbortSignal): Promise<unknown>[] => [
      node().put(batchOf([], [record]), signal),
      node().getRecords([record], signal),
      node().forget([record], signal),
      firstOf(node().listRecords(signal)),
    ];
    for (const call of calls(AbortSignal.abort(reason))) await expect(call).rejects.toBe(reason);
    expect(await listedHeads(node())).toEqual([]);
    await node().close();
    for (const call of calls(never())) await expect(call).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('lists records that are there all the time once, while others come and go', async () => {
    const kept = Array.from({ length: 300 }, () => someRecord({ size: 1 }));
    const others = Array.from({ length: 300 }, () => someRecord({ size: 1 }));
    await node().put(batchOf([], kept), never());
    const listed: string[] = [];
    let changing: Promise<unknown> | undefined;
    for await (const head of node().listRecords(never())) {
      listed.push(headOf(head));
      changing ??= node().put(batchOf([], others), never());
    }
    await changing;
    expect(new Set(listed).size).toBe(listed.length);
    expect(kept.map(headOf).filter((head) => !listed.includes(head))).toEqual([]);
  });
}

async function expectRecords(node: StorageNode, records: readonly NodeRecord[]): Promise<void> {
  const answers = await node.getRecords(records, never());
  expect(answers).toHaveLength(records.length);
  for (const [at, answer] of answers.entries()) {
    expect(kindOf(answer)).toBe('record');
    const { bytes, ...rest } = answer as NodeRecord;
    const { bytes: put, ...head } = records[at]!;
    expect(rest).toEqual(head);
    expect(Buffer.compare(bytes, put)).toBe(0);
  }
}

async function expectShards(node: StorageNode, shards: readonly Parameters<typeof keyOf>[0][]): Promise<void> {
  const answers = await node.get(shards, never());
  for (const [at, answer] of answers.entries()) {
    expect(kindOf(answer)).toBe('bytes');
    expect(Buffer.compare(answer as Uint8Array, (shards[at] as { bytes: Uint8Array } & (typeof shards)[number]).bytes)).toBe(0);
  }
}

function kindOf(answer: Uint8Array | NodeRecord | NodeError | undefined): string {
  if (answer instanceof NodeError) return answer.kind;
  return answer === undefined ? 'nothing' : answer instanceof Uint8Array ? 'bytes' : 'record';
}

async function firstOf<Item>(items: AsyncIterable<Item>): Promise<Item | undefined> {
  for await (const item of items) return item;
  return undefined;
}
