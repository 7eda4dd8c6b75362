import { expect, it } from '@jest/globals';
import { parseRange, resolveRange } from './get-range.js';

it.each([
  ['0-0', 10, 0, 1],
  ['0-99', 10, 0, 10],
  ['3-5', 10, 3, 6],
  ['9-', 10, 9, 10],
  ['-1', 10, 9, 10],
  ['-100', 10, 0, 10],
])('%s of %d bytes are those from %d to %d', (text, size, from, to) => {
  expect(resolveRange(parseRange(text), size)).toEqual({ from, to });
});

it.each(['', '-', '5', '5-4', '1-2-3', '0-1,3-4', 'a-b', ' 0-1', '-1-', '0-9999999999999999'])('%j is no range', (text) => {
  expect(() => parseRange(text)).toThrow(expect.objectContaining({ exit: 'usage' }));
});

it.each([
  ['10-', 10],
  ['0-', 0],
  ['-0', 10],
  ['-5', 0],
])('%s of %d bytes are none', (text, size) => {
  expect(() => resolveRange(parseRange(text), size)).toThrow(expect.objectContaining({ exit: 'usage' }));
});
