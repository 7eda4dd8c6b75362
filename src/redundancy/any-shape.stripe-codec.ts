import { ReplicateCodec, StripeCodec, type StripeShape } from './stripe-codec.js';

/** The code that belongs to the shape of a stripe: a store may hold many shapes, whatever is configured now. */
export class AnyShapeCodec extends StripeCodec {
  private readonly replicate = new ReplicateCodec();

  /** @param erasure for stripes of several data slices */
  constructor(private readonly erasure: StripeCodec) {
    super();
  }

  override encode(data: readonly Uint8Array[], shape: StripeShape): readonly Uint8Array[] {
    return this.for(shape).encode(data, shape);
  }

  override decode(shards: ReadonlyMap<number, Uint8Array>, shape: StripeShape, wanted: readonly number[]): readonly Uint8Array[] {
    return this.for(shape).decode(shards, shape, wanted);
  }

  private for({ k }: StripeShape): StripeCodec {
    return k === 1 ? this.replicate : this.erasure;
  }
}
