import { errorCode } from '../../common/errors.js';
import type { FileId } from '../../common/ids.js';
import { idFromBytes } from '../../common/ids.js';
import { mapOrdered } from '../../common/map-ordered.js';
import { NodeError, type NodeRecord, type RecordKey } from '../storage-node.js';
import { asNodeError } from './file-errors.js';
import type { NodeIdentity } from './node-identity.js';
import type { PackDescriptors } from './pack-descriptors.js';
import {
  ENTRY_HEADER_BYTES,
  ENTRY,
  EntryHeader,
  RECORD_PREFIX_BYTES,
  entryBytes,
  packSeed,
  type EntryBytes,
} from './pack-format.js';
import { manifestKeyOf, type Key } from './pack-key.js';
import type { Place } from './pack-table.js';
import type { Slots } from './slots.js';

/** An entry to be read, and the position of its answer. */
export interface Wanted {
  readonly position: number;
  readonly place: Place;
}

/** An entry as it was read, among others. */
export interface RawEntry extends EntryBytes {
  readonly at: number;
  readonly place: Place;
  /** True if answers may be views of the bytes: nobody else has them, and they are mostly answers. */
  readonly mayShare: boolean;
}

interface Run {
  readonly wanted: Wanted[];
  readonly start: number;
  end: number;
  used: number;
}

const RUN_BYTES_MAX = 1024 * 1024;
const GAP_BYTES_MAX = 8192;
const WIDTH = 8;

/** Reads entries of packs, those that lie side by side with one call, and proves them. */
export class PackReader {
  private readonly header = new EntryHeader();
  private readonly seeds = new Map<number, number>();

  constructor(
    private readonly descriptors: PackDescriptors,
    private readonly identity: NodeIdentity,
    private readonly slots: Slots,
  ) {}

  /** Reads the entries and hands over each, or the error of reading it; ENOENT as it is, for a pack that was compacted away meanwhile. */
  async read(wanted: Wanted[], signal: AbortSignal, take: (position: number, entry: RawEntry | Error) => void): Promise<void> {
    const runs = runsOf(wanted);
    const read = (run: Run): Promise<void> => this.slots.run(() => this.readRun(run, take), signal);
    const reading = mapOrdered(runs, WIDTH, read);
    while ((await reading.next()).done !== true) signal.throwIfAborted();
  }

  /** The payload of a shard's entry; `corrupt` if it is not what was put under that key. */
  shard(entry: RawEntry, key: Key): Uint8Array | NodeError {
    const { header } = this;
    if (!this.isIntact(entry) || header.kind === ENTRY.record || !isSameKey(header.key, key)) return damaged();
    if (!header.isPayloadWhole(entry.bytes, entry.at)) return damaged();
    const from = entry.at + ENTRY_HEADER_BYTES + header.recordBytes;
    return entry.mayShare
      ? entry.bytes.subarray(from, from + header.payloadBytes)
      : entry.bytes.slice(from, from + header.payloadBytes);
  }

  /** The record of an entry; `corrupt` if it is not what was put under that key. */
  record(entry: RawEntry, { kind, id, page }: RecordKey, key: Key): NodeRecord | NodeError {
    const { header } = this;
    if (!this.isIntact(entry) || header.kind === ENTRY.shard) return damaged();
    const own = header.kind === ENTRY.recordWithShard ? manifestKeyOf(header.key) : header.key;
    if (!isSameKey(own, key) || !header.isRecordWhole(entry.bytes, entry.at)) return damaged();
    const from = entry.at + ENTRY_HEADER_BYTES;
    const fileId = idFromBytes<FileId>(entry.bytes, from);
    const bytes = entry.bytes.slice(from + RECORD_PREFIX_BYTES, from + header.recordBytes);
    return { kind, id, page, revision: header.revision, fileId, bytes };
  }

  private isIntact({ bytes, view, at, place }: RawEntry): boolean {
    const seed = this.seedOf(place.seq);
    return (
      at + place.bytes <= bytes.byteLength &&
      this.header.read({ bytes, view }, { at, seed, offset: place.offset }) &&
      this.header.bytes === place.bytes
    );
  }

  private seedOf(seq: number): number {
    let seed = this.seeds.get(seq);
    if (seed === undefined) {
      if (this.seeds.size > 1024) this.seeds.clear();
      seed = packSeed(this.identity, seq);
      this.seeds.set(seq, seed);
    }
    return seed;
  }

  private async readRun(run: Run, take: (position: number, entry: RawEntry | Error) => void): Promise<void> {
    const seq = (run.wanted[0] as Wanted).place.seq;
    try {
      const whole = entryBytes(run.end - run.start);
      const filled = await this.descriptors.read(seq, whole.bytes, run.start);
      const bytes = whole.bytes.subarray(0, filled);
      const isMostlyUsed = run.used * 2 >= run.end - run.start;
      let last = -1;
      for (const { position, place } of run.wanted) {
        const mayShare = isMostlyUsed && place.offset !== last;
        last = place.offset;
        take(position, { bytes, view: whole.view, at: place.offset - run.start, place, mayShare });
      }
    } catch (cause) {
      const error = errorCode(cause) === 'ENOENT' ? (cause as Error) : asNodeError(cause, 'reading a pack');
      for (const { position } of run.wanted) take(position, error);
    }
  }
}

/** What is wanted, in runs of entries that lie close to each other. */
function runsOf(wanted: Wanted[]): Run[] {
  wanted.sort((a, b) => a.place.seq - b.place.seq || a.place.offset - b.place.offset);
  const runs: Run[] = [];
  let run: Run | undefined;
  let seq = -1;
  for (const item of wanted) {
    const { place } = item;
    const end = place.offset + place.bytes;
    const joins =
      run !== undefined && place.seq === seq && place.offset - run.end <= GAP_BYTES_MAX && end - run.start <= RUN_BYTES_MAX;
    if (run === undefined || !joins) {
      run = { wanted: [], start: place.offset, end, used: 0 };
      runs.push(run);
      seq = place.seq;
    }
    if (end > run.end || run.wanted.length === 0) run.used += place.bytes;
    run.end = Math.max(run.end, end);
    run.wanted.push(item);
  }
  return runs;
}

function isSameKey(a: Key, b: Key): boolean {
  for (let word = a.length - 1; word >= 0; word -= 1) if (a[word] !== b[word]) return false;
  return true;
}

function damaged(): NodeError {
  return new NodeError('corrupt', 'its entry in a pack is not what was put');
}
