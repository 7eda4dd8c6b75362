import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createSecretKey } from 'node:crypto';
import { FLOE } from '../../src/crypto/floe-format.js';
import {
  plainSegmentBytes,
  plainSizeOf,
  sealedRangeOf,
  sealedSizeOf,
  segmentCount,
  segmentSpan,
  segmentsOf,
} from '../../src/crypto/floe-sizes.js';
import { NodeFloeOpener } from '../../src/crypto/node-floe-opener.js';
import { NodeFloeSealer } from '../../src/crypto/node-floe-sealer.js';
import { openSegments, sealStream, type SegmentOpener, type SegmentSealer } from '../../src/crypto/open-stream.js';
import { tuple, type TupleField } from '../../src/crypto/tuple.js';
import { importWebFloeKey } from '../../src/crypto/web-floe-keys.js';
import { WebFloeOpener } from '../../src/crypto/web-floe-opener.js';
import { WebFloeSealer } from '../../src/crypto/web-floe-sealer.js';

const RAW_KEY = new Uint8Array(32).fill(3);
const AAD = Buffer.from('aad');
const KEY = createSecretKey(RAW_KEY);
const SMALL = { ...FLOE, segmentBytes: 48, rotationSegments: 2 };
const P = plainSegmentBytes(SMALL);

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const collected: Uint8Array[] = [];
  for await (const piece of pieces) collected.push(piece);
  return collected;
}

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    await Promise.resolve();
    yield chunk;
  }
}

/** Cuts bytes into pieces of the given lengths, over and over. */
function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < bytes.length;) {
    const length = lengths[pieces.length % lengths.length]!;
    pieces.push(bytes.subarray(from, from + length));
    from += length;
  }
  return pieces;
}

interface Sealed {
  readonly body: Buffer;
  readonly header: Uint8Array;
}

async function seal(
  plain: Uint8Array,
  sealer: SegmentSealer & { header: Uint8Array },
  lengths: number[] = [1000],
): Promise<Sealed> {
  return { body: Buffer.concat(await collect(sealStream(streamOf(cut(plain, lengths)), sealer))), header: sealer.header };
}

const sealSmall = (plain: Uint8Array): Promise<Sealed> => seal(plain, new NodeFloeSealer(KEY, AAD, SMALL));

/** Opens a body as one whose recorded size is `sealedSize`. */
async function open(body: Uint8Array, opener: SegmentOpener, sealedSize: number, lengths: number[] = [1000]): Promise<Buffer> {
  const options = { sealedSize, firstSegment: 0, lastSegment: segmentCount(sealedSize, opener.parameters) - 1 };
  return Buffer.concat(await collect(openSegments(streamOf(cut(body, lengths)), opener, options)));
}

async function expectRefused(body: Uint8Array, { header, body: original }: Sealed): Promise<void> {
  const opener = new NodeFloeOpener(KEY, header, AAD, SMALL);
  await expect(open(body, opener, original.length)).rejects.toMatchObject({ code: 'data-damaged' });
  // Nor does it open as a body of its own size, if there can be one: whoever forges the record too gains nothing.
  if (body.length === original.length || segmentsIn(body.length) === undefined) return;
  await expect(open(body, opener, body.length)).rejects.toMatchObject({ code: 'data-damaged' });
}

function segmentsIn(sealedSize: number): number | undefined {
  try {
    return segmentCount(sealedSize, SMALL);
  } catch {
    return undefined;
  }
}

const segments = (body: Buffer): Buffer[] =>
  Array.from({ length: segmentCount(body.length, SMALL) }, (_, position) => {
    const { from, to } = segmentSpan(position, body.length, SMALL);
    return body.subarray(from, to);
  });

/** Sizes from none to some segments, and most of them near the end of one. */
const sizes = (segmentBytes: number): fc.Arbitrary<number> =>
  fc.tuple(fc.nat(5), fc.integer({ min: -2, max: 2 })).map(([count, offset]) => Math.max(0, count * segmentBytes + offset));
const plains = fc.oneof(
  sizes(P).chain((size) => fc.uint8Array({ minLength: size, maxLength: size })),
  fc.uint8Array({ maxLength: 5 * P }),
);
const severalSegments = fc.uint8Array({ minLength: 2 * P + 1, maxLength: 6 * P });
const lengths = fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 6 });
const runs = { numRuns: 150 };

describe('FLOE', () => {
  it('opens what was sealed, however both were chunked, with either back end', async () => {
    const webKey = await importWebFloeKey(RAW_KEY);
    const backEnds = fc.constantFrom('node', 'web');
    await fc.assert(
      fc.asyncProperty(plains, lengths, lengths, backEnds, backEnds, async (plain, pushes, chunks, sealing, opening) => {
        const sealer = sealing === 'node' ? new NodeFloeSealer(KEY, AAD, SMALL) : await WebFloeSealer.create(webKey, AAD, SMALL);
        const { body, header } = await seal(plain, sealer, pushes);
        expect(body).toHaveLength(sealedSizeOf(plain.length, SMALL));
        const opener =
          opening === 'node'
            ? new NodeFloeOpener(KEY, header, AAD, SMALL)
            : await WebFloeOpener.create(webKey, header, AAD, SMALL);
        expect(await open(body, opener, body.length, chunks)).toEqual(Buffer.from(plain));
      }),
      runs,
    );
  });

  it('opens sizes around the segments that we store', async () => {
    const bytes = plainSegmentBytes();
    await fc.assert(
      fc.asyncProperty(sizes(bytes), fc.integer({ min: 500, max: 200_000 }), async (size, chunk) => {
        const plain = Buffer.alloc(size, 'every byte counts');
        const { body, header } = await seal(plain, new NodeFloeSealer(KEY, AAD), [chunk]);
        expect((await open(body, new NodeFloeOpener(KEY, header, AAD), sealedSizeOf(size), [chunk + 1])).equals(plain)).toBe(
          true,
        );
      }),
      { numRuns: 30 },
    );
  });

  it('refuses any flipped bit', async () => {
    await fc.assert(
      fc.asyncProperty(plains, fc.nat(), async (plain, at) => {
        const sealed = await sealSmall(plain);
        const flipped = Buffer.from(sealed.body);
        const bit = at % (flipped.length * 8);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        await expectRefused(flipped, sealed);
      }),
      runs,
    );
    const sealed = await sealSmall(new Uint8Array(P + 1));
    for (let bit = 0; bit < sealed.body.length * 8; bit++) {
      const flipped = Buffer.from(sealed.body);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await expectRefused(flipped, sealed);
    }
  });

  it('refuses segments that were swapped, repeated or left out', async () => {
    await fc.assert(
      fc.asyncProperty(severalSegments, fc.nat(), fc.nat(), async (plain, one, other) => {
        const sealed = await sealSmall(plain);
        const parts = segments(sealed.body);
        const left = one % (parts.length - 1);
        const right = left + 1 + (other % (parts.length - 1 - left));
        await expectRefused(Buffer.concat(parts.with(left, parts[right]!).with(right, parts[left]!)), sealed);
        await expectRefused(Buffer.concat(parts.with(right, parts[left]!)), sealed);
        await expectRefused(Buffer.concat(parts.toSpliced(left, 0, parts[left]!)), sealed);
        await expectRefused(Buffer.concat(parts.toSpliced(left, 1)), sealed);
      }),
      runs,
    );
  });

  it('refuses a body that was cut or extended', async () => {
    await fc.assert(
      fc.asyncProperty(plains, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 100 }), async (plain, at, more) => {
        const sealed = await sealSmall(plain);
        await expectRefused(sealed.body.subarray(0, at % sealed.body.length), sealed);
        await expectRefused(Buffer.concat([sealed.body, more]), sealed);
        const parts = segments(sealed.body);
        await expectRefused(Buffer.concat(parts.slice(0, -1)), sealed);
        await expectRefused(Buffer.concat([...parts, parts.at(-1)!]), sealed);
      }),
      runs,
    );
  });

  it('refuses segments of another message, even of the same plaintext under the same key', async () => {
    await fc.assert(
      fc.asyncProperty(plains, fc.nat(), async (plain, at) => {
        const [sealed, other] = [await sealSmall(plain), await sealSmall(plain)];
        const parts = segments(sealed.body);
        const position = at % parts.length;
        await expectRefused(Buffer.concat(parts.with(position, segments(other.body)[position]!)), sealed);
      }),
      runs,
    );
  });

  it('maps ranges of the plaintext to segments that hold all of it and nothing more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 6 * P }), fc.nat(), fc.nat(), async (plain, a, b) => {
        const from = a % plain.length;
        const to = from + 1 + (b % (plain.length - from));
        const { body, header } = await sealSmall(plain);
        const { first, last } = segmentsOf({ from, to }, SMALL);
        const range = sealedRangeOf({ first, last }, body.length, SMALL);
        const options = { sealedSize: body.length, firstSegment: first, lastSegment: last };
        const chunks = streamOf([body.subarray(range.from, range.to)]);
        const opened = await collect(openSegments(chunks, new NodeFloeOpener(KEY, header, AAD, SMALL), options));
        const skipped = from - first * P;
        expect(Buffer.concat(opened).subarray(skipped, skipped + to - from)).toEqual(Buffer.from(plain.subarray(from, to)));
        expect(skipped).toBeLessThan(opened[0]!.length);
        expect(range.to - range.from).toBeLessThanOrEqual(SMALL.segmentBytes * (Math.ceil((to - from - 1) / P) + 1));
      }),
      runs,
    );
  });

  it('computes sizes that are each other’s inverse', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          sizes(65_504),
          fc.maxSafeNat().map((size) => size % 2 ** 52),
        ),
        (size) => {
          expect(plainSizeOf(sealedSizeOf(size))).toBe(size);
        },
      ),
    );
  });

  it('encodes no two different tuples alike', () => {
    const field = fc.oneof(fc.string({ unit: 'binary', maxLength: 4 }), fc.maxSafeNat(), fc.uint8Array({ maxLength: 4 }));
    const fields = fc.array(field, { maxLength: 4 });
    const same = (one: TupleField[], other: TupleField[]): boolean =>
      JSON.stringify(one.map(tagged)) === JSON.stringify(other.map(tagged));
    const tagged = (value: TupleField): unknown => (value instanceof Uint8Array ? { bytes: [...value] } : value);
    fc.assert(
      fc.property(fields, fields, (one, other) => {
        expect(Buffer.from(tuple(...one)).equals(Buffer.from(tuple(...other)))).toBe(same(one, other));
      }),
      { numRuns: 2000 },
    );
  });
});
