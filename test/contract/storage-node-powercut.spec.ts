import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId, type ClusterId, type FileId, type NodeId, type VersionId } from '../../src/common/ids.js';
import { FolderStorageNode, type FolderStorageNodeOptions } from '../../src/nodes/folder/folder.storage-node.js';
import { NodeError, type NodeRecord, type RecordKind, type Shard } from '../../src/nodes/storage-node.js';
import { MEMORY_DISK } from '../support/memory-disk.js';
import { RecordedFiles, UNSYNCED_FILE_CALLS, type IgnoredSyncs } from '../support/recorded-files.js';
import {
  headOf,
  keyOf,
  listedHeads,
  listedKeys,
  never,
  randomOf,
  recordKeyOf,
  someRecord,
  someShard,
} from '../support/storage-node.shards.js';

const PACK_BELOW = 4096;
const LIMITS = {
  pack_bytes_max: 24_000,
  compact_dead_percent: 20,
  compact_rest_dead_percent: 0,
  compact_rest_ms: 40,
  compact_bytes_per_second: 2 ** 30,
};
const ABSENT = 'absent';
const PRESENT = 'present';

/** What became of a key with one call: a state, from when on it is possible and from when on it is promised. */
interface Event {
  readonly state: string;
  readonly begun: number;
  acknowledged: number;
}

/** One node's life under the recording layer, and what was promised when. */
class Life {
  readonly shards = new Map<string, Shard>();
  readonly records = new Map<string, NodeRecord>();
  readonly history = new Map<string, Event[]>();
  newest: { readonly revision: number; readonly at: number }[] = [];
  private revision = 1;
  private readonly versions: VersionId[] = [];

  constructor(
    readonly node: FolderStorageNode,
    readonly files: RecordedFiles,
    private readonly random: () => number,
  ) {}

  /** Waves of calls at once; no two of a wave touch the same key, so each key has one history. */
  async live(waves: number): Promise<void> {
    for (let wave = 0; wave < waves; wave += 1) {
      const busy = new Set<string>();
      await Promise.all(Array.from({ length: 5 }, () => this.act(busy)));
      if (this.random() < 0.3) await this.node.compact(never());
    }
    await this.node.close();
  }

  /** The states that a key may be in after a cut at a moment. */
  statesAt(key: string, moment: number): ReadonlySet<string> {
    const states = new Set<string>([ABSENT]);
    for (const { state, begun, acknowledged } of this.history.get(key) ?? []) {
      if (begun >= moment) break;
      if (acknowledged <= moment) states.clear();
      states.add(state);
    }
    return states;
  }

  private async act(busy: Set<string>): Promise<void> {
    const dice = this.random();
    if (dice < 0.55 || this.shards.size < 5) await this.put(busy);
    else if (dice < 0.8) await this.delete(busy);
    else await this.forget(busy);
  }

  private async put(busy: Set<string>): Promise<void> {
    const isNew = this.random() < 0.7 || this.versions.length === 0;
    const versionId = isNew ? newId<VersionId>() : this.pick(this.versions);
    if (busy.has(versionId)) return;
    busy.add(versionId);
    if (isNew) this.versions.push(versionId);
    const count = Math.floor(this.random() * 6);
    const size = this.random() < 0.25 ? 9000 : Math.floor(this.random() * 1500);
    const shards = Array.from({ length: count }, (_, stripe) => {
      const known = this.shards.get(keyOf({ versionId, stripe, index: 0 }));
      return known ?? someShard({ versionId, stripe, size });
    });
    const kinds: RecordKind[] = this.random() < 0.6 ? ['manifest'] : this.random() < 0.5 ? ['layout', 'tombstone'] : [];
    const revision = this.random() < 0.9 ? ++this.revision : Math.max(1, this.revision - 3);
    const records = kinds.map((kind) =>
      someRecord({ kind, id: versionId, revision, page: kind === 'layout' ? 3 : 0, fileId: versionId as string as FileId }),
    );
    for (const shard of shards) this.shards.set(keyOf(shard), shard);
    for (const record of records) this.records.set(headOf(record), record);
    const changes = [
      ...shards.map((shard): [string, string] => [keyOf(shard), PRESENT]),
      ...records.map((record): [string, string] => [recordKeyOf(record), this.later(record)]),
    ];
    await this.journal(changes, () => this.node.put({ shards, records }, never()));
    for (const record of records) this.newest.push({ revision: record.revision, at: this.files.position });
  }

  private async delete(busy: Set<string>): Promise<void> {
    const versionId = this.pick(this.versions);
    if (busy.has(versionId)) return;
    busy.add(versionId);
    const ids = [...this.shards.values()].filter((shard) => shard.versionId === versionId && this.random() < 0.8);
    await this.journal(
      ids.map((id) => [keyOf(id), ABSENT]),
      () => this.node.delete(ids, never()),
    );
  }

  private async forget(busy: Set<string>): Promise<void> {
    if (this.records.size === 0) return;
    const record = this.pick([...this.records.values()]);
    if (busy.has(record.id)) return;
    busy.add(record.id);
    const key = recordKeyOf(record);
    const now = this.now(key);
    const isGone = now === ABSENT || Number(now) <= record.revision;
    await this.journal([[key, isGone ? ABSENT : now]], () => this.node.forget([record], never()));
  }

  private async journal(changes: readonly (readonly [string, string])[], call: () => Promise<void>): Promise<void> {
    const begun = this.files.position;
    const events = changes.map(([key, state]) => {
      const event: Event = { state, begun, acknowledged: Infinity };
      this.history.set(key, [...(this.history.get(key) ?? []), event]);
      return event;
    });
    await call();
    for (const event of events) event.acknowledged = this.files.position;
  }

  private later(record: NodeRecord): string {
    const now = this.now(recordKeyOf(record));
    return now === ABSENT ? String(record.revision) : String(Math.max(Number(now), record.revision));
  }

  private now(key: string): string {
    return this.history.get(key)?.at(-1)?.state ?? ABSENT;
  }

  private pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.random() * items.length)] as Item;
  }
}

let parent: string;
let template: string;
let options: FolderStorageNodeOptions;

beforeAll(async () => {
  parent = await mkdtemp(join(MEMORY_DISK, 'dcloud-powercut-'));
  template = join(parent, 'template');
  const ids = { clusterId: newId<ClusterId>(), nodeId: newId<NodeId>() };
  options = { directory: template, number: 1, ...ids, bytesFreeMin: 0, packBelow: PACK_BELOW, limits: LIMITS };
  await (await FolderStorageNode.create(options, never())).close();
});

afterAll(() => rm(parent, { recursive: true, force: true }));

/** Lives a life, cuts its power at moments, and tells what is not as it was promised. */
async function violations(seed: number, part: { readonly ignored?: IgnoredSyncs; readonly cuts: number }): Promise<string[]> {
  const random = randomOf(seed);
  const directory = join(parent, `life-${seed}`);
  cpSync(template, directory, { recursive: true });
  const files = new RecordedFiles(directory, part.ignored);
  const life = new Life(new FolderStorageNode({ ...options, directory, files }), files, random);
  await life.live(30);
  const found: string[] = [];
  for (let cut = 0; cut < part.cuts; cut += 1) {
    const moment = cut === 0 ? files.position : Math.floor(random() * files.position);
    const target = join(parent, `cut-${seed}-${cut}`);
    files.cut(moment, { template, target, random });
    found.push(
      ...(await check(life, target, moment)).map((text) => `seed ${seed}, cut at ${moment} of ${files.position}: ${text}`),
    );
    rmSync(target, { recursive: true });
  }
  rmSync(directory, { recursive: true });
  return found;
}

/** Looks at what a cut left: after opening it, after compacting it, and after opening it once more. */
async function check(life: Life, directory: string, moment: number): Promise<string[]> {
  const found: string[] = [];
  const first = await look(life, directory, { moment, found });
  compare(first, await look(life, directory, { moment, found }), { found, after: 'a restart' });
  return found;
}

async function look(
  life: Life,
  directory: string,
  { moment, found }: { moment: number; found: string[] },
): Promise<Map<string, string>> {
  const node = new FolderStorageNode({ ...options, directory, files: UNSYNCED_FILE_CALLS });
  try {
    await node.open(never());
    const states = await statesOf(node, life, found);
    for (const key of new Set([...life.shards.keys(), ...[...life.records.values()].map(recordKeyOf)])) {
      const state = states.get(key) ?? ABSENT;
      const allowed = life.statesAt(key, moment);
      if (!allowed.has(state)) found.push(`${key} is ${state} and not ${[...allowed].join(' or ')}`);
    }
    const promised = Math.max(0, ...life.newest.filter(({ at }) => at <= moment).map(({ revision }) => revision));
    const { newestRevision } = await node.probe(never());
    if (newestRevision < promised) found.push(`the newest revision is ${newestRevision} and not ${promised}`);
    await node.compact(never());
    compare(states, await statesOf(node, life, found), { found, after: 'compaction' });
    return states;
  } finally {
    await node.close();
  }
}

function compare(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  what: { readonly found: string[]; readonly after: string },
): void {
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [first, second] = [before.get(key) ?? ABSENT, after.get(key) ?? ABSENT];
    if (first !== second) what.found.push(`${key} was ${first}, and ${second} after ${what.after}`);
  }
}

/** What the node says of each key; says itself what does not agree. */
async function statesOf(node: FolderStorageNode, life: Life, found: string[]): Promise<Map<string, string>> {
  const states = new Map<string, string>();
  const shards = [...life.shards.values()];
  for (const [at, answer] of (await node.get(shards, never())).entries()) {
    const shard = shards[at]!;
    if (answer instanceof NodeError) {
      if (answer.kind !== 'not-found') states.set(keyOf(shard), answer.kind);
    } else states.set(keyOf(shard), Buffer.compare(answer, shard.bytes) === 0 ? PRESENT : 'another');
  }
  const listed = await listedKeys(node);
  const present = shards.map(keyOf).filter((key) => states.has(key));
  if (listed.join() !== present.toSorted().join())
    found.push(`${present.length} shards are there, and ${listed.length} are listed`);
  await addRecords(node, life, { states, found });
  return states;
}

async function addRecords(
  node: FolderStorageNode,
  life: Life,
  { states, found }: { states: Map<string, string>; found: string[] },
): Promise<void> {
  const keys = [...new Map([...life.records.values()].map((record) => [recordKeyOf(record), record])).values()];
  const heads: string[] = [];
  for (const answer of await node.getRecords(keys, never())) {
    if (answer instanceof NodeError) {
      if (answer.kind !== 'not-found') found.push(`a record is ${answer.kind}`);
      continue;
    }
    heads.push(headOf(answer));
    const put = life.records.get(headOf(answer));
    const isTheOne = put?.fileId === answer.fileId && Buffer.compare(put.bytes, answer.bytes) === 0;
    states.set(recordKeyOf(answer), isTheOne ? String(answer.revision) : 'another');
  }
  if ((await listedHeads(node)).join() !== heads.toSorted().join())
    found.push('the records that are listed are not those that are there');
}

describe('After a power cut at any moment', () => {
  it.each(Array.from({ length: 12 }, (_, at) => 1000 + at))(
    'everything acknowledged is there and everything removed is gone (seed %i)',
    async (seed) => expect(await violations(seed, { cuts: 6 })).toEqual([]),
    30_000,
  );
});

describe('The check itself finds it when', () => {
  it.each(['packs', 'shards', 'directories'] as const)(
    'the syncs of %s are left out',
    async (ignored) => {
      const found: string[] = [];
      for (let seed = 1; seed <= 8 && found.length === 0; seed += 1)
        found.push(...(await violations(seed, { ignored, cuts: 6 })));
      expect(found).not.toEqual([]);
    },
    30_000,
  );
});
