/** The shape of a stripe: `k` data shards and `m` further ones; any k of them give the data back. */
export interface StripeShape {
  readonly k: number;
  readonly m: number;
}

/**
 * Makes the shards of a stripe and gets the data back from any k of them. Pure arithmetic: it knows no nodes.
 * All data slices of a stripe have the same length but in the last stripe of a body.
 */
export abstract class StripeCodec {
  /** The m further shards for the data slices of one stripe. They may share memory with the data. */
  abstract encode(data: readonly Uint8Array[], shape: StripeShape): readonly Uint8Array[];

  /**
   * The shards of the wanted indices, data or further ones, given at least k shards by their index in the stripe. Those that are given are
   * handed back as they are; one that had to be made is as long as the first of the stripe: a short last slice is followed by zeros.
   */
  abstract decode(shards: ReadonlyMap<number, Uint8Array>, shape: StripeShape, wanted: readonly number[]): readonly Uint8Array[];
}

/** Replication: one data shard, and m copies of it, which are the same bytes. */
export class ReplicateCodec extends StripeCodec {
  override encode([slice]: readonly Uint8Array[], { m }: StripeShape): readonly Uint8Array[] {
    if (slice === undefined) throw new RangeError('a replicated stripe has one slice');
    return new Array<Uint8Array>(m).fill(slice);
  }

  override decode(shards: ReadonlyMap<number, Uint8Array>, _: StripeShape, wanted: readonly number[]): readonly Uint8Array[] {
    const [copy] = shards.values();
    if (copy === undefined) throw new RangeError('a replicated stripe needs one shard to be read');
    return wanted.map(() => copy);
  }
}
