import { describe, expect, it } from '@jest/globals';
import { choices, shapes } from '../../../test/support/erasure.js';
import { inverted, parityFactor, recoveryRows, SHARDS_MAX, shardRows } from './code-matrix.js';
import { multiply } from './galois-field.js';

/** The number that is 0 for exactly those matrices which have no inverse, by its definition: sums and products, no elimination. */
function determinant(matrix: readonly (readonly number[])[]): number {
  if (matrix.length === 0) return 1;
  const [head, ...below] = matrix;
  return head!.reduce(
    (sum, factor, column) => sum ^ multiply(factor, determinant(below.map((row) => row.toSpliced(column, 1)))),
    0,
  );
}

function times(left: readonly Uint8Array[], right: readonly Uint8Array[]): number[][] {
  return left.map((row) =>
    Array.from(right[0]!, (_, column) => row.reduce((sum, factor, at) => sum ^ multiply(factor, right[at]![column]!), 0)),
  );
}

/** Every square part of the matrices of all shapes of at most so many shards, once. */
function* squareParts(
  shardsMax: number,
  sizeMax: number,
): Generator<{ readonly rows: readonly number[]; readonly columns: readonly number[] }, void, undefined> {
  for (let size = 1; size <= sizeMax; size += 1)
    for (const rows of choices(shardsMax - size, size))
      for (const columns of choices(shardsMax - 1 - Math.max(...rows), size)) yield { rows, columns };
}

function unit(size: number): number[][] {
  return Array.from({ length: size }, (_, row) => Array.from({ length: size }, (__, column) => (row === column ? 1 : 0)));
}

describe('the matrix of the code', () => {
  it('has ones in its first row and column and no zero, as far as there are shards', () => {
    for (let row = 0; row < SHARDS_MAX; row += 1) {
      for (let column = 0; row + column + 2 <= SHARDS_MAX; column += 1) {
        const factor = parityFactor(row, column);
        expect(factor === 0 || (factor !== 1 && (row === 0 || column === 0))).toBe(false);
      }
    }
  });

  it('has only square parts that are invertible, so any k of k + m shards are enough (k + m ≤ 12, parts up to 5)', () => {
    let parts = 0;
    for (const { rows, columns } of squareParts(12, 5)) {
      parts += 1;
      if (determinant(rows.map((row) => columns.map((column) => parityFactor(row, column)))) === 0)
        throw new Error(`rows ${rows.join()} and columns ${columns.join()} have no inverse`);
    }
    expect(parts).toBeGreaterThan(2000);
  });

  it('gives the data rows back from the rows of any k shards, for every shape of at most 12', () => {
    let patterns = 0;
    for (const { k, m } of shapes(12)) {
      const all = Array.from({ length: k + m }, (_, index) => index);
      for (const present of choices(k + m, k)) {
        patterns += 1;
        const recovery = recoveryRows(present, all, k);
        expect(times(recovery, shardRows(present, k))).toEqual(shardRows(all, k).map((row) => [...row]));
      }
    }
    expect(patterns).toBeGreaterThan(8000);
  });
});

describe('the inverse', () => {
  it('times the matrix is one', () => {
    const matrix = [Uint8Array.of(0, 1, 7), Uint8Array.of(3, 0, 9), Uint8Array.of(200, 5, 0)];
    expect(times(inverted(matrix), matrix)).toEqual(unit(3));
  });

  it('is refused where there is none', () => {
    expect(() => inverted([Uint8Array.of(2, 3), Uint8Array.of(2, 3)])).toThrow(RangeError);
  });
});
