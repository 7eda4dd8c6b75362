import type { ByteRange } from '../common/byte-range.js';
import { FLOE } from '../crypto/floe-format.js';
import { plainSegmentBytes } from '../crypto/floe-sizes.js';
import { concat } from './bytes.js';
import { openEmpty, openPiece, piecesOf, type ContentCipher, type PartPiece } from './content.js';
import type { DriveCalls } from './drive-calls.js';
import { SdkError } from './errors.js';
import type { FloeBackEnd } from './floe-back-end.js';
import { partAt } from './part-plan.js';
import { PieceQueue } from './piece-queue.js';
import type { RevisionManifest } from './revision-manifest.js';
import { StreamReader } from './stream-parts.js';

/** Of one part so much is asked for at once, at most: what three of them hold is what is in memory. */
const PIECE_SEGMENTS_MAX = 256;
const PIECES_AT_ONCE = 3;
const PLAIN_SEGMENT_BYTES = plainSegmentBytes(FLOE);
/** Requests in a row for one piece that bring nothing. */
const FRUITLESS_MAX = 4;

/** One content, of which any range can be read. */
export interface ReadableContent {
  readonly nodeId: string;
  readonly manifest: RevisionManifest;
  /** The whole sealed content, if it came with its revision. */
  readonly inlined?: Uint8Array;
}

/** Reads contents. What is given out is genuine; if not all of it can be, that is an error and never an end. */
export class ContentReader {
  constructor(
    private readonly calls: DriveCalls,
    private readonly floe: FloeBackEnd,
  ) {}

  async *read(content: ReadableContent, range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { manifest } = content;
    if (manifest.trueSize === 0) return this.assertEmpty(content, signal);
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const fills: Promise<void>[] = [];
    const queues: PieceQueue[] = [];
    const pieces = piecesOf(manifest, range).flatMap(splitPiece).values();
    const fetchNext = (): void => {
      const piece = pieces.next();
      if (piece.done === true) return;
      const queue = new PieceQueue();
      queues.push(queue);
      fills.push(queue.fill(this.piece(content, piece.value, either)));
    };
    try {
      for (let count = 0; count < PIECES_AT_ONCE; count += 1) fetchNext();
      for (let queue = queues.shift(); queue !== undefined; queue = queues.shift()) {
        yield* queue.read();
        fetchNext();
      }
    } finally {
      ended.abort();
      await Promise.all(fills);
    }
  }

  /** One piece; after a break it goes on with the segment that was not there yet. */
  private async *piece(
    content: ReadableContent,
    piece: PartPiece,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const cipher = this.cipherOf(content);
    let rest = piece;
    for (let fruitless = 0; ; fruitless += 1) {
      let [segments, bytes] = [0, 0];
      try {
        const sealed = await this.sealed(content, rest, signal);
        for await (const plain of openPiece(cipher, content.manifest, { piece: rest, sealed })) {
          segments += 1;
          bytes += plain.length;
          yield plain;
        }
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (segments > 0) fruitless = 0;
        if (!isBroken(error) || fruitless >= FRUITLESS_MAX) throw error;
        if (bytes === rest.length) return;
        rest = pieceAfter(rest, segments, bytes);
      }
    }
  }

  private async sealed(
    { nodeId, manifest, inlined }: ReadableContent,
    { part, fetch }: PartPiece,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    if (inlined !== undefined) return one(inlined.subarray(fetch.from, fetch.to));
    return this.calls.part({ nodeId, revision: manifest.revision, part }, fetch, signal);
  }

  /** An empty content has an end that is signed, too. */
  private async assertEmpty(content: ReadableContent, signal: AbortSignal): Promise<void> {
    const { nodeId, manifest, inlined } = content;
    const { sealedSize } = partAt(manifest.plan, 0);
    let sealed = inlined;
    if (sealed === undefined) {
      const at = { nodeId, revision: manifest.revision, part: 0 };
      const reader = new StreamReader(await this.calls.part(at, { from: 0, to: sealedSize }, signal));
      sealed = concat(...(await Array.fromAsync(reader.take(sealedSize + 1))));
      await reader.close();
    }
    await openEmpty(this.cipherOf(content), manifest, sealed);
  }

  private cipherOf({ nodeId, manifest }: ReadableContent): ContentCipher {
    return { ids: { nodeId, revisionId: manifest.revisionId }, contentKey: manifest.contentKey, floe: this.floe };
  }
}

/** A large piece in several, none of which fills the memory. */
function splitPiece(piece: PartPiece): readonly PartPiece[] {
  const pieces: PartPiece[] = [];
  let rest = piece;
  while (rest.lastSegment - rest.firstSegment >= PIECE_SEGMENTS_MAX) {
    const length = PIECE_SEGMENTS_MAX * PLAIN_SEGMENT_BYTES - rest.skip;
    const lastSegment = rest.firstSegment + PIECE_SEGMENTS_MAX - 1;
    const to = rest.fetch.from + PIECE_SEGMENTS_MAX * FLOE.segmentBytes;
    pieces.push({ ...rest, lastSegment, fetch: { from: rest.fetch.from, to }, length });
    rest = pieceAfter(rest, PIECE_SEGMENTS_MAX, length);
  }
  return [...pieces, rest];
}

/** What is left of a piece. */
function pieceAfter(piece: PartPiece, segments: number, bytes: number): PartPiece {
  if (segments === 0) return piece;
  const from = piece.fetch.from + segments * FLOE.segmentBytes;
  const fetch = { from, to: piece.fetch.to };
  return { ...piece, fetch, firstSegment: piece.firstSegment + segments, skip: 0, length: piece.length - bytes };
}

function isBroken(error: unknown): boolean {
  return error instanceof SdkError && (error.kind === 'unavailable' || error.kind === 'in-doubt');
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield await Promise.resolve(bytes);
}
