import { ENTRY, EntryHeader, ENTRY_HEADER_BYTES, PACK_HEADER_BYTES } from './pack-format.js';
import { KEY_BYTES, KEY_WORDS, manifestKeyOf, readKey, type Key } from './pack-key.js';
import { PackTable, type Place } from './pack-table.js';

/** Bytes of one removed record in a removal entry: its key and the revision up to which it is removed. */
export const REMOVED_RECORD_BYTES = KEY_BYTES + 8;

/** What is known of one pack. */
export interface PackInfo {
  readonly seq: number;
  /** Up to where it is used. */
  bytes: number;
  /** Bytes of entries that a key leads to. */
  live: number;
  /** Bytes of removal entries, which are needed as long as an older pack may hold what they removed. */
  removals: number;
  /** True while entries are appended to it. */
  isActive: boolean;
  /** Until when compaction lets it be (`performance.now()`): it failed, or a part of it is damaged or cannot be moved. */
  leftAloneUntil: number;
}

/** In which pack an entry is, and where there. */
export interface EntrySpot {
  readonly info: PackInfo;
  readonly offset: number;
}

/** What the entries of all packs, taken in their order, amount to. Replaying packs at an opening and writing to them are the same here. */
export class PackIndex {
  readonly shards = new PackTable(false);
  readonly records = new PackTable(true);
  /** In the order of their numbers. */
  readonly packs = new Map<number, PackInfo>();
  newestRevision = 0;
  private readonly key: Key = new Uint32Array(KEY_WORDS);

  addPack(seq: number, isActive: boolean): PackInfo {
    const info = { seq, bytes: PACK_HEADER_BYTES, live: 0, removals: 0, isActive, leftAloneUntil: 0 };
    this.packs.set(seq, info);
    return info;
  }

  isOldest(seq: number): boolean {
    for (const oldest of this.packs.keys()) return oldest === seq;
    return false;
  }

  /** Bytes of a pack that compaction would win. */
  deadBytes(info: PackInfo): number {
    return info.bytes - PACK_HEADER_BYTES - info.live - (this.isOldest(info.seq) ? 0 : info.removals);
  }

  /** Takes in an entry, whose header was proved and lies at a position of the view, as its record part does if it is a removal. */
  apply(header: EntryHeader, view: DataView, at: number, { info, offset }: EntrySpot): void {
    const bytes = header.bytes;
    const { revision } = header;
    switch (header.kind) {
      case ENTRY.shard:
        this.put(this.shards, header.key, { seq: info.seq, offset, bytes, isShared: false, revision: 0 });
        break;
      case ENTRY.record:
        this.putRecord(header.key, { seq: info.seq, offset, bytes, isShared: false, revision });
        break;
      case ENTRY.recordWithShard:
        this.put(this.shards, header.key, { seq: info.seq, offset, bytes, isShared: true, revision: 0 });
        this.putRecord(manifestKeyOf(header.key), { seq: info.seq, offset, bytes, isShared: true, revision });
        break;
      default:
        info.removals += bytes;
        this.remove(header, view, at + ENTRY_HEADER_BYTES);
    }
    info.bytes = offset + bytes;
  }

  private putRecord(key: Key, place: Place): void {
    this.newestRevision = Math.max(this.newestRevision, place.revision);
    const before = this.records.find(key);
    if (before === undefined || before.revision <= place.revision) this.put(this.records, key, place);
  }

  private put(table: PackTable, key: Key, place: Place): void {
    this.count(table.set(key, place), -1);
    this.count(place, 1);
  }

  private remove({ kind, recordBytes }: EntryHeader, view: DataView, from: number): void {
    const isOfRecords = kind === ENTRY.removedRecords;
    const step = isOfRecords ? REMOVED_RECORD_BYTES : KEY_BYTES;
    for (let at = from; at + step <= from + recordBytes; at += step) {
      readKey(view, at, this.key);
      if (!isOfRecords) this.count(this.shards.delete(this.key), -1);
      else if ((this.records.find(this.key)?.revision ?? Infinity) <= readRevision(view, at + KEY_BYTES))
        this.count(this.records.delete(this.key), -1);
    }
  }

  /** Two keys lead to a shared entry, and each counts for half of it. */
  private count(place: Place | undefined, sign: 1 | -1): void {
    const info = place === undefined ? undefined : this.packs.get(place.seq);
    if (place !== undefined && info !== undefined) info.live += sign * (place.isShared ? place.bytes / 2 : place.bytes);
  }
}

export function readRevision(view: DataView, at: number): number {
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}

export function writeRevision(view: DataView, at: number, revision: number): void {
  const high = Math.floor(revision / 2 ** 32);
  view.setUint32(at, high);
  view.setUint32(at + 4, revision - high * 2 ** 32);
}
