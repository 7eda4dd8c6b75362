import { Logger } from '@nestjs/common';
import { join, slicesCovering, type SliceSpan } from '../chunking/slices.js';
import type { ByteRange } from '../common/byte-range.js';
import { DomainError } from '../common/errors.js';
import { plainSegmentBytes, sealedRangeOf, segmentsOf } from '../crypto/floe-sizes.js';
import { openSegments } from '../crypto/open-stream.js';
import type { VersionOpening } from '../crypto/version-keys.js';
import type { Manifest } from '../metadata/metadata-store.js';
import { SliceReader } from '../redundancy/slice-reader.js';

/** A version, and what opens it. */
export interface ReadableVersion {
  readonly manifest: Manifest;
  /** Unwraps its key; once, when it is first needed. */
  readonly unseal: () => VersionOpening;
}

/** The way of a body: nodes ─▶ redundancy ─▶ join ─▶ open. */
export class BodyReader {
  private readonly logger = new Logger(BodyReader.name);

  constructor(readonly slices: SliceReader) {}

  /** The bytes of a range, each of them authenticated before it is yielded. Only the slices that it needs are read. */
  async *read(
    { manifest, unseal }: ReadableVersion,
    range: ByteRange,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (range.to <= range.from) return;
    const segments = segmentsOf(range);
    const sealed = sealedRangeOf(segments, manifest.sealedSize);
    const plain = openSegments(this.sealedBytes(manifest, sealed, signal), unseal().opener, {
      sealedSize: manifest.sealedSize,
      firstSegment: segments.first,
      lastSegment: segments.last,
      recover: (from, to) => this.otherReadings(manifest, { from, to }, signal),
    });
    yield* join(plain, { skip: range.from - segments.first * plainSegmentBytes(), length: range.to - range.from });
  }

  private sealedBytes(manifest: Manifest, range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const span = slicesCovering(range, manifest.sliceBytes);
    return joined(this.slices.read(manifest, span, signal), span, range);
  }

  /** The same range as other sets of nodes have it, for bytes that do not authenticate. */
  private async *otherReadings(
    manifest: Manifest,
    range: ByteRange,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    this.logger.warn(
      { versionId: manifest.versionId, ...range },
      'a node gave bytes that do not authenticate: reading without it',
    );
    const span = slicesCovering(range, manifest.sliceBytes);
    for await (const slices of this.slices.readings(manifest, span, signal)) {
      try {
        yield await copied(joined(slices, span, range), range.to - range.from);
      } catch (error) {
        if (!(error instanceof DomainError)) throw error; // without these nodes it cannot be read at all: the next set
      }
    }
  }
}

/** Bytes read for a range, at the most: a range is read with the whole slices around its ends. */
export function bytesRead(
  { from, to }: ByteRange,
  { sealedSize, sliceBytes }: Pick<Manifest, 'sealedSize' | 'sliceBytes'>,
): number {
  return Math.min(sealedSize, to - from + 2 * sliceBytes);
}

/** Pieces of which the first was read already. */
export async function* startingWith(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  yield* rest;
}

/** The bytes of a range, out of the slices that cover it. */
function joined(slices: AsyncIterable<Uint8Array>, { skip }: SliceSpan, { from, to }: ByteRange): AsyncIterable<Uint8Array> {
  return join(slices, { skip, length: to - from });
}

/** Bytes that come in pieces, each of which is valid until the next one. */
async function copied(pieces: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  for await (const piece of pieces) {
    bytes.set(piece, filled);
    filled += piece.length;
  }
  return bytes.subarray(0, filled);
}
