import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { newId, type VersionId } from '../../src/common/ids.js';
import { FolderStorageNode } from '../../src/nodes/folder/folder.storage-node.js';
import { NodeError, type NodeRecord, type Shard } from '../../src/nodes/storage-node.js';
import { LAZY_LIMITS, makeFolderNode, type FolderFixture } from '../support/storage-node.folder.js';
import {
  batchOf,
  headOf,
  keyOf,
  listedHeads,
  listedKeys,
  never,
  recordKeyOf,
  someRecord,
  someShard,
} from '../support/storage-node.shards.js';

type Step =
  | { readonly do: 'put'; readonly shards: readonly number[]; readonly records: readonly (readonly [number, number])[] }
  | { readonly do: 'delete'; readonly shards: readonly number[] }
  | { readonly do: 'forget'; readonly records: readonly (readonly [number, number])[] }
  | { readonly do: 'compact' | 'reopen' | 'lose sidecars' };

const KEYS = 12;
const key = fc.nat(KEYS - 1);
const head = fc.tuple(key, fc.integer({ min: 1, max: 6 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      shards: fc.array(key, { maxLength: 5 }),
      records: fc.array(head, { maxLength: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), shards: fc.array(key, { maxLength: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('forget' as const), records: fc.array(head, { maxLength: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('compact' as const, 'reopen' as const, 'lose sidecars' as const) }) },
);

/** The driver beside two Maps: the same calls, and the same answers after each restart. */
class Pair {
  readonly shards = new Map<string, Shard>();
  readonly records = new Map<string, NodeRecord>();
  private readonly versions = Array.from({ length: KEYS }, () => newId<VersionId>());

  constructor(
    private node: FolderStorageNode,
    private readonly fixture: FolderFixture,
  ) {}

  async run(step: Step): Promise<void> {
    if (step.do === 'put')
      await this.put(
        step.shards.map((at) => this.shard(at)),
        step.records.map((pair) => this.record(pair)),
      );
    else if (step.do === 'delete') {
      for (const at of step.shards) this.shards.delete(keyOf(this.shard(at)));
      await this.node.delete(
        step.shards.map((at) => this.shard(at)),
        never(),
      );
    } else if (step.do === 'forget') {
      const records = step.records.map((pair) => this.record(pair));
      for (const record of records)
        if ((this.records.get(recordKeyOf(record))?.revision ?? Infinity) <= record.revision)
          this.records.delete(recordKeyOf(record));
      await this.node.forget(records, never());
    } else if (step.do === 'compact') await this.node.compact(never());
    else await this.reopen(step.do === 'reopen');
  }

  async check(): Promise<void> {
    const ids = this.versions.map((_, at) => this.shard(at));
    for (const [at, answer] of (await this.node.get(ids, never())).entries()) {
      const expected = this.shards.get(keyOf(ids[at]!));
      if (expected === undefined) expect(answer).toMatchObject({ kind: 'not-found' });
      else expect(Buffer.compare(answer as Uint8Array, expected.bytes)).toBe(0);
    }
    for (const answer of await this.node.getRecords(
      this.versions.map((id) => ({ kind: 'manifest', id, page: 0 })),
      never(),
    ))
      if (!(answer instanceof NodeError))
        expect(answer).toEqual({ ...this.records.get(recordKeyOf(answer)), bytes: answer.bytes });
    expect(await listedKeys(this.node)).toEqual([...this.shards.keys()].toSorted());
    expect(await listedHeads(this.node)).toEqual([...this.records.values()].map(headOf).toSorted());
  }

  async close(): Promise<void> {
    await this.node.close();
    await this.fixture.dispose();
  }

  private async put(shards: readonly Shard[], records: readonly NodeRecord[]): Promise<void> {
    for (const shard of shards) this.shards.set(keyOf(shard), shard);
    for (const record of records)
      if ((this.records.get(recordKeyOf(record))?.revision ?? 0) <= record.revision)
        this.records.set(recordKeyOf(record), record);
    await this.node.put(batchOf(shards, records), never());
  }

  private async reopen(keepsSidecars: boolean): Promise<void> {
    await this.node.close();
    const packs = join(this.fixture.options.directory, 'packs');
    for (const name of keepsSidecars ? [] : await readdir(packs)) if (name.endsWith('.index')) await unlink(join(packs, name));
    this.node = new FolderStorageNode(this.fixture.options);
  }

  private shard(at: number): Shard {
    return someShard({ versionId: this.versions[at]!, index: 1, size: 100 + at * 100 });
  }

  private record([at, revision]: readonly [number, number]): NodeRecord {
    const id = this.versions[at]!;
    return someRecord({ id, revision, size: 150, fileId: id as string as NodeRecord['fileId'] });
  }
}

describe('A folder node', () => {
  it('does what Maps do, through compaction and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        const limits = { ...LAZY_LIMITS, pack_bytes_max: 2500, compact_dead_percent: 0, compact_rest_dead_percent: 0 };
        const fixture = await makeFolderNode(undefined, { packBelow: 65_536, limits });
        const pair = new Pair(fixture.node, fixture);
        try {
          for (const each of steps) {
            await pair.run(each);
            await pair.check();
          }
          await pair.run({ do: 'lose sidecars' });
          await pair.check();
        } finally {
          await pair.close();
        }
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
