import { describe, expect, it } from '@jest/globals';
import { join, slice, slicesCovering } from './slices.js';

async function* stream(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => at % 251);
}

async function sizes(total: number, sliceBytes: number): Promise<readonly number[]> {
  return (await Array.fromAsync(slice(stream(bytes(total)), sliceBytes))).flat().map(({ length }) => length);
}

describe('slicesCovering', () => {
  it.each([
    [0, 1, { first: 0, end: 1, skip: 0 }],
    [0, 10, { first: 0, end: 1, skip: 0 }],
    [0, 11, { first: 0, end: 2, skip: 0 }],
    [9, 11, { first: 0, end: 2, skip: 9 }],
    [10, 11, { first: 1, end: 2, skip: 0 }],
    [25, 30, { first: 2, end: 3, skip: 5 }],
    [5, 5, { first: 0, end: 0, skip: 5 }],
    [2 ** 40, 2 ** 40 + 1, { first: 109_951_162_777, end: 109_951_162_778, skip: 6 }],
  ])('from %d to %d in slices of 10', (from, to, expected) => {
    expect(slicesCovering({ from, to }, 10)).toEqual(expected);
  });
});

describe('slice', () => {
  it('cuts full slices and a shorter last one; nothing of nothing', async () => {
    expect(await sizes(0, 10)).toEqual([]);
    expect(await sizes(9, 10)).toEqual([9]);
    expect(await sizes(10, 10)).toEqual([10]);
    expect(await sizes(11, 10)).toEqual([10, 1]);
    expect(await sizes(30, 10)).toEqual([10, 10, 10]);
  });

  it('gives buffers that nobody else writes to: neither the input nor a later slice changes them', async () => {
    for (const sliceBytes of [10, 70_000]) {
      const input = bytes(2.5 * sliceBytes);
      const expected = Buffer.from(input);
      const slices: Uint8Array[] = [];
      for await (const group of slice(stream(input.slice(0, sliceBytes), input.slice(sliceBytes)), sliceBytes))
        slices.push(...group);
      expect(Buffer.concat(slices).equals(expected)).toBe(true);
      expect(slices.map(({ length }) => length)).toEqual([sliceBytes, sliceBytes, sliceBytes / 2]);
    }
  });

  it('cuts large slices each from a buffer of its own, which can be released, and small ones many together', async () => {
    const large = (await Array.fromAsync(slice(stream(bytes(280_000)), 70_000))).flat();
    expect(large.map(({ byteLength, buffer }) => [byteLength, buffer.byteLength])).toEqual(Array(4).fill([70_000, 70_000]));
    const groups = await Array.fromAsync(slice(stream(bytes(200_000)), 1000));
    expect(groups.map(({ length }) => length)).toEqual([65, 65, 65, 5]);
  });

  it('takes no full slice for a small stream', async () => {
    const [only] = (await Array.fromAsync(slice(stream(bytes(100)), 64 * 1024 * 1024))).flat();
    expect(only!.buffer.byteLength).toBeLessThan(10_000);
  });

  it('yields a slice as soon as it is full', async () => {
    let given = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        given += 1;
        yield await Promise.resolve(bytes(50_000));
      }
    }
    const slices = slice(endless(), 100_000);
    await slices.next();
    expect(given).toBe(2);
    await slices.return(undefined);
  });
});

describe('join', () => {
  it('skips and cuts, over as many slices as it needs, and asks for none behind', async () => {
    let given = 0;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < 10; at += 1) {
        given += 1;
        yield await Promise.resolve(bytes(100).subarray(at * 10, at * 10 + 10));
      }
    }
    const joined = Buffer.concat(await Array.fromAsync(join(pieces(), { skip: 15, length: 10 })));
    expect(joined.equals(bytes(100).subarray(15, 25))).toBe(true);
    expect(given).toBe(3);
  });

  it('yields nothing of an empty range', async () => {
    expect(await Array.fromAsync(join(stream(), { skip: 5, length: 0 }))).toEqual([]);
  });
});
