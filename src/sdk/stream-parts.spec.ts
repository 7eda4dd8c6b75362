import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { failureOf, newUuid, stream } from '../../test/support/e2ee-world.js';
import { concat, randomBytes, type Bytes } from './bytes.js';
import { openPiece, piecesOf, type ContentCipher } from './content.js';
import { nodeFloe } from './node-floe-back-end.js';
import { STREAM_PART_BYTES, assertPlan, partAt, partsOf, planParts, planStream } from './part-plan.js';
import { STREAM_SEALED_BYTES, StreamReader, sealStreamParts, type StreamEnd } from './stream-parts.js';

function newCipher(): ContentCipher {
  return { ids: { nodeId: newUuid(), revisionId: newUuid() }, contentKey: randomBytes(32), floe: nodeFloe };
}

const take = (): Bytes => new Uint8Array(STREAM_SEALED_BYTES);

describe('a stream', () => {
  it('is cut and padded as a file of its size is, and opens to what came', async () => {
    const border = fc
      .tuple(fc.constantFrom(0, 1, 2), fc.integer({ min: -2, max: 2 }))
      .map(([parts, by]) => parts * STREAM_PART_BYTES + by);
    const sizes = fc.oneof(border, fc.nat(100_000)).filter((size) => size >= 0);
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1_000, max: 5_000_000 }), async (size, piece) => {
        const plain = new Uint8Array(size).map((_, at) => at * 31);
        const pieces = Array.from({ length: Math.ceil(size / piece) }, (_, at) => plain.subarray(at * piece, (at + 1) * piece));
        const cipher = newCipher();
        let end: StreamEnd | undefined;
        const parts = await Array.fromAsync(
          sealStreamParts(cipher, { reader: new StreamReader(stream(...pieces)), take }, (found) => (end = found)),
        );
        const { plan, trueSize } = end!;
        expect([trueSize, plan]).toEqual([size, planParts(size)]);
        assertPlan(plan, trueSize, parts.length);
        expect(parts.map(({ bytes }) => bytes.length)).toEqual(parts.map(({ part }) => partAt(plan, part).sealedSize));
        const opened: Uint8Array[] = [];
        for (const at of piecesOf({ plan, trueSize, parts }, { from: 0, to: size })) {
          const sealed = stream(parts[at.part]!.bytes.subarray(at.fetch.from, at.fetch.to));
          for await (const some of openPiece(cipher, { plan, trueSize, parts }, { piece: at, sealed })) opened.push(some);
        }
        expect(Buffer.from(concat(...opened)).equals(plain)).toBe(true);
      }),
      { numRuns: 12 },
    );
  });

  it('that ends with a part has its padding in parts behind it', async () => {
    const size = 32 * STREAM_PART_BYTES;
    const plan = planStream(size);
    expect(partsOf(plan)).toBeGreaterThan(32);
    const numbers = { sealed: 0 };
    const floe = {
      ...nodeFloe,
      // Sealing half a gigabyte proves nothing about the parts.
      seal: () =>
        Promise.resolve({
          header: new Uint8Array(74),
          heldBytes: 0,
          push: () => [],
          finish: () => [Uint8Array.of((numbers.sealed += 1))],
        }),
    };
    const pieces = Array.from({ length: 32 }, () => new Uint8Array(STREAM_PART_BYTES));
    const parts = await Array.fromAsync(
      sealStreamParts({ ...newCipher(), floe }, { reader: new StreamReader(stream(...pieces)), take }, () => undefined),
    );
    expect(parts).toHaveLength(partsOf(plan));
    expect(parts.slice(-1)[0]).toMatchObject({ trueBytes: 0 });
  });

  it('that fails fails the upload', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(new Uint8Array(10));
      throw new Error('the pipe broke');
    }
    const parts = sealStreamParts(newCipher(), { reader: new StreamReader(failing()), take }, () => undefined);
    await expect(Array.fromAsync(parts)).rejects.toThrow('the pipe broke');
    expect(await failureOf(Promise.resolve())).toBeUndefined();
  });
});

describe('a reader of streams', () => {
  it('gives as many bytes as are asked for, and takes some back', async () => {
    const reader = new StreamReader(stream(Uint8Array.of(1, 2, 3), new Uint8Array(0), Uint8Array.of(4, 5)));
    const first = concat(...(await Array.fromAsync(reader.take(2))));
    expect(first).toEqual(Uint8Array.of(1, 2));
    reader.putBack(first);
    expect(concat(...(await Array.fromAsync(reader.take(4))))).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(await reader.isAtEnd()).toBe(false);
    expect(concat(...(await Array.fromAsync(reader.take(9))))).toEqual(Uint8Array.of(5));
    expect(await reader.isAtEnd()).toBe(true);
  });
});
