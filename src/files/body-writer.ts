import { Injectable } from '@nestjs/common';
import { Chunker } from '../chunking/chunker.js';
import { cut } from '../chunking/slices.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import type { CodingPlan } from '../redundancy/scheme.js';
import type { SliceGroups } from '../redundancy/stripe-batches.js';
import type { VersionWriter } from '../redundancy/version-writer.js';

/** A sealed body of at most this size travels in the record of its version, as one slice. */
export const INLINE_BYTES_MAX = 16 * 1024;

/** How a body was stored. */
export interface WrittenBody {
  /** Bytes of each of its slices but the last ones. */
  readonly sliceBytes: number;
  /** All of it, if it rides in the record. */
  readonly riding: Uint8Array | undefined;
}

/** Decides how a sealed body is kept, as soon as enough of it has come to tell: in the record, as copies of slices, or coded. */
@Injectable()
export class BodyWriter {
  constructor(
    private readonly chunker: Chunker,
    private readonly redundancy: RedundancyService,
  ) {}

  /** Takes a whole body of at most {@link INLINE_BYTES_MAX}. */
  ride(sealed: Uint8Array, writer: VersionWriter): WrittenBody {
    writer.ride(sealed);
    return { sliceBytes: Math.max(this.chunker.sliceBytes, INLINE_BYTES_MAX), riding: sealed };
  }

  /** Resolves when the body is durable, or kept for the record. */
  async write(sealed: AsyncIterable<Uint8Array>, writer: VersionWriter, signal: AbortSignal): Promise<WrittenBody> {
    const plan = this.redundancy.codingPlan();
    const gathered = await this.chunker.gather(sealed, Math.max(INLINE_BYTES_MAX, this.undecidedBytes(plan)));
    if ('whole' in gathered && gathered.whole.length <= INLINE_BYTES_MAX) return this.ride(gathered.whole, writer);
    const sliceBytes = this.shape(plan, 'whole' in gathered ? gathered.whole.length : Infinity, writer);
    const slices = 'whole' in gathered ? cut(gathered.whole, sliceBytes) : this.chunker.slice(gathered.stream);
    return this.store(slices, sliceBytes, writer, signal);
  }

  /** Decides on the stripes of a sealed body of which the length is known before it comes. Returns the bytes of its slices. */
  prepare(sealedSize: number, writer: VersionWriter): number {
    return this.shape(this.redundancy.codingPlan(), sealedSize, writer);
  }

  private shape(plan: CodingPlan | undefined, sealedSize: number, writer: VersionWriter): number {
    const isCoded = plan !== undefined && sealedSize > plan.replicatedBytesMax;
    // In both directions: it may have been prepared for another shape.
    writer.reshape(isCoded ? plan.shape : this.redundancy.copies);
    const { sliceBytes } = this.chunker;
    const { k } = writer.shape;
    // A coded body that is no longer than a stripe gets slices of one length: else its parity could be as long as all of it.
    return k === 1 ? sliceBytes : Math.min(sliceBytes, Math.ceil(sealedSize / k));
  }

  /** Up to this size a body has to be seen to its end before it is cut. */
  private undecidedBytes(plan: CodingPlan | undefined): number {
    return plan === undefined ? 0 : Math.max(plan.replicatedBytesMax, plan.shape.k * this.chunker.sliceBytes);
  }

  private async store(slices: SliceGroups, sliceBytes: number, writer: VersionWriter, signal: AbortSignal): Promise<WrittenBody> {
    await writer.write(slices, this.redundancy.width(writer.shape, sliceBytes), signal);
    return { sliceBytes, riding: undefined };
  }
}
