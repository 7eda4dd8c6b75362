import type { ByteRange } from '../common/byte-range.js';
import { FLOE } from '../crypto/floe-format.js';
import { plainSegmentBytes, sealedSizeOf } from '../crypto/floe-sizes.js';
import { SdkError } from './errors.js';

/** Below this sizes are padded; above it padding costs more than the exact size tells. */
const PADDED_BELOW_BYTES = 2 ** 30;
/** The least size that is shown: below it a size would nearly name the content. */
const PADDED_MIN_BYTES = 256;
/** A part of 16 MiB, sealed: what is held in memory, sent again after a failure, and lost when a client is killed. */
const SEGMENTS_MIN = 256;
/** A part of 64 MiB. */
const SEGMENTS_MAX = 1_024;
/** With the largest parts one file has so up to 1 TiB, and a manifest of 1.8 MB. (A segment holds a little less than it is long.) */
const PARTS_MAX = 16_400;
/** Parts become larger when there would be more of them. */
const PARTS_WANTED = 4_096;

/** How a content is cut: part n holds the segments from n · segmentsPerPart on, as a FLOE message of its own. */
export interface PartPlan {
  readonly segmentsPerPart: number;
  /** Bytes of the plaintext with its padding. */
  readonly paddedSize: number;
}

/** One part of a content. */
export interface PartSpan {
  readonly part: number;
  /** Which bytes of the padded plaintext it holds. */
  readonly plain: ByteRange;
  /** Bytes of the sealed part. */
  readonly sealedSize: number;
}

/**
 * The size that is shown in the place of the true one: Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS
 * 2019), which keeps as many bits of the size as the size's length has bits.
 */
export function paddedSizeOf(trueSize: number): number {
  if (trueSize === 0 || trueSize >= PADDED_BELOW_BYTES) return trueSize;
  const size = Math.max(trueSize, PADDED_MIN_BYTES);
  const exponent = Math.floor(Math.log2(size));
  const step = 2 ** (exponent - (Math.floor(Math.log2(exponent)) + 1));
  return Math.ceil(size / step) * step;
}

/** How a content of this size is cut. @throws RangeError if it is too large */
export function planParts(trueSize: number): PartPlan {
  const paddedSize = paddedSizeOf(trueSize);
  let segmentsPerPart = SEGMENTS_MIN;
  while (segmentsPerPart < SEGMENTS_MAX && partsOf({ segmentsPerPart, paddedSize }) > PARTS_WANTED) segmentsPerPart *= 2;
  const plan = { segmentsPerPart, paddedSize };
  if (partsOf(plan) > PARTS_MAX) throw new RangeError('a file of this size cannot be sealed');
  return plan;
}

/** How a stream is cut, whose size is known only at its end; a file of this size is cut in the same way up to 64 GiB. */
export function planStream(trueSize: number): PartPlan {
  const plan = { segmentsPerPart: SEGMENTS_MIN, paddedSize: paddedSizeOf(trueSize) };
  if (partsOf(plan) > PARTS_MAX) throw new RangeError('a stream of this size cannot be sealed');
  return plan;
}

/** Bytes of the plaintext in each part of a stream but the last. */
export const STREAM_PART_BYTES = SEGMENTS_MIN * plainSegmentBytes(FLOE);

/** A plan that came with a manifest. @throws SdkError `damaged` if none of ours looks like this */
export function assertPlan(plan: PartPlan, trueSize: number, parts: number): void {
  const { segmentsPerPart, paddedSize } = plan;
  const isKnown = segmentsPerPart >= 1 && segmentsPerPart <= SEGMENTS_MAX && trueSize <= paddedSize;
  if (!isKnown || parts > PARTS_MAX || partsOf(plan) !== parts) throw new SdkError('damaged');
}

/** How many parts there are: at least one, since an empty content has an authenticated end too. */
export function partsOf(plan: PartPlan): number {
  return Math.max(1, Math.ceil(plan.paddedSize / plainPartBytes(plan)));
}

export function partAt(plan: PartPlan, part: number): PartSpan {
  if (!Number.isInteger(part) || part < 0 || part >= partsOf(plan)) throw new RangeError(`there is no part ${part}`);
  const from = part * plainPartBytes(plan);
  const to = Math.min(plan.paddedSize, from + plainPartBytes(plan));
  return { part, plain: { from, to }, sealedSize: sealedSizeOf(to - from) };
}

/** The parts that hold a range of the plaintext: none for an empty one. */
export function partsCovering(plan: PartPlan, { from, to }: ByteRange): readonly PartSpan[] {
  if (to <= from) return [];
  const bytes = plainPartBytes(plan);
  const [first, last] = [Math.floor(from / bytes), Math.floor((to - 1) / bytes)];
  return Array.from({ length: last - first + 1 }, (_, index) => partAt(plan, first + index));
}

function plainPartBytes({ segmentsPerPart }: PartPlan): number {
  return segmentsPerPart * plainSegmentBytes(FLOE);
}
