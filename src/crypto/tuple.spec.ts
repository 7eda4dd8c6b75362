import { describe, expect, it } from '@jest/globals';
import { tuple, type TupleField } from './tuple.js';

const hex = (...fields: TupleField[]): string => Buffer.from(tuple(...fields)).toString('hex');

describe('tuple', () => {
  it('puts its length in front of each field', () => {
    expect(hex('ä', 258, new Uint8Array([9]))).toBe('0000000373c3a4' + '000000096e0000000000000102' + '000000026209');
    expect(hex()).toBe('');
  });

  it('encodes no two different tuples alike', () => {
    const tuples: TupleField[][] = [
      [],
      [''],
      ['', ''],
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc'],
      ['a', 'b', 'c'],
      [1],
      ['1'],
      [0],
      [new Uint8Array(0)],
      [new Uint8Array(8)],
      [Buffer.from('abc')],
      ['a\0'],
      ['ä'],
      ['a\u0308'],
      ['\ufffd'],
    ];
    expect(new Set(tuples.map((fields) => hex(...fields))).size).toBe(tuples.length);
  });

  it('refuses what would encode like something else', () => {
    for (const field of [-1, -0, 1.5, 2 ** 53, Number.NaN, Infinity, '\ud800', 'a\udc00'])
      expect(() => tuple(field)).toThrow(RangeError);
  });
});
