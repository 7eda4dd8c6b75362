import { free, RELEASED_BYTES_LEAST } from '../../common/release.js';
import { totalBytes } from '../../common/total-bytes.js';
import { noteOwn, noteRead } from '../read-bytes.js';
import { NodeError } from '../storage-node.js';
import { decodeFailure, encodeFailure, FRAME_BYTES_MAX } from './peer-frames.js';

const HEAD_BYTES = 5;
const CHECKSUM_BYTES = 4;
const OK = 0;
const FAILED = 1;
const PROVEN = 2;

/** Bytes and the CRC-32 that they were compared with when they were read. */
export interface ProvenBytes {
  readonly bytes: Uint8Array;
  readonly checksum: number;
}

/** The answer to one thing that was asked for: bytes in parts, or an error. */
export type Entry = readonly Uint8Array[] | ProvenBytes | NodeError;

/** Answers to a list of things that were asked for, in order. As payloads of frames, small ones together. */
export function* encodeEntries(entries: Iterable<Entry>): Generator<readonly Uint8Array[], void, undefined> {
  let payload: Uint8Array[] = [];
  let bytes = 0;
  for (const part of partsOf(entries)) {
    if (bytes + part.byteLength > FRAME_BYTES_MAX) {
      yield payload;
      [payload, bytes] = [[], 0];
    }
    payload.push(part);
    bytes += part.byteLength;
  }
  if (bytes > 0) yield payload;
}

/** None of them longer than a frame. */
function* partsOf(entries: Iterable<Entry>): Generator<Uint8Array, void, undefined> {
  for (const entry of entries) {
    const isFailure = entry instanceof NodeError;
    const isProven = 'checksum' in entry;
    const parts = isFailure ? [encodeFailure(entry)] : isProven ? [entry.bytes] : entry;
    const head = Buffer.alloc(isProven ? HEAD_BYTES + CHECKSUM_BYTES : HEAD_BYTES);
    head.writeUInt8(isFailure ? FAILED : isProven ? PROVEN : OK, 0);
    head.writeUInt32BE(totalBytes(parts), 1);
    if (isProven) head.writeUInt32BE(entry.checksum, HEAD_BYTES);
    yield head;
    for (const part of parts)
      for (let at = 0; at < part.byteLength; at += FRAME_BYTES_MAX) yield part.subarray(at, at + FRAME_BYTES_MAX);
  }
}

/** Puts the entries together again, from payloads that are cut anywhere. */
export class EntryReader {
  readonly entries: (Uint8Array | NodeError)[] = [];
  private readonly head = Buffer.alloc(HEAD_BYTES + CHECKSUM_BYTES);
  /** Bytes of the entry that is to come next; undefined while its head is. */
  private length: number | undefined;
  private body: Uint8Array | undefined;
  private filled = 0;

  /** How many entries there have to be, and how long one of them may be. */
  constructor(
    private readonly count: number,
    private readonly bytesMax: (position: number) => number,
  ) {}

  /**
   * Takes a payload, whose buffer holds nothing else that is needed: it becomes that of an entry which has it to itself, and is given back when
   * all of it was copied.
   */
  push(payload: Uint8Array): void {
    if (payload.byteLength > 0 && payload.byteLength === this.length && this.filled === 0) this.take(payload);
    else {
      this.copy(payload);
      if (payload.byteLength >= RELEASED_BYTES_LEAST) free(payload.buffer);
    }
  }

  private copy(payload: Uint8Array): void {
    let rest = payload;
    while (rest.byteLength > 0) {
      if (this.length !== undefined) this.body ??= Buffer.allocUnsafeSlow(this.length);
      const target = this.body ?? this.head.subarray(0, this.headBytes);
      const taken = rest.subarray(0, target.byteLength - this.filled);
      target.set(taken, this.filled);
      this.filled += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (this.filled < target.byteLength) return;
      if (this.body !== undefined) this.take(this.body);
      else if (this.filled === this.headBytes) this.begin();
    }
  }

  /** Known when the first byte of the head has come; that it is as long as others is enough until then. */
  private get headBytes(): number {
    return this.filled > 0 && this.head[0] === PROVEN ? HEAD_BYTES + CHECKSUM_BYTES : HEAD_BYTES;
  }

  /** All of them. */
  finish(): readonly (Uint8Array | NodeError)[] {
    if (this.entries.length !== this.count || this.filled > 0 || this.length !== undefined) throw malformed();
    return this.entries;
  }

  private begin(): void {
    this.filled = 0;
    const length = this.head.readUInt32BE(1);
    const position = this.entries.length;
    const most = this.head[0] === FAILED ? () => FRAME_BYTES_MAX : this.bytesMax;
    if (position >= this.count || (this.head[0] as number) > PROVEN || length > most(position)) throw malformed();
    this.length = length;
    if (length === 0) this.take(new Uint8Array());
  }

  private take(entry: Uint8Array): void {
    this.entries.push(this.head[0] === FAILED ? decodeFailure(entry) : entry);
    if (this.head[0] === PROVEN) noteRead(entry, this.head.readUInt32BE(HEAD_BYTES));
    else if (entry.byteLength >= RELEASED_BYTES_LEAST) noteOwn(entry);
    this.length = undefined;
    this.body = undefined;
    this.filled = 0;
  }
}

function malformed(): NodeError {
  return new NodeError('rejected', 'it answers otherwise than it was asked: another version of the protocol');
}
