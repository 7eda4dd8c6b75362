import { StripeCodec, type StripeShape } from '../stripe-codec.js';
import { recoveryRows, shardRows, SHARDS_MAX } from './code-matrix.js';
import { type Combination, combinationOf } from './combination.js';
import type { ErasureKernel } from './erasure-kernel.js';

/** Matrices that are kept; each is some kilobytes. Of losses that stay the pattern is always the same. */
const KEPT_MAX = 512;

/** Reed and Solomon's code: k data slices, m parity slices, and any k of them give back all others. */
export class ErasureCodec extends StripeCodec {
  private readonly combinations = new Map<string, Combination>();

  constructor(readonly kernel: ErasureKernel) {
    super();
  }

  /** The first slice is the longest; shorter ones count as if zeros followed. Each parity slice is as long as the first. */
  override encode(data: readonly Uint8Array[], { k, m }: StripeShape): readonly Uint8Array[] {
    const [first] = data;
    if (first === undefined || data.length !== k || k + m > SHARDS_MAX)
      throw new RangeError(`${data.length} slices are no stripe of ${k} and ${m}`);
    const parity = Array.from({ length: m }, (_, row) => k + row);
    const combination = this.combination(`${k}+${m}`, () => shardRows(parity, k));
    return this.combine(combination, data, first.length);
  }

  override decode(shards: ReadonlyMap<number, Uint8Array>, { k }: StripeShape, wanted: readonly number[]): readonly Uint8Array[] {
    const missing = wanted.filter((index) => !shards.has(index));
    const made = missing.length === 0 ? [] : this.recover(shards, k, missing);
    return wanted.map((index) => shards.get(index) ?? (made[missing.indexOf(index)] as Uint8Array));
  }

  private recover(shards: ReadonlyMap<number, Uint8Array>, k: number, missing: readonly number[]): readonly Uint8Array[] {
    if (shards.size < k) throw new RangeError(`${shards.size} shards are too few: ${k} are needed`);
    const present = [...shards.keys()].sort((a, b) => a - b).slice(0, k); // data first: those rows are mostly zeros
    const key = `${k}:${present.join()}>${missing.join()}`;
    const combination = this.combination(key, () => recoveryRows(present, missing, k));
    const sources = present.map((index) => shards.get(index) as Uint8Array);
    // Of all shards of a stripe the first slice and the parity are the longest, and one of these is among any k and more.
    return this.combine(combination, sources, Math.max(...sources.map(({ length }) => length)));
  }

  private combine(combination: Combination, sources: readonly Uint8Array[], length: number): readonly Uint8Array[] {
    const outputs = combination.rows.map(() => Buffer.allocUnsafeSlow(length));
    this.kernel.combine(combination, sources, outputs);
    return outputs;
  }

  /** The one used longest ago goes when there are too many. */
  private combination(key: string, rows: () => readonly Uint8Array[]): Combination {
    const combination = this.combinations.get(key) ?? combinationOf(rows());
    this.combinations.delete(key);
    this.combinations.set(key, combination);
    if (this.combinations.size > KEPT_MAX) this.combinations.delete(this.combinations.keys().next().value as string);
    return combination;
  }
}
