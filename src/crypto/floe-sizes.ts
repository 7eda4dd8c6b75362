/** The arithmetic of FLOE: sizes and ranges follow from each other without running the cipher. Pure; all ranges are half open. */
import type { ByteRange } from '../common/byte-range.js';
import { FLOE, SEGMENT_OVERHEAD_BYTES, type FloeParameters } from './floe-format.js';

/** Segments from `first` to `last`, both of them included. */
export interface SegmentRange {
  readonly first: number;
  readonly last: number;
}

/** Where one segment lies in the sealed body. */
export interface SegmentSpan extends ByteRange {
  readonly final: boolean;
}

/** Bytes of plaintext in an inner segment. */
export function plainSegmentBytes({ segmentBytes }: FloeParameters = FLOE): number {
  return segmentBytes - SEGMENT_OVERHEAD_BYTES;
}

/** Bytes of the body (without the header) that so many bytes of plaintext are sealed into by our sealers. */
export function sealedSizeOf(plainSize: number, parameters: FloeParameters = FLOE): number {
  assertSize(plainSize);
  // An empty message has a segment too: without one, nothing would say that the message ends there.
  return plainSize + SEGMENT_OVERHEAD_BYTES * Math.max(1, Math.ceil(plainSize / plainSegmentBytes(parameters)));
}

/** Bytes of the plaintext in a body of this size. @throws RangeError if no body can be of this size. */
export function plainSizeOf(sealedSize: number, parameters: FloeParameters = FLOE): number {
  return sealedSize - SEGMENT_OVERHEAD_BYTES * segmentCount(sealedSize, parameters);
}

/** Segments in a body of this size. @throws RangeError if no body can be of this size. */
export function segmentCount(sealedSize: number, { segmentBytes, segmentsMax }: FloeParameters = FLOE): number {
  assertSize(sealedSize);
  const count = Math.ceil(sealedSize / segmentBytes);
  const finalBytes = sealedSize - (count - 1) * segmentBytes;
  if (count === 0 || finalBytes < SEGMENT_OVERHEAD_BYTES || count > segmentsMax) {
    throw new RangeError(`no FLOE body can be ${sealedSize} bytes long`);
  }
  return count;
}

/** The segments that hold a range of the plaintext, which must not be empty. */
export function segmentsOf({ from, to }: ByteRange, parameters: FloeParameters = FLOE): SegmentRange {
  assertSize(from);
  assertSize(to);
  if (from >= to) throw new RangeError('an empty range lies in no segment');
  const bytes = plainSegmentBytes(parameters);
  return { first: Math.floor(from / bytes), last: Math.floor((to - 1) / bytes) };
}

/** Where the segment at a position lies in a body of this size, and whether it is the final one. */
export function segmentSpan(position: number, sealedSize: number, parameters: FloeParameters = FLOE): SegmentSpan {
  const count = segmentCount(sealedSize, parameters);
  if (!Number.isInteger(position) || position < 0 || position >= count) {
    throw new RangeError(`there is no segment ${position} of ${count}`);
  }
  const from = position * parameters.segmentBytes;
  const final = position === count - 1;
  return { from, to: final ? sealedSize : from + parameters.segmentBytes, final };
}

/** Where the segments that hold a range of the plaintext lie in a body of this size. */
export function sealedRangeOf({ first, last }: SegmentRange, sealedSize: number, parameters: FloeParameters = FLOE): ByteRange {
  return { from: segmentSpan(first, sealedSize, parameters).from, to: segmentSpan(last, sealedSize, parameters).to };
}

function assertSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`${size} is no number of bytes`);
}
