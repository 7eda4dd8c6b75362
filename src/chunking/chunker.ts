import { Injectable } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { gather, slice } from './slices.js';

/** Cuts sealed streams into slices of the configured size. */
@Injectable()
export class Chunker {
  /** Bytes of a slice of everything that is written now. */
  readonly sliceBytes: number;

  constructor(config: AppConfig) {
    this.sliceBytes = config.size_per_slice;
  }

  /** See {@link slice}. */
  slice(sealed: AsyncIterable<Uint8Array>): ReturnType<typeof slice> {
    return slice(sealed, this.sliceBytes);
  }

  /** See {@link gather}. */
  gather(sealed: AsyncIterable<Uint8Array>, bytesMax: number): ReturnType<typeof gather> {
    return gather(sealed, bytesMax);
  }
}
