import { inverse, multiply } from './galois-field.js';

/** Shards of a stripe, data and parity together, at the most: as many as the field has elements. */
export const SHARDS_MAX = 256;

/**
 * The factor of data slice `column` in parity slice `row`, both from 0 (docs/format.md): a Cauchy matrix 1 ÷ (x + y) with x = 255 − row and
 * y = column, each column and then each row scaled so that the first row and the first column are ones. Scaling leaves every square part of
 * it invertible, so that any k shards of a stripe give its data back. It depends neither on k nor on m: a shape has a corner of it.
 */
export function parityFactor(row: number, column: number): number {
  const [first, x] = [255, 255 - row];
  const scaledColumn = multiply(first ^ column, inverse(x ^ column));
  return multiply(scaledColumn, multiply(x, inverse(first)));
}

/** How the shard of an index comes from the k data slices: itself, or a row of parity. */
function shardRow(index: number, k: number): Uint8Array {
  if (index >= k) return Uint8Array.from({ length: k }, (_, column) => parityFactor(index - k, column));
  const row = new Uint8Array(k);
  row[index] = 1;
  return row;
}

/** The rows by which the shards of the indices come from the data slices. */
export function shardRows(indices: readonly number[], k: number): readonly Uint8Array[] {
  return indices.map((index) => shardRow(index, k));
}

/**
 * The rows by which the wanted shards come from k others.
 * @param present indices of k shards, by which the columns are
 */
export function recoveryRows(present: readonly number[], wanted: readonly number[], k: number): readonly Uint8Array[] {
  const dataRows = inverted(shardRows(present, k));
  return shardRows(wanted, k).map((row) => combined(row, dataRows));
}

/** A row times a matrix. */
function combined(row: Uint8Array, matrix: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(matrix.length);
  matrix.forEach((from, at) => {
    addMultiple(result, from, row[at] as number);
  });
  return result;
}

/** Gauss and Jordan. @throws RangeError if the matrix has no inverse */
export function inverted(matrix: readonly Uint8Array[]): readonly Uint8Array[] {
  const left = matrix.map((row) => Uint8Array.from(row));
  const right = matrix.map((_, at) => Uint8Array.from(matrix, (__, column) => (column === at ? 1 : 0)));
  for (let column = 0; column < left.length; column += 1) {
    const pivot = left.findIndex((row, at) => at >= column && row[column] !== 0);
    if (pivot < 0) throw new RangeError('the matrix has no inverse');
    for (const side of [left, right]) side.splice(column, 0, ...side.splice(pivot, 1));
    const [head, tail] = [left[column] as Uint8Array, right[column] as Uint8Array];
    const factor = inverse(head[column] as number);
    scale(head, factor);
    scale(tail, factor);
    for (let row = 0; row < left.length; row += 1) {
      if (row === column) continue;
      const multiple = (left[row] as Uint8Array)[column] as number;
      addMultiple(left[row] as Uint8Array, head, multiple);
      addMultiple(right[row] as Uint8Array, tail, multiple);
    }
  }
  return right;
}

function scale(row: Uint8Array, factor: number): void {
  row.forEach((value, at) => (row[at] = multiply(value, factor)));
}

function addMultiple(to: Uint8Array, from: Uint8Array, factor: number): void {
  from.forEach((value, at) => (to[at] = (to[at] as number) ^ multiply(value, factor)));
}
