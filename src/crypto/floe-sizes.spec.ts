import { describe, expect, it } from '@jest/globals';
import { FLOE } from './floe-format.js';
import {
  plainSegmentBytes,
  plainSizeOf,
  sealedRangeOf,
  sealedSizeOf,
  segmentCount,
  segmentSpan,
  segmentsOf,
} from './floe-sizes.js';

const P = 65_504;

describe('FLOE sizes', () => {
  it('take 32 bytes for each segment of 65,504 bytes', () => {
    expect(plainSegmentBytes()).toBe(P);
    expect(sealedSizeOf(1)).toBe(33);
    expect(sealedSizeOf(P)).toBe(65_536);
    expect(sealedSizeOf(P + 1)).toBe(65_536 + 33);
    expect(sealedSizeOf(2 * P)).toBe(131_072);
  });

  it('give an empty message one segment', () => {
    expect(sealedSizeOf(0)).toBe(32);
    expect(segmentCount(32)).toBe(1);
    expect(plainSizeOf(32)).toBe(0);
  });

  it('know the plaintext of a body that ends with an empty segment', () => expect(plainSizeOf(65_536 + 32)).toBe(P));

  it.each([0, 31, 65_537, 65_567, -1, 1.5, Number.NaN, 2 ** 53])('refuse a body of %d bytes', (size) => {
    expect(() => plainSizeOf(size)).toThrow(RangeError);
  });

  it('refuse a body of more than 2^40 segments', () => {
    const parameters = { ...FLOE, segmentBytes: 40 };
    expect(segmentCount(40 * 2 ** 40, parameters)).toBe(2 ** 40);
    expect(() => segmentCount(40 * 2 ** 40 + 32, parameters)).toThrow(RangeError);
  });

  it('find the segments of a range', () => {
    expect(segmentsOf({ from: 0, to: 1 })).toEqual({ first: 0, last: 0 });
    expect(segmentsOf({ from: 0, to: P })).toEqual({ first: 0, last: 0 });
    expect(segmentsOf({ from: P - 1, to: P + 1 })).toEqual({ first: 0, last: 1 });
    expect(segmentsOf({ from: P, to: P + 1 })).toEqual({ first: 1, last: 1 });
    expect(() => segmentsOf({ from: 5, to: 5 })).toThrow(RangeError);
    expect(() => segmentsOf({ from: -1, to: 5 })).toThrow(RangeError);
  });

  it('find segments in the body, and the final one among them', () => {
    const size = sealedSizeOf(2 * P + 7);
    expect(segmentSpan(1, size)).toEqual({ from: 65_536, to: 131_072, final: false });
    expect(segmentSpan(2, size)).toEqual({ from: 131_072, to: 131_072 + 39, final: true });
    expect(() => segmentSpan(3, size)).toThrow(RangeError);
    expect(() => segmentSpan(-1, size)).toThrow(RangeError);
    expect(sealedRangeOf({ first: 1, last: 2 }, size)).toEqual({ from: 65_536, to: size });
  });
});
