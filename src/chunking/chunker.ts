import { Injectable } from '@nestjs/common';
import type { ByteRange } from '../common/byte-range.js';
import { AppConfig } from '../config/app-config.js';
import { join, slice, slicesCovering, type SliceSpan } from './slices.js';

/** Cuts sealed streams into slices of the configured size, and puts them together again whatever size they were cut to. */
@Injectable()
export class Chunker {
  /** Bytes of a slice of everything that is written now. */
  readonly sliceBytes: number;

  constructor(config: AppConfig) {
    this.sliceBytes = config.size_per_slice;
  }

  /** See {@link slice}. */
  slice(sealed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    return slice(sealed, this.sliceBytes);
  }

  /**
   * The slices that hold a range of a sealed body: no more than needed.
   * @param sliceBytes the size to which this body was cut
   */
  covering(range: ByteRange, sliceBytes: number): SliceSpan {
    return slicesCovering(range, sliceBytes);
  }

  /** The bytes of a range, out of the slices that {@link covering} named, in their order. */
  join(slices: AsyncIterable<Uint8Array>, span: SliceSpan, range: ByteRange): AsyncIterable<Uint8Array> {
    return join(slices, { skip: span.skip, length: range.to - range.from });
  }

  /** The bytes of a range of a stream that begins at `start`. */
  cut(pieces: AsyncIterable<Uint8Array>, range: ByteRange, start: number): AsyncIterable<Uint8Array> {
    return join(pieces, { skip: range.from - start, length: range.to - range.from });
  }
}
