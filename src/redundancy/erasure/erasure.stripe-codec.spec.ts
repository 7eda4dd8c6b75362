import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { choices, shapes } from '../../../test/support/erasure.js';
import type { StripeShape } from '../stripe-codec.js';
import { parityFactor } from './code-matrix.js';
import { combinationOf } from './combination.js';
import type { ErasureKernel } from './erasure-kernel.js';
import { ErasureCodec } from './erasure.stripe-codec.js';
import { multiply } from './galois-field.js';
import { loadErasureKernel } from './load-erasure-kernel.js';
import { TableErasureKernel } from './table.erasure-kernel.js';

interface Piece {
  readonly bytes: number;
  readonly sha256: string;
  readonly first16: string;
}

interface Vector {
  readonly k: number;
  readonly m: number;
  readonly label: string;
  readonly lengths: readonly number[];
  readonly data: readonly Piece[];
  readonly parity: readonly Piece[];
}

interface Vectors {
  readonly products: string;
  readonly matrix: readonly (readonly number[])[];
  readonly row239: readonly number[];
  readonly vectors: readonly Vector[];
}

/** Made by test/vectors/erasure/generate.py, which shares nothing with this program. */
const VECTORS = JSON.parse(readFileSync(join(process.cwd(), 'test/vectors/erasure/vectors.json'), 'utf8')) as Vectors;

let wasm: ErasureKernel;
const table = new TableErasureKernel();
const causes: unknown[] = [];

beforeAll(async () => {
  wasm = await loadErasureKernel((cause) => causes.push(cause));
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function content(label: string, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, at) =>
    createHash('sha256').update(`${label}/${at}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

function shown(bytes: Uint8Array): Piece {
  return { bytes: bytes.length, sha256: sha256(bytes), first16: Buffer.from(bytes.subarray(0, 16)).toString('hex') };
}

describe('the frozen vectors of an independent implementation', () => {
  it('have the same products and the same matrix', () => {
    const products = Buffer.from(Array.from({ length: 65_536 }, (_, at) => multiply(at >> 8, at & 255)));
    expect(sha256(products)).toBe(VECTORS.products);
    expect(VECTORS.matrix.map((row, at) => row.map((_, column) => parityFactor(at, column)))).toEqual(VECTORS.matrix);
    expect(VECTORS.row239.map((_, column) => parityFactor(239, column))).toEqual(VECTORS.row239);
  });

  it('are those of the example in docs/format.md', () => {
    const parity = new ErasureCodec(wasm).encode([Uint8Array.of(1, 2), Uint8Array.of(3, 4)], { k: 2, m: 2 });
    expect(parity.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(['0206', '35b9']);
  });

  for (const vector of VECTORS.vectors) {
    it(`have the same parity: ${vector.label}`, () => {
      const data = vector.lengths.map((length, at) => content(`${vector.label}/${at}`, length));
      expect(data.map(shown)).toEqual(vector.data);
      for (const kernel of [wasm, table]) expect(new ErasureCodec(kernel).encode(data, vector).map(shown)).toEqual(vector.parity);
    });
  }
});

describe('the kernels', () => {
  it('are the one in WebAssembly, and the plain one where that cannot run', async () => {
    expect([wasm.name, causes]).toEqual(['wasm', []]);
    const note = (cause: unknown): unknown => causes.push(cause);
    expect((await loadErasureKernel(note, () => Promise.resolve(Uint8Array.of(0, 1, 2)))).name).toBe('table');
    expect((await loadErasureKernel(note, () => Promise.reject(new Error('no such file')))).name).toBe('table');
    expect(causes).toHaveLength(2);
  });

  it('give the same bytes for any factors, lengths and offsets', () => {
    const length = fc.oneof(
      fc.integer({ min: 0, max: 200 }),
      fc.constantFrom(16_383, 16_384, 16_385, 32_769, 70_001), // around its blocks
    );
    const problem = fc
      .record({ rows: fc.integer({ min: 1, max: 9 }), sources: fc.integer({ min: 1, max: 20 }), length })
      .chain(({ rows, sources, length: bytes }) =>
        fc.record({
          rows: fc.array(fc.uint8Array({ minLength: sources, maxLength: sources }), { minLength: rows, maxLength: rows }),
          lengths: fc.array(fc.integer({ min: 0, max: bytes }), { minLength: sources, maxLength: sources }),
          offset: fc.integer({ min: 0, max: 17 }),
          length: fc.constant(bytes),
        }),
      );
    fc.assert(
      fc.property(problem, ({ rows, lengths, offset, length: bytes }) => {
        const sources = lengths.map((size, at) => content(`${bytes}/${at}`, offset + size).subarray(offset));
        const outputs = [wasm, table].map((kernel) => {
          const made = rows.map(() => Buffer.alloc(bytes, 0xee));
          kernel.combine(combinationOf(rows), sources, made);
          return made;
        });
        expect(outputs[0]!.every((output, at) => output.equals(outputs[1]![at]!))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('manage as many sources and outputs as there may be', () => {
    const rows = Array.from({ length: 128 }, (_, row) =>
      Uint8Array.from({ length: 128 }, (__, column) => (row * 31 + column * 7) & 255),
    );
    const sources = Array.from({ length: 128 }, (_, at) => content(`many ${at}`, 1500));
    const [fast, plain] = [wasm, table].map((kernel) => {
      const made = rows.map(() => Buffer.alloc(1500));
      kernel.combine(combinationOf(rows), sources, made);
      return Buffer.concat(made);
    });
    expect(fast!.equals(plain!)).toBe(true);
  });

  it('refuse what does not fit', () => {
    const combination = combinationOf([Uint8Array.of(1, 2)]);
    const two = [Buffer.alloc(4), Buffer.alloc(4)];
    for (const kernel of [wasm, table]) {
      expect(() => kernel.combine(combination, two, two)).toThrow(RangeError);
      expect(() => kernel.combine(combination, [two[0]!], [two[1]!])).toThrow(RangeError);
      expect(() => kernel.combine(combination, two, [Buffer.alloc(3)])).toThrow(RangeError);
      expect(() =>
        kernel.combine(combinationOf([Uint8Array.of(1), Uint8Array.of(1)]), [two[0]!], [two[1]!, Buffer.alloc(5)]),
      ).toThrow(RangeError);
    }
  });
});

function givesBack(codec: ErasureCodec, shards: readonly Uint8Array[], shape: StripeShape, lost: readonly number[]): boolean {
  const left = new Map(shards.entries().filter(([index]) => !lost.includes(index)));
  return codec.decode(left, shape, lost).every((made, at) => Buffer.compare(made, shards[lost[at]!]!) === 0);
}

describe('the code', () => {
  it('gives every shard back after every loss of m, for every shape of at most 12 shards', () => {
    for (const kernel of [wasm, table]) {
      const codec = new ErasureCodec(kernel);
      for (const { k, m } of shapes(12)) {
        const data = Array.from({ length: k }, (_, at) => content(`${k}+${m}/${at}`, 40));
        const shards = [...data, ...codec.encode(data, { k, m })];
        const wrong = choices(k + m, m).find((lost) => !givesBack(codec, shards, { k, m }, lost));
        expect({ k, m, wrong }).toEqual({ k, m, wrong: undefined });
      }
    }
  });

  it('gives short and missing last slices back, with zeros behind them', () => {
    const codec = new ErasureCodec(wasm);
    const data = [content('a', 50), content('b', 20), Buffer.alloc(0), Buffer.alloc(0)];
    const shape = { k: 4, m: 2 };
    const shards = [...data, ...codec.encode(data, shape)];
    for (const lost of choices(6, 2)) {
      const left = new Map(shards.entries().filter(([index]) => !lost.includes(index)));
      codec.decode(left, shape, lost).forEach((shard, at) => {
        expect(Buffer.compare(shard, Buffer.concat([shards[lost[at]!]!, Buffer.alloc(50 - shards[lost[at]!]!.length)]))).toBe(0);
      });
    }
  });

  it('with one parity slice is the sum of the slices', () => {
    const data = [content('a', 9), content('b', 9), content('c', 4)];
    const [parity] = new ErasureCodec(wasm).encode(data, { k: 3, m: 1 });
    expect([...parity!]).toEqual(Array.from({ length: 9 }, (_, at) => data[0]![at]! ^ data[1]![at]! ^ (data[2]![at] ?? 0)));
  });

  it('hands present shards back without copying and refuses too few', () => {
    const codec = new ErasureCodec(wasm);
    const data = [content('a', 9), content('b', 9)];
    expect(codec.decode(new Map(data.entries()), { k: 2, m: 1 }, [1, 0])).toEqual([data[1], data[0]]);
    expect(() => codec.decode(new Map([[0, data[0]!]]), { k: 2, m: 1 }, [1])).toThrow(RangeError);
    expect(() => codec.encode(data, { k: 3, m: 1 })).toThrow(RangeError);
    expect(() => codec.encode(data, { k: 2, m: 255 })).toThrow(RangeError);
  });
});
