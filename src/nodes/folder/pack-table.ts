import { KEY_WORDS, type Key } from './pack-key.js';

/** Where an entry lies. */
export interface Place {
  readonly seq: number;
  readonly offset: number;
  /** Bytes of the entry; never 0. */
  readonly bytes: number;
  /** True for an entry that two keys lead to: a record and the shard that rides in it. */
  readonly isShared: boolean;
  /** Of a record; 0 for a shard. */
  readonly revision: number;
}

/** A part of the table that holds more keys than this is split. Small enough that neither that nor sorting it is felt. */
const KEYS_MAX = 8192;
const SLOTS_LEAST = 16;
const DEPTH_LEAST = 4;
const DEPTH_MOST = 26;
/** The directory does not grow for keys that no split can part, such as those of one stretch of one version. */
const KEYS_PER_PART_LEAST = 512;
const SHARED = 2 ** 31;

/**
 * Where the entry of each key lies: extendible hashing over parts of open addressing in typed arrays, about 65 bytes a key. It grows part
 * by part, so no step takes long. Which part a key is in depends on its id and its number >> 12: so a part has runs of consecutive
 * stripes, and a walk that takes part after part, in the order of the hash, misses no key and meets none twice while parts are split.
 */
export class PackTable {
  private depth = DEPTH_LEAST;
  private parts: Part[];
  private count = 0;

  constructor(hasRevisions: boolean) {
    this.parts = Array.from({ length: 2 ** DEPTH_LEAST }, () => new Part(DEPTH_LEAST, SLOTS_LEAST, hasRevisions));
  }

  get size(): number {
    return this.count;
  }

  find(key: Key): Place | undefined {
    return this.partOf(key).find(key);
  }

  /** Returns the place that it was at before. */
  set(key: Key, place: Place): Place | undefined {
    let part = this.partOf(key);
    while (part.isCrowded) {
      if (part.count >= KEYS_MAX && this.canSplit(part)) this.split(part);
      else this.replace(part, [part.withSlots(part.slots * 2)]);
      part = this.partOf(key);
    }
    const before = part.set(key, place);
    if (before === undefined) this.count += 1;
    return before;
  }

  delete(key: Key): Place | undefined {
    const before = this.partOf(key).delete(key);
    if (before !== undefined) this.count -= 1;
    return before;
  }

  /** All keys that are there all the time, each once: part after part, sorted, as {@link KEY_WORDS} words each. */
  *walk(): Generator<Uint32Array, void, undefined> {
    let cursor = 0;
    while (cursor < 2 ** 32) {
      const part = this.parts[cursor >>> (32 - this.depth)] as Part;
      yield part.sortedKeys();
      // Counted from the start of the part as it is found, which may have been split, never merged, since the last step.
      cursor += 2 ** (32 - part.depth);
    }
  }

  private partOf(key: Key): Part {
    return this.parts[partHash(key) >>> (32 - this.depth)] as Part;
  }

  private canSplit(part: Part): boolean {
    if (part.depth < this.depth) return true;
    return this.depth < DEPTH_MOST && this.parts.length * KEYS_PER_PART_LEAST <= this.count;
  }

  private split(part: Part): void {
    if (part.depth === this.depth) {
      this.parts = this.parts.flatMap((each) => [each, each]);
      this.depth += 1;
    }
    this.replace(part, part.halves());
  }

  /** Puts one part, or two halves, into the places of the directory that led to a part. */
  private replace(part: Part, [low, high]: readonly Part[]): void {
    const width = 2 ** (this.depth - part.depth);
    const first = this.parts.indexOf(part);
    for (let at = 0; at < width; at += 1) this.parts[first + at] = high !== undefined && at >= width / 2 ? high : (low as Part);
  }
}

class Part {
  count = 0;
  private readonly keys: Uint32Array;
  private readonly seqs: Uint32Array;
  private readonly offsets: Uint32Array;
  /** 0 is an empty slot; the highest bit is {@link Place.isShared}. */
  private readonly sizes: Uint32Array;
  private readonly revisions: Float64Array | undefined;

  constructor(
    readonly depth: number,
    readonly slots: number,
    hasRevisions: boolean,
  ) {
    this.keys = new Uint32Array(slots * KEY_WORDS);
    this.seqs = new Uint32Array(slots);
    this.offsets = new Uint32Array(slots);
    this.sizes = new Uint32Array(slots);
    this.revisions = hasRevisions ? new Float64Array(slots) : undefined;
  }

  get isCrowded(): boolean {
    return this.count * 4 >= this.slots * 3;
  }

  find(key: Key): Place | undefined {
    const slot = this.slotOf(key, 0);
    return this.sizes[slot] === 0 ? undefined : this.placeAt(slot);
  }

  set(key: Key, place: Place): Place | undefined {
    const slot = this.slotOf(key, 0);
    const before = this.sizes[slot] === 0 ? undefined : this.placeAt(slot);
    if (before === undefined) {
      this.keys.set(key, slot * KEY_WORDS);
      this.count += 1;
    }
    this.seqs[slot] = place.seq;
    this.offsets[slot] = place.offset;
    this.sizes[slot] = place.bytes + (place.isShared ? SHARED : 0);
    if (this.revisions !== undefined) this.revisions[slot] = place.revision;
    return before;
  }

  delete(key: Key): Place | undefined {
    const slot = this.slotOf(key, 0);
    if (this.sizes[slot] === 0) return undefined;
    const before = this.placeAt(slot);
    this.empty(slot);
    this.count -= 1;
    return before;
  }

  withSlots(slots: number): Part {
    const other = new Part(this.depth, slots, this.revisions !== undefined);
    for (let slot = 0; slot < this.slots; slot += 1) if (this.sizes[slot] !== 0) other.take(this, slot);
    return other;
  }

  halves(): readonly [Part, Part] {
    const make = (): Part => new Part(this.depth + 1, this.slots, this.revisions !== undefined);
    const halves = [make(), make()] as const;
    for (let slot = 0; slot < this.slots; slot += 1) {
      if (this.sizes[slot] === 0) continue;
      const bit = (partHash(this.keys, slot * KEY_WORDS) >>> (31 - this.depth)) & 1;
      (halves[bit] as Part).take(this, slot);
    }
    return halves;
  }

  sortedKeys(): Uint32Array {
    const { keys } = this;
    const order = new Uint32Array(this.count);
    let filled = 0;
    for (let slot = 0; slot < this.slots; slot += 1) if (this.sizes[slot] !== 0) order[filled++] = slot * KEY_WORDS;
    order.sort((a, b) => {
      let word = 0;
      while (word < KEY_WORDS - 1 && keys[a + word] === keys[b + word]) word += 1;
      return (keys[a + word] as number) - (keys[b + word] as number);
    });
    const sorted = new Uint32Array(filled * KEY_WORDS);
    for (let at = 0; at < filled; at += 1) {
      const from = order[at] as number;
      for (let word = 0; word < KEY_WORDS; word += 1) sorted[at * KEY_WORDS + word] = keys[from + word] as number;
    }
    return sorted;
  }

  private take(other: Part, from: number): void {
    const slot = this.slotOf(other.keys, from * KEY_WORDS);
    this.move(other, from, slot);
    this.count += 1;
  }

  /** The slot of a key, or the empty one where it would be. There is always one: a part is never full. */
  private slotOf(key: Uint32Array, at: number): number {
    const mask = this.slots - 1;
    let slot = slotHash(key, at) & mask;
    while (this.sizes[slot] !== 0 && !this.isAt(slot, key, at)) slot = (slot + 1) & mask;
    return slot;
  }

  private isAt(slot: number, key: Uint32Array, at: number): boolean {
    const { keys } = this;
    const own = slot * KEY_WORDS;
    for (let word = KEY_WORDS - 1; word >= 0; word -= 1) if (keys[own + word] !== key[at + word]) return false;
    return true;
  }

  /** Empties a slot and moves up those behind it that it kept from their place, so that no search ends too early. */
  private empty(slot: number): void {
    const mask = this.slots - 1;
    let hole = slot;
    for (let next = (hole + 1) & mask; this.sizes[next] !== 0; next = (next + 1) & mask) {
      const home = slotHash(this.keys, next * KEY_WORDS) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      this.move(this, next, hole);
      hole = next;
    }
    this.sizes[hole] = 0;
  }

  private move(other: Part, from: number, to: number): void {
    for (let word = 0; word < KEY_WORDS; word += 1)
      this.keys[to * KEY_WORDS + word] = other.keys[from * KEY_WORDS + word] as number;
    this.seqs[to] = other.seqs[from] as number;
    this.offsets[to] = other.offsets[from] as number;
    this.sizes[to] = other.sizes[from] as number;
    if (this.revisions !== undefined) this.revisions[to] = other.revisions?.[from] as number;
  }

  private placeAt(slot: number): Place {
    const size = this.sizes[slot] as number;
    return {
      seq: this.seqs[slot] as number,
      offset: this.offsets[slot] as number,
      bytes: size & (SHARED - 1),
      isShared: size >= SHARED,
      revision: this.revisions?.[slot] ?? 0,
    };
  }
}

function partHash(key: Uint32Array, at = 0): number {
  let hash = mixed(key[at] as number, key[at + 1] as number);
  hash = mixed(hash, key[at + 2] as number);
  hash = mixed(hash, key[at + 3] as number);
  hash = mixed(hash, key[at + 4] as number);
  return finished(mixed(hash, (key[at + 5] as number) >>> 20));
}

function slotHash(key: Uint32Array, at: number): number {
  return finished(
    mixed(mixed(mixed(key[at + 2] as number, key[at + 3] as number), key[at + 4] as number), key[at + 5] as number),
  );
}

/** Steps of MurmurHash3 (Austin Appleby, public domain). */
function mixed(hash: number, word: number): number {
  const scrambled = Math.imul(word, 0xcc9e2d51);
  const turned = hash ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0;
}

function finished(hash: number): number {
  let value = hash;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
