import type { LiveConfig } from '../config/live-config.js';
import type { Manifest } from '../metadata/metadata-store.js';
import { Hedging } from './hedging.js';
import { batchesInFlight } from './scheme.js';
import { type ReaderParts, type SliceRange, StripeReader } from './stripe-reader.js';

export type SliceReaderParts = Omit<ReaderParts, 'batchBytes' | 'hedging'>;

/** The {@link StripeReader} of a process, as its configuration wants it to read. */
export class SliceReader {
  private readonly stripes: StripeReader;

  constructor(
    private readonly live: LiveConfig,
    parts: SliceReaderParts,
  ) {
    const { limits } = live.current;
    this.stripes = new StripeReader({ ...parts, batchBytes: limits.batch_bytes, hedging: new Hedging(limits) });
  }

  /** See {@link StripeReader.read}. */
  read(manifest: Manifest, span: SliceRange, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const { k, sliceBytes } = manifest;
    const width = batchesInFlight(this.live.current, manifest, { sliceBytes, shardsHeld: k });
    return this.stripes.read(manifest, span, { width, avoid: new Set() }, signal);
  }

  /** See {@link StripeReader.only}. */
  only(manifest: Manifest, signal: AbortSignal): Promise<Uint8Array> {
    return this.stripes.only(manifest, signal);
  }

  /** See {@link StripeReader.readings}. */
  readings(manifest: Manifest, span: SliceRange, signal: AbortSignal): AsyncIterable<AsyncIterable<Uint8Array>> {
    return this.stripes.readings(manifest, span, signal);
  }
}
