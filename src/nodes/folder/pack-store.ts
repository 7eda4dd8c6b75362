import { errorCode } from '../../common/errors.js';
import { NodeError, type NodeBatch, type NodeRecord, type RecordHead, type RecordKey, type ShardId } from '../storage-node.js';
import { Ballast } from './ballast.js';
import { PackCompactor, type CompactionLimits } from './pack-compactor.js';
import { PackDescriptors } from './pack-descriptors.js';
import { KEY_WORDS, KeyDecoder, KeyEncoder, type Key } from './pack-key.js';
import { loadPacks, type LoadedPacks, type PackFolder } from './pack-load.js';
import { PackReader, type RawEntry, type Wanted } from './pack-reader.js';
import type { PackTable, Place } from './pack-table.js';
import { PackWriter } from './pack-writer.js';
import { putWritings, removeRecordsWritings, removeShardsWritings, requireRevision } from './pack-writings.js';
import type { Slots } from './slots.js';

export interface PackStoreOptions {
  readonly folder: PackFolder;
  readonly packBelow: number;
  readonly limits: CompactionLimits;
  readonly slots: Slots;
  /** True with the folder's lock and leave to change it: then it compacts, and writes what helps the next opening. */
  readonly mayWrite: boolean;
  /** Called when the packs are no longer where they were. */
  readonly onLost: () => void;
}

/** What the packs of a node amount to now. */
export interface PackStats {
  readonly packs: number;
  readonly bytes: number;
  readonly deadBytes: number;
  readonly removalBytes: number;
  readonly shards: number;
  readonly records: number;
  /** As the last opening found them. */
  readonly scannedPacks: number;
  readonly damagedHeaders: readonly number[];
  readonly strayBytes: number;
}

type Prove<Answer> = (entry: RawEntry, item: number) => Answer | NodeError;

/** What lies in the packs of a node: small shards, and all records. Knows nothing of the shards that have files of their own. */
export class PackStore {
  readonly compactor: PackCompactor;
  readonly ballast: Ballast;
  readonly mayWrite: boolean;
  private readonly writer: PackWriter;
  private readonly reader: PackReader;
  private readonly belowLeast: number;

  private constructor(
    options: PackStoreOptions,
    private readonly loaded: LoadedPacks,
    private readonly descriptors: PackDescriptors,
  ) {
    const { folder, limits, slots, onLost, packBelow } = options;
    const { index, nextSeq } = loaded;
    this.mayWrite = options.mayWrite;
    this.belowLeast = Math.min(packBelow, loaded.belowLeast ?? packBelow);
    this.ballast = new Ballast(folder);
    this.reader = new PackReader(descriptors, folder.identity, slots);
    this.writer = new PackWriter({
      folder,
      index,
      nextSeq,
      onLost,
      packBytesMax: limits.pack_bytes_max,
      belowLeast: this.belowLeast,
      releaseBallast: () => this.ballast.release(),
    });
    this.compactor = new PackCompactor({ folder, index, descriptors, limits, writer: this.writer });
  }

  /** Takes in what is there. Throws `rejected` for packs that are not this node's. */
  static async load(options: PackStoreOptions): Promise<PackStore> {
    const descriptors = new PackDescriptors(options.folder.packs);
    try {
      const loaded = await loadPacks(options.folder, descriptors, options.mayWrite);
      const store = new PackStore(options, loaded, descriptors);
      if (options.mayWrite) store.compactor.start();
      return store;
    } catch (error) {
      descriptors.dropAll();
      throw error;
    }
  }

  get newestRevision(): number {
    return this.loaded.index.newestRevision;
  }

  /** True if entries may lie in its packs that it does not know, because writing them failed half-way: the next opening finds them. */
  get hasUnknown(): boolean {
    return this.writer.hasUnknown;
  }

  /** Puts durably. An empty batch sees to it that a pack tells with which `packBelow` the files beside it are written. */
  async put(batch: NodeBatch, signal: AbortSignal): Promise<void> {
    const writings = putWritings(batch);
    if (writings.length === 0 && this.writer.hasBegun) return;
    const isDeletion =
      batch.shards.length === 0 && batch.records.length > 0 && batch.records.every(({ kind }) => kind === 'tombstone');
    const submits = (writings.length === 0 ? [[]] : writings.map((writing) => [writing])).map((part) =>
      this.writer.submit(part, isDeletion ? 'removal' : 'put', signal),
    );
    const outcomes = await Promise.allSettled(submits);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    signal.throwIfAborted();
  }

  /** Removes shards durably; returns those that may (also) lie in files. */
  async remove(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly ShardId[]> {
    const keys = new KeyEncoder();
    const here: ShardId[] = [];
    const elsewhere: ShardId[] = [];
    for (const id of ids) {
      const place = this.loaded.index.shards.find(keys.shard(id));
      if (place !== undefined || this.hasUnknown) here.push(id);
      if (place === undefined || place.bytes >= this.belowLeast) elsewhere.push(id);
    }
    if (here.length > 0) await this.writer.submit(removeShardsWritings(here), 'removal', signal);
    return elsewhere;
  }

  async forget(heads: readonly RecordHead[], signal: AbortSignal): Promise<void> {
    const keys = new KeyEncoder();
    const here = heads.filter((head) => {
      requireRevision(head.revision);
      const place = this.loaded.index.records.find(keys.record(head));
      return (place !== undefined && place.revision <= head.revision) || this.hasUnknown;
    });
    if (here.length > 0) await this.writer.submit(removeRecordsWritings(here), 'removal', signal);
    signal.throwIfAborted();
  }

  has(id: ShardId, keys: KeyEncoder): boolean {
    return this.loaded.index.shards.find(keys.shard(id)) !== undefined;
  }

  /** The answers of those shards that are in packs; undefined for the others. */
  getShards(ids: readonly ShardId[], signal: AbortSignal): Promise<(Uint8Array | NodeError | undefined)[]> {
    const [found, proved] = [new KeyEncoder(), new KeyEncoder()];
    const { shards } = this.loaded.index;
    const prove: Prove<Uint8Array> = (entry, item) => this.reader.shard(entry, proved.shard(ids[item] as ShardId));
    return this.answer(ids.length, { table: shards, keyOf: (item) => found.shard(ids[item] as ShardId), prove }, signal);
  }

  getRecords(wanted: readonly RecordKey[], signal: AbortSignal): Promise<(NodeRecord | NodeError | undefined)[]> {
    const [found, proved] = [new KeyEncoder(), new KeyEncoder()];
    const { records } = this.loaded.index;
    const prove: Prove<NodeRecord> = (entry, item) => {
      const key = wanted[item] as RecordKey;
      return this.reader.record(entry, key, proved.record(key));
    };
    return this.answer(
      wanted.length,
      { table: records, keyOf: (item) => found.record(wanted[item] as RecordKey), prove },
      signal,
    );
  }

  *listShards(): Generator<ShardId, void, undefined> {
    const keys = new KeyDecoder();
    for (const part of this.loaded.index.shards.walk())
      for (let at = 0; at < part.length; at += KEY_WORDS) yield keys.shardId(part, at);
  }

  *listRecords(): Generator<RecordHead, void, undefined> {
    const { records } = this.loaded.index;
    const keys = new KeyDecoder();
    for (const part of records.walk()) {
      for (let at = 0; at < part.length; at += KEY_WORDS) {
        const key = keys.recordKey(part, at);
        const place = records.find(part.subarray(at, at + KEY_WORDS));
        if (key !== undefined && place !== undefined) yield { ...key, revision: place.revision };
      }
    }
  }

  stats(): PackStats {
    const { index, scannedPacks, damagedHeaders, strayBytes } = this.loaded;
    const packs = [...index.packs.values()];
    const sum = (of: (info: (typeof packs)[number]) => number): number => packs.reduce((total, info) => total + of(info), 0);
    return {
      packs: packs.length,
      bytes: sum(({ bytes }) => bytes),
      deadBytes: sum((info) => index.deadBytes(info)),
      removalBytes: sum(({ removals }) => removals),
      shards: index.shards.size,
      records: index.records.size,
      scannedPacks,
      damagedHeaders,
      strayBytes,
    };
  }

  /** Ends what is under way and lets go of the files; safe to call twice. */
  async close(reason: NodeError): Promise<void> {
    await this.compactor.stop();
    await this.writer.stop(reason);
    await this.ballast.settled();
    this.descriptors.dropAll();
  }

  /** As {@link close}, but writes nothing: what lies in the folder's place now may be another's. */
  async abandon(reason: NodeError): Promise<void> {
    this.writer.disown();
    await this.close(reason);
  }

  /** Finds, reads and proves. What moved between finding and reading is looked up once more: compaction unlinks only after it has copied. */
  private async answer<Answer>(
    count: number,
    { table, keyOf, prove }: { table: PackTable; keyOf: (item: number) => Key; prove: Prove<Answer> },
    signal: AbortSignal,
  ): Promise<(Answer | NodeError | undefined)[]> {
    const answers: (Answer | NodeError | undefined)[] = Array.from({ length: count }, () => undefined);
    const moved = new Map<number, Place>();
    const places: (Place | undefined)[] = [];
    const take = (position: number, entry: RawEntry | Error): void => {
      if ('at' in entry) answers[position] = prove(entry, position);
      else if (errorCode(entry) === 'ENOENT') moved.set(position, places[position] as Place);
      else answers[position] = entry as NodeError;
    };
    const wanted: Wanted[] = [];
    for (let position = 0; position < count; position += 1) {
      const place = table.find(keyOf(position));
      places.push(place);
      if (place !== undefined) wanted.push({ position, place });
    }
    for (let attempt = 0; wanted.length > 0; attempt += 1) {
      await this.reader.read(wanted.splice(0), signal, take);
      for (const [position, before] of moved) {
        const place = table.find(keyOf(position));
        places[position] = place;
        if (place === undefined) continue; // removed meanwhile
        if (attempt > 2 || (place.seq === before.seq && place.offset === before.offset))
          throw new NodeError('unavailable', 'one of its packs has vanished');
        wanted.push({ position, place });
      }
      moved.clear();
    }
    return answers;
  }
}
