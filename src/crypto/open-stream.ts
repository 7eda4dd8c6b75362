import { DomainError } from '../common/errors.js';
import type { FloeParameters } from './floe-format.js';
import { segmentSpan, type SegmentSpan } from './floe-sizes.js';
import { SealError } from './seal-error.js';

/** Either back end's sealer. */
export interface SegmentSealer {
  /** Bytes of what was pushed last that are not sealed yet. */
  readonly heldBytes: number;
  push(plain: Uint8Array): Uint8Array[] | Promise<Uint8Array[]>;
  finish(): Uint8Array[] | Promise<Uint8Array[]>;
}

/** Either back end's opener. */
export interface SegmentOpener {
  readonly parameters: FloeParameters;
  openSegment(sealed: Uint8Array, position: number, final: boolean): Uint8Array | Promise<Uint8Array>;
}

export interface OpenOptions {
  /** Bytes of the whole sealed body, from the authenticated record: it decides which segment is the final one. */
  readonly sealedSize: number;
  readonly firstSegment: number;
  readonly lastSegment: number;
  /** Other candidates for the bytes `from` to `to` of the sealed body: one segment that did not open. Asked for only then. */
  readonly recover?: (from: number, to: number) => AsyncIterable<Uint8Array>;
}

interface SealedSegment extends SegmentSpan {
  readonly position: number;
  /** Valid until the next one is asked for. */
  readonly bytes: Uint8Array;
}

/**
 * Opens a stream of ciphertext, in chunks of any size, that begins with `firstSegment` and ends with `lastSegment`: yields the plaintext
 * of each segment, which is empty only for the final one. The pieces belong to the caller; the chunks are not kept.
 *
 * @throws DomainError `data-damaged` if a segment does not open and no candidate does, if the chunks end early, and if they do not end.
 *   Whoever has begun to answer with these pieces must then break the answer off.
 * @throws RangeError if the body cannot be of this size or has no such segments.
 */
export async function* openSegments(
  chunks: AsyncIterable<Uint8Array>,
  opener: SegmentOpener,
  options: OpenOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const segment of cutSegments(chunks, opener.parameters, options)) {
    const plain = await tryWhole(opener, segment, segment.bytes);
    yield plain ?? (await openCandidate(opener, segment, options));
  }
}

/**
 * Seals a stream of plaintext. Its pieces must not be changed until they are sealed.
 * @param onSealed is given each piece as soon as all of it is
 */
export async function* sealStream(
  plain: AsyncIterable<Uint8Array>,
  sealer: SegmentSealer,
  onSealed: (piece: Uint8Array) => void = () => undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const pushed: Uint8Array[] = [];
  let laterBytes = 0;
  for await (const piece of plain) {
    const sealed = await sealer.push(piece);
    pushed.push(piece);
    laterBytes += piece.length;
    for (let [first] = pushed; first !== undefined && laterBytes - first.length >= sealer.heldBytes; [first] = pushed) {
      pushed.shift();
      laterBytes -= first.length;
      onSealed(first);
    }
    yield* sealed;
  }
  yield* await sealer.finish();
  for (const piece of pushed) onSealed(piece);
}

/** Cuts the chunks into segments: views of a chunk where one lies whole in it, copies only of those that straddle chunks. */
async function* cutSegments(
  chunks: AsyncIterable<Uint8Array>,
  parameters: FloeParameters,
  { sealedSize, firstSegment, lastSegment }: OpenOptions,
): AsyncGenerator<SealedSegment, void, undefined> {
  if (firstSegment > lastSegment) throw new RangeError('a range of segments is never empty');
  segmentSpan(lastSegment, sealedSize, parameters);
  const straddling = new StraddlingSegment(parameters.segmentBytes);
  let position = firstSegment;
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length;) {
      if (position > lastSegment) throw new DomainError('data-damaged', 'more bytes came than this part of the file has');
      const span = segmentSpan(position, sealedSize, parameters);
      const missing = span.to - span.from - straddling.bytes;
      const part = chunk.subarray(from, from + missing);
      from += part.length;
      if (part.length < missing) straddling.add(part);
      else yield { ...span, position: position++, bytes: straddling.complete(part) };
    }
  }
  if (position <= lastSegment) throw new DomainError('data-damaged', 'fewer bytes came than this part of the file has');
}

/** The one buffer in which segments that straddle chunks are put together, one after the other. */
class StraddlingSegment {
  bytes = 0;
  private buffer: Uint8Array | undefined;

  constructor(private readonly bytesMax: number) {}

  add(part: Uint8Array): Uint8Array {
    this.buffer ??= new Uint8Array(this.bytesMax);
    this.buffer.set(part, this.bytes);
    this.bytes += part.length;
    return this.buffer.subarray(0, this.bytes);
  }

  /** The whole segment with its last part, which is all of it if nothing came before. */
  complete(part: Uint8Array): Uint8Array {
    if (this.bytes === 0) return part;
    const whole = this.add(part);
    this.bytes = 0;
    return whole;
  }
}

async function openCandidate(opener: SegmentOpener, segment: SealedSegment, { recover }: OpenOptions): Promise<Uint8Array> {
  if (recover !== undefined) {
    for await (const candidate of recover(segment.from, segment.to)) {
      const plain = await tryWhole(opener, segment, candidate);
      if (plain !== undefined) return plain;
    }
  }
  throw new DomainError('data-damaged', `no copy of segment ${segment.position} is intact`);
}

/** The plaintext, or undefined if the bytes do not authenticate. Every other error is one of the program and goes on. */
export async function tryOpen(
  opener: SegmentOpener,
  bytes: Uint8Array,
  { position, final }: Pick<SealedSegment, 'position' | 'final'>,
): Promise<Uint8Array | undefined> {
  try {
    return await opener.openSegment(bytes, position, final);
  } catch (error) {
    if (error instanceof SealError) return undefined;
    throw error;
  }
}

/** A final segment tells its own length: a shorter one must not pass for the one that the record speaks of. */
async function tryWhole(opener: SegmentOpener, segment: SealedSegment, bytes: Uint8Array): Promise<Uint8Array | undefined> {
  return bytes.length === segment.to - segment.from ? tryOpen(opener, bytes, segment) : undefined;
}
