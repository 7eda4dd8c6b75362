import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { join, slice, slicesCovering } from '../../src/chunking/slices.js';

async function* stream(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

/** The same bytes in pieces that end at these places; empty pieces too. */
function cut(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return ends.map((end, at) => bytes.subarray(at === 0 ? 0 : ends[at - 1], end));
}

const content = fc.uint8Array({ maxLength: 2000 });
const places = fc.array(fc.nat(), { maxLength: 12 });
const sliceBytes = fc.integer({ min: 1, max: 700 });

describe('slices', () => {
  it('are the same however the bytes arrive, and together they are the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(content, places, sliceBytes, async (bytes, ends, size) => {
        const slices = (await Array.fromAsync(slice(stream(cut(bytes, ends)), size))).flat();
        const expected = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size),
        );
        expect(slices.map((piece) => Buffer.from(piece))).toEqual(expected.map((piece) => Buffer.from(piece)));
      }),
      { numRuns: 300 },
    );
  });

  it('that cover a range give the range, and no fewer would', async () => {
    await fc.assert(
      fc.asyncProperty(content, fc.nat(), fc.nat(), sliceBytes, async (bytes, one, two, size) => {
        const [from, to] = [one % (bytes.length + 1), two % (bytes.length + 1)].toSorted((a, b) => a - b) as [number, number];
        const span = slicesCovering({ from, to }, size);
        const slices = (await Array.fromAsync(slice(stream([bytes]), size))).flat().slice(span.first, span.end);
        const joined = Buffer.concat(await Array.fromAsync(join(stream(slices), { skip: span.skip, length: to - from })));
        expect(joined.equals(bytes.subarray(from, to))).toBe(true);
        if (to > from) {
          expect(span.first).toBe(Math.floor(from / size));
          expect(span.end - 1).toBe(Math.floor((to - 1) / size));
        } else expect(slices).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
