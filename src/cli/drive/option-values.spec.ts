import { expect, it } from '@jest/globals';
import { collected, duration, positive } from './option-values.js';

it.each([
  ['1m', 60_000],
  ['12h', 43_200_000],
  ['30d', 2_592_000_000],
])('%s is a time', (text, ms) => {
  expect(duration(text)).toBe(ms);
});

it.each(['', '0d', '00h', '1', '1s', '-1d', '1.5h', ' 1d', '1d ', '1D', '1234567m', '١d'])('%j is no time', (text) => {
  expect(() => duration(text)).toThrow('It must be like');
});

it('a number is a whole one from 1 on', () => {
  expect([positive('1'), positive('999999999')]).toEqual([1, 999_999_999]);
  for (const text of ['', '0', '01', '-1', '1.0', '1e3', '0x1', ' 1', '1234567890', 'NaN'])
    expect(() => positive(text)).toThrow('It must be a whole number');
});

it('an option that is given again is added', () => {
  expect(collected('b', collected('a'))).toEqual(['a', 'b']);
});
