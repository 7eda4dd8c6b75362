import { type Combination, FACTOR_TABLE_BYTES } from './combination.js';
import { assertFits, ErasureKernel } from './erasure-kernel.js';

/** Byte by byte, by the definition: the reference for the other kernel, and what is used where that cannot run. */
export class TableErasureKernel extends ErasureKernel {
  override readonly name = 'table';

  override combine(combination: Combination, sources: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
    assertFits(combination, sources, outputs);
    const { tables, sources: count } = combination;
    outputs.forEach((output, row) => {
      output.fill(0);
      sources.forEach((source, column) => {
        const start = (row * count + column) * FACTOR_TABLE_BYTES;
        addProduct(output, source, tables.subarray(start, start + FACTOR_TABLE_BYTES));
      });
    });
  }
}

function addProduct(output: Uint8Array, source: Uint8Array, table: Uint8Array): void {
  for (let at = 0; at < source.length; at += 1) {
    const byte = source[at] as number;
    output[at] = (output[at] as number) ^ (table[byte & 15] as number) ^ (table[16 + (byte >> 4)] as number);
  }
}
