import { ENTRY, ENTRY_HEADER_BYTES, EntryHeader, type EntryBytes } from './pack-format.js';
import { REMOVED_RECORD_BYTES, readRevision, type PackIndex, type PackInfo } from './pack-index.js';
import { KEY_BYTES, KEY_WORDS, manifestKeyOf, readKey, type Key } from './pack-key.js';
import type { Place } from './pack-table.js';
import type { Scanned } from './pack-scan.js';
import { composeRemoval, type Target, type Writing } from './pack-writings.js';

/**
 * Moves what still counts of a stretch of a pack. That is decided when it is composed: an entry is copied only if its key leads to the
 * old place then, so that the order of the log stays the order of what happened.
 */
export class CopyWriting implements Writing {
  readonly bytesMax: number;
  /** Bytes of the removals of which it can be read what they removed. */
  readonly removals: number;
  /** True if a removal can neither be dropped nor be moved: the pack has to stay. */
  hasStuck = false;
  private readonly header = new EntryHeader();
  private readonly key: Key = new Uint32Array(KEY_WORDS);

  constructor(
    private readonly source: Scanned,
    private readonly info: PackInfo,
    private readonly index: PackIndex,
  ) {
    this.bytesMax = source.entries.reduce((sum, at) => sum + this.bytesToCopy(at), 0);
    this.removals = source.entries.reduce((sum, at) => sum + this.bytesOfRemoval(at), 0);
  }

  compose(target: Target, from: number): number {
    let end = from;
    for (const at of this.source.entries) end = this.copy(target, end, at);
    return end;
  }

  private bytesToCopy(at: number): number {
    const { header } = this;
    header.readProven(this.source.view, at);
    if (isRemoval(header)) return this.index.isOldest(this.info.seq) ? 0 : header.bytes;
    return this.isShardHere(at) || this.isRecordHere(at) ? header.bytes : 0;
  }

  private bytesOfRemoval(at: number): number {
    const { header, source } = this;
    header.readProven(source.view, at);
    return isRemoval(header) && header.isRecordWhole(source.bytes, at) ? header.bytes : 0;
  }

  private copy(target: Target, end: number, at: number): number {
    const { header, source } = this;
    header.readProven(source.view, at);
    if (isRemoval(header)) return this.copyRemoval(target, end, at);
    const hasShard = this.isShardHere(at);
    const hasRecord = this.isRecordHere(at);
    if (!hasShard && !hasRecord) return end;
    const record = at + ENTRY_HEADER_BYTES;
    const payload = record + header.recordBytes;
    const payloadEnd = payload + header.payloadBytes;
    if (header.kind === ENTRY.recordWithShard && !(hasShard && hasRecord)) this.reduce(hasShard);
    const parts = source.bytes.subarray(hasRecord ? record : payload, hasShard ? payloadEnd : payload);
    target.bytes.set(parts, end + ENTRY_HEADER_BYTES);
    header.write(target, { at: end, seed: target.seed, offset: target.start + end });
    return end + header.bytes;
  }

  /** Makes the header that of the half of a shared entry which still counts: the other one must not come back. */
  private reduce(hasShard: boolean): void {
    const { header } = this;
    if (hasShard) {
      header.kind = ENTRY.shard;
      header.revision = header.recordBytes = header.recordChecksum = 0;
      return;
    }
    header.kind = ENTRY.record;
    header.key.set(manifestKeyOf(header.key));
    header.k = header.m = header.payloadBytes = header.payloadChecksum = 0;
  }

  private isShardHere(at: number): boolean {
    const { header } = this;
    return header.kind !== ENTRY.record && this.isHere(this.index.shards.find(header.key), at);
  }

  private isRecordHere(at: number): boolean {
    const { header } = this;
    if (header.kind === ENTRY.shard) return false;
    const key = header.kind === ENTRY.recordWithShard ? manifestKeyOf(header.key) : header.key;
    return this.isHere(this.index.records.find(key), at);
  }

  private isHere(place: Place | undefined, at: number): boolean {
    return place?.seq === this.info.seq && place.offset === this.source.start + at;
  }

  /** A removal is needed while an older pack may hold what it removed, and no longer when the key is there again. */
  private copyRemoval(target: Target, end: number, at: number): number {
    const { header, source, index } = this;
    if (index.isOldest(this.info.seq) || !header.isRecordWhole(source.bytes, at)) return end;
    const isOfRecords = header.kind === ENTRY.removedRecords;
    const keyBytes = isOfRecords ? REMOVED_RECORD_BYTES : KEY_BYTES;
    const kept: number[] = [];
    const record = at + ENTRY_HEADER_BYTES;
    for (let position = record; position < record + header.recordBytes; position += keyBytes) {
      readKey(source.view, position, this.key);
      if (isOfRecords ? this.needsRecordRemoval(source, position) : index.shards.find(this.key) === undefined)
        kept.push(position);
    }
    if (kept.length === 0) return end;
    return composeRemoval(target, end, {
      kind: isOfRecords ? ENTRY.removedRecords : ENTRY.removedShards,
      keyBytes,
      count: kept.length,
      write: (to, position) => {
        const origin = kept[position] as number;
        target.bytes.set(source.bytes.subarray(origin, origin + keyBytes), to);
      },
    });
  }

  private needsRecordRemoval({ view }: EntryBytes, position: number): boolean {
    const there = this.index.records.find(this.key);
    if (there === undefined) return true;
    // Moved behind a record that was put after it with a lower revision it would remove that one; dropped, it would let the older rise.
    if (there.revision < readRevision(view, position + KEY_BYTES)) this.hasStuck = true;
    return false;
  }
}

function isRemoval(header: EntryHeader): boolean {
  return header.kind === ENTRY.removedShards || header.kind === ENTRY.removedRecords;
}
