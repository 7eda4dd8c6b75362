import { Logger } from '@nestjs/common';
import { AnyShapeCodec } from './any-shape.stripe-codec.js';
import { ErasureCodec } from './erasure/erasure.stripe-codec.js';
import { loadErasureKernel } from './erasure/load-erasure-kernel.js';
import type { StripeCodec } from './stripe-codec.js';

/** The codec of this process, with the fastest kernel that runs here. */
export async function loadCodec(): Promise<StripeCodec> {
  const logger = new Logger('Erasure');
  const kernel = await loadErasureKernel((err) =>
    logger.warn({ err }, 'the fast kernel does not run here: erasure coding is many times slower'),
  );
  return new AnyShapeCodec(new ErasureCodec(kernel));
}
