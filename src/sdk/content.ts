import type { ByteRange } from '../common/byte-range.js';
import { errorCode } from '../common/errors.js';
import { openSegments } from '../crypto/open-stream.js';
import { SealError } from '../crypto/seal-error.js';
import { plainSegmentBytes, sealedRangeOf, segmentsOf } from '../crypto/floe-sizes.js';
import { FLOE } from '../crypto/floe-format.js';
import { tuple } from '../crypto/tuple.js';
import { sha256, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import type { FloeBackEnd } from './floe-back-end.js';
import { partAt, partsCovering, type PartPlan, type PartSpan } from './part-plan.js';

/** Which content: no part of it opens as one of another. */
export interface ContentIds {
  readonly nodeId: string;
  readonly revisionId: string;
}

/** What the manifest keeps of a part. */
export interface PartSeal {
  /** Of its FLOE message: 74 bytes, anew for each attempt to seal it. */
  readonly header: Bytes;
  /** SHA-256 of the sealed bytes. */
  readonly digest: Bytes;
}

export interface SealedPart extends PartSeal {
  readonly bytes: Bytes;
}

/** What content is sealed with and opened by. */
export interface ContentCipher {
  readonly ids: ContentIds;
  /** Of this revision only: 32 bytes. */
  readonly contentKey: Bytes;
  readonly floe: FloeBackEnd;
}

/** A content with its plan and parts, out of an authenticated manifest. */
export interface SealedContent {
  readonly plan: PartPlan;
  readonly trueSize: number;
  readonly parts: readonly PartSeal[];
}

/** What to fetch of one part, and which of its plaintext is meant. */
export interface PartPiece extends PartSpan {
  /** Bytes of the sealed part. */
  readonly fetch: ByteRange;
  readonly firstSegment: number;
  readonly lastSegment: number;
  /** Plain bytes of the first segment before the range, and of the range. */
  readonly skip: number;
  readonly length: number;
}

/** What a part is sealed from. */
export interface PartInput {
  /** The true bytes that lie in the part, exactly. */
  readonly source: AsyncIterable<Uint8Array>;
  /** Of the content. */
  readonly trueSize: number;
  /** Where the sealed bytes go; absent: a buffer of their own. */
  readonly into?: Bytes;
}

/** Seals one part as its bytes come, into one buffer: it is as long as the part, and nothing else of the part is held. */
export class PartSealer {
  private end = 0;

  private constructor(
    private readonly sealer: Awaited<ReturnType<FloeBackEnd['seal']>>,
    private readonly bytes: Bytes,
  ) {}

  /** @param into at least as long as the sealed part; what it holds is the part until somebody writes to it again */
  static async create({ ids, contentKey, floe }: ContentCipher, part: number, into: Bytes): Promise<PartSealer> {
    return new PartSealer(await floe.seal(contentKey, partAad(ids, part)), into);
  }

  /** The plaintext must not be changed until `finish`. */
  async push(plain: Uint8Array): Promise<void> {
    this.keep(await this.sealer.push(plain));
  }

  async finish(): Promise<SealedPart> {
    this.keep(await this.sealer.finish());
    const bytes = this.bytes.subarray(0, this.end);
    return { header: Uint8Array.from(this.sealer.header), digest: await sha256(bytes), bytes };
  }

  private keep(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      this.bytes.set(piece, this.end);
      this.end += piece.length;
    }
  }
}

/**
 * Seals one part. Each call draws a header and IVs of its own: sealing a part again, after a failure or a restart, uses no key with the
 * same IV, whatever became of the file in between, and no segment of one attempt opens in another.
 * @throws SdkError `source-changed` if they are more or fewer
 */
export async function sealPart(
  cipher: ContentCipher,
  { part, plain, sealedSize }: PartSpan,
  { source, trueSize, into = new Uint8Array(sealedSize) }: PartInput,
): Promise<SealedPart> {
  const sealer = await PartSealer.create(cipher, part, into);
  const trueBytes = Math.max(0, Math.min(plain.to, trueSize) - plain.from);
  let taken = 0;
  for await (const piece of source) {
    taken += piece.length;
    if (taken > trueBytes) throw new SdkError('source-changed');
    await sealer.push(piece);
  }
  if (taken !== trueBytes) throw new SdkError('source-changed');
  await sealer.push(new Uint8Array(plain.to - plain.from - trueBytes));
  const sealed = await sealer.finish();
  if (sealed.bytes.length !== sealedSize) throw new Error('a part was sealed into another size than planned');
  return sealed;
}

/** Which bytes of which parts a range of the true content needs: whole segments, no more. */
export function piecesOf({ plan, trueSize }: SealedContent, range: ByteRange): readonly PartPiece[] {
  const to = Math.min(range.to, trueSize);
  return partsCovering(plan, { from: range.from, to }).map((span) => {
    const inPart = {
      from: Math.max(range.from, span.plain.from) - span.plain.from,
      to: Math.min(to, span.plain.to) - span.plain.from,
    };
    const segments = segmentsOf(inPart);
    return {
      ...span,
      fetch: sealedRangeOf(segments, span.sealedSize),
      firstSegment: segments.first,
      lastSegment: segments.last,
      skip: inPart.from - segments.first * plainSegmentBytes(FLOE),
      length: inPart.to - inPart.from,
    };
  });
}

/**
 * The plaintext of one piece. What was given out before an error is genuine, but not all.
 * @param sealed the bytes `piece.fetch` of the part, in chunks of any size
 * @throws SdkError `damaged`
 */
export async function* openPiece(
  { ids, contentKey, floe }: ContentCipher,
  content: SealedContent,
  { piece, sealed }: { readonly piece: PartPiece; readonly sealed: AsyncIterable<Uint8Array> },
): AsyncGenerator<Uint8Array, void, undefined> {
  const seal = content.parts[piece.part];
  if (seal === undefined) throw new SdkError('damaged');
  try {
    const opener = await floe.open(contentKey, seal.header, partAad(ids, piece.part));
    let [skip, left] = [piece.skip, piece.length];
    for await (const plain of openSegments(sealed, opener, piece)) {
      const wanted = plain.subarray(skip, skip + left);
      [skip, left] = [0, left - wanted.length];
      if (wanted.length > 0) yield wanted;
    }
  } catch (cause) {
    if (cause instanceof SealError || errorCode(cause) === 'data-damaged') throw new SdkError('damaged');
    throw cause;
  }
}

/**
 * Checks an empty content, which has no piece but an authenticated end: the whole of its only part.
 * @throws SdkError `damaged`
 */
export async function openEmpty(
  { ids, contentKey, floe }: ContentCipher,
  content: SealedContent,
  sealed: Uint8Array,
): Promise<void> {
  const span = partAt(content.plan, 0);
  try {
    const opener = await floe.open(contentKey, (content.parts[0] as PartSeal).header, partAad(ids, 0));
    if (sealed.length !== span.sealedSize) throw new SealError();
    await opener.openSegment(sealed, 0, true);
  } catch (cause) {
    if (cause instanceof SealError) throw new SdkError('damaged');
    throw cause;
  }
}

function partAad({ nodeId, revisionId }: ContentIds, part: number): Uint8Array {
  return tuple('dcloud/e2ee/v1/part', nodeId, revisionId, part);
}
