import { describe, expect, it } from '@jest/globals';
import { requestedRange } from './byte-range.js';

describe('requestedRange', () => {
  it.each<[string, number, number]>([
    ['bytes=0-0', 0, 1],
    ['bytes=0-9', 0, 10],
    ['bytes=3-5', 3, 6],
    ['bytes=3-', 3, 10],
    ['bytes=9-', 9, 10],
    ['bytes=-1', 9, 10],
    ['bytes=-10', 0, 10],
    ['bytes=-11', 0, 10],
    ['bytes=0-99', 0, 10],
    ['bytes=9-99999999999999999999999', 9, 10],
    ['bytes=-99999999999999999999999', 0, 10],
    ['bytes= 3-5 ', 3, 6],
    ['Bytes=3-5', 3, 6],
    ['bytes=003-05', 3, 6],
  ])('reads %s of ten bytes', (header, from, to) => {
    expect(requestedRange(header, 10)).toEqual({ from, to });
  });

  it.each(['bytes=10-', 'bytes=10-10', 'bytes=99-100', 'bytes=-0', 'bytes=99999999999999999999-'])(
    'refuses %s of ten bytes',
    (header) => {
      expect(() => requestedRange(header, 10)).toThrow(expect.objectContaining({ code: 'range-not-satisfiable' }));
    },
  );

  it.each(['bytes=0-', 'bytes=0-0', 'bytes=-1'])('refuses %s of nothing', (header) => {
    expect(() => requestedRange(header, 0)).toThrow(expect.objectContaining({ code: 'range-not-satisfiable' }));
  });

  it.each([
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=5-3',
    'bytes=a-',
    'bytes=1-b',
    'bytes=1.5-',
    'bytes=-1-2',
    'bytes=0x1-2',
  ])('ignores %s', (header) => {
    expect(requestedRange(header, 10)).toBeUndefined();
  });

  it.each(['bytes=0-1,3-4', 'bytes=0-1,', 'lines=0-1', 'bytes 0-1', 'xbytes=0-1', 'bytes=١-٢'])('ignores %s', (header) => {
    expect(requestedRange(header, 10)).toBeUndefined();
  });
});
