import { multiply } from './galois-field.js';

/** Bytes of the tables of one factor: its products with 0 to 15, then those with 0, 16, … 240. */
export const FACTOR_TABLE_BYTES = 32;

/** Sums of multiples: output r is the sum over all sources s of rows[r][s] × source s. */
export interface Combination {
  readonly rows: readonly Uint8Array[];
  /** For each row, for each of its factors, the split tables by which a kernel multiplies: a product is low[b & 15] + high[b >> 4]. */
  readonly tables: Uint8Array;
  readonly sources: number;
}

/** @param rows the factors, one row for each output, all of one length */
export function combinationOf(rows: readonly Uint8Array[]): Combination {
  const sources = rows[0]?.length ?? 0;
  const tables = new Uint8Array(rows.length * sources * FACTOR_TABLE_BYTES);
  rows.forEach((row, output) => {
    row.forEach((factor, source) => {
      const start = (output * sources + source) * FACTOR_TABLE_BYTES;
      for (let nibble = 0; nibble < 16; nibble += 1) {
        tables[start + nibble] = multiply(factor, nibble);
        tables[start + 16 + nibble] = multiply(factor, nibble << 4);
      }
    });
  });
  return { rows, tables, sources };
}
