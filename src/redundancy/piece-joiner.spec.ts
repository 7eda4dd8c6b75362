import { describe, expect, it } from '@jest/globals';
import { PieceJoiner } from './piece-joiner.js';

const KiB = 1024;

function slices(count: number, bytes: number, from = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => new Uint8Array(bytes).fill(from + at));
}

/** The lengths of the pieces, and all their bytes, each piece copied before the next one is asked for. */
function joined(joiner: PieceJoiner, batches: readonly (readonly Uint8Array[])[]): { lengths: number[]; bytes: Buffer } {
  const lengths: number[] = [];
  const copies: Buffer[] = [];
  for (const batch of batches) {
    for (const piece of joiner.join(batch)) {
      lengths.push(piece.length);
      copies.push(Buffer.from(piece));
    }
  }
  return { lengths, bytes: Buffer.concat(copies) };
}

describe('the pieces of a stream of slices', () => {
  it.each([
    ['small ones, of which many are one piece', [slices(100, KiB)], [100 * KiB]],
    ['more than fit into one', [slices(300, KiB)], [256 * KiB, 44 * KiB]],
    ['of two batches', [slices(10, KiB), slices(20, KiB, 10)], [10 * KiB, 20 * KiB]],
    ['a short last one', [[...slices(2, KiB), new Uint8Array(7).fill(9)]], [2 * KiB + 7]],
    ['none', [[]], []],
    ['an empty one', [[new Uint8Array(0)]], []],
    ['large ones, as they are', [slices(3, 64 * KiB)], [64 * KiB, 64 * KiB, 64 * KiB]],
    [
      'small ones between large ones',
      [[...slices(1, 40 * KiB), ...slices(3, KiB, 1), ...slices(1, 40 * KiB, 4), ...slices(1, 5, 5)]],
      [40 * KiB, 3 * KiB, 40 * KiB, 5],
    ],
  ])('%s: have all their bytes, in order', (_, batches, lengths) => {
    expect(joined(new PieceJoiner(), batches)).toEqual({ lengths, bytes: Buffer.concat(batches.flat()) });
  });

  it('are the large slices themselves', () => {
    const [large] = slices(1, 64 * KiB);
    expect([...new PieceJoiner().join([large!])][0]).toBe(large);
  });
});
