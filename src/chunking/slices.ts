import type { ByteRange } from '../common/byte-range.js';
import { release } from '../common/release.js';

/** The slices that cover a byte range, and where the range lies in them. */
export interface SliceSpan {
  /** Number of the first slice, from 0. */
  readonly first: number;
  /** Number behind the last slice. */
  readonly end: number;
  /** Bytes of the first slice that lie before the range. */
  readonly skip: number;
}

/** Which slices hold a range of the sealed body: no more than needed. An empty range needs none. */
export function slicesCovering({ from, to }: ByteRange, sliceBytes: number): SliceSpan {
  const first = Math.floor(from / sliceBytes);
  const end = to <= from ? first : Math.ceil(to / sliceBytes);
  return { first, end, skip: from - first * sliceBytes };
}

/** As many small slices as fit are cut together, from one buffer: a step of a stream and a buffer for each would cost more than their bytes. */
const GROUP_BYTES = 64 * 1024;

/**
 * Cuts a stream into slices of exactly `sliceBytes`, the last one shorter, whatever the sizes in which the bytes arrive. They come in groups
 * as they are full; those of a group may share a buffer, which the consumer owns. An empty stream has no slice. What the source yields is
 * released.
 */
export async function* slice(
  source: AsyncIterable<Uint8Array>,
  sliceBytes: number,
): AsyncGenerator<readonly Uint8Array[], void, undefined> {
  const groupBytes = sliceBytes * Math.max(1, Math.floor(GROUP_BYTES / sliceBytes));
  // The first group begins at the size of what arrives and grows to the full size: many small files must not take a full slice each.
  // Where one group was filled more will be.
  let current = new Uint8Array(0);
  let length = 0;
  for await (const chunk of source) {
    for (let taken = 0; taken < chunk.length;) {
      const count = Math.min(chunk.length - taken, groupBytes - length);
      if (length + count > current.length)
        current = grown(current, length, Math.min(groupBytes, Math.max(length + count, 4 * length)));
      current.set(chunk.subarray(taken, taken + count), length);
      length += count;
      taken += count;
      if (length < groupBytes) continue;
      yield parts(current, sliceBytes);
      current = Buffer.allocUnsafeSlow(groupBytes);
      length = 0;
    }
    release(chunk);
  }
  if (length > 0) yield parts(current.subarray(0, length), sliceBytes);
}

/** Cuts bytes that are at hand, without copying them. */
export async function* cut(whole: Uint8Array, sliceBytes: number): AsyncGenerator<readonly Uint8Array[], void, undefined> {
  if (whole.length > 0) yield await Promise.resolve(parts(whole, sliceBytes));
}

function parts(bytes: Uint8Array, partBytes: number): readonly Uint8Array[] {
  if (bytes.length <= partBytes) return [bytes]; // itself, so that it can be released
  return Array.from({ length: Math.ceil(bytes.length / partBytes) }, (_, at) =>
    bytes.subarray(at * partBytes, (at + 1) * partBytes),
  );
}

/**
 * A stream that ends within `bytesMax` bytes, as one buffer that the caller owns; any other one as a stream of the same bytes.
 * The stream has to be read, or its source is left open.
 */
export async function gather(
  source: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<{ readonly whole: Uint8Array } | { readonly stream: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const step = await iterator.next();
    if (step.done === true) return { whole: Buffer.concat(pieces) };
    pieces.push(step.value);
    bytes += step.value.length;
    if (bytes > bytesMax) return { stream: resumed(pieces, iterator) };
  }
}

async function* resumed(pieces: Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let isDone = false;
  try {
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) yield piece; // so that none is kept
    for (;;) {
      const step = await rest.next();
      if (step.done === true) {
        isDone = true;
        return;
      }
      yield step.value;
    }
  } finally {
    if (!isDone) await rest.return?.();
  }
}

function grown(bytes: Uint8Array, length: number, capacity: number): Uint8Array<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(capacity);
  larger.set(bytes.subarray(0, length));
  return larger;
}

/**
 * The bytes of a range out of the slices that cover it.
 * @param skip bytes before the range in the first slice
 * @param length bytes of the range
 */
export async function* join(
  slices: AsyncIterable<Uint8Array>,
  { skip, length }: { readonly skip: number; readonly length: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  let before = skip;
  let left = length;
  for await (const bytes of slices) {
    const from = Math.min(before, bytes.length);
    const piece = bytes.subarray(from, Math.min(bytes.length, from + left));
    before -= from;
    left -= piece.length;
    if (piece.length > 0) yield piece;
    if (left === 0) return;
  }
}
