import { expect, it } from '@jest/globals';
import { aligned, humanSize, humanTime, visible, widthOf } from './visible.js';

it.each([
  ['plain – Grüße 日本語 👍', 'plain – Grüße 日本語 👍'],
  ['\u001b[2Jx', '\\u{1b}[2Jx'],
  ['a\rb\nc\u009b', 'a\\u{d}b\\u{a}c\\u{9b}'],
  ['gpj.\u202eexe', 'gpj.\\u{202e}exe'],
  ['a\u200bb\ufeff', 'a\\u{200b}b\\u{feff}'],
  ['\u2028\u2029\ud800', '\\u{2028}\\u{2029}\\u{d800}'],
  ['\u{e0041}', '\\u{e0041}'],
])('%j is shown as %j', (text, shown) => {
  expect(visible(text)).toBe(shown);
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [9_949, '9.9 kB'],
  [9_951, '10 kB'],
  [999_999, '1.0 MB'],
  [12_345_678, '12 MB'],
  [2e21, '2000000 PB'],
])('%d bytes are %s', (bytes, shown) => {
  expect(humanSize(bytes)).toBe(shown);
});

it.each([
  [0, '0:00'],
  [6.2, '0:07'],
  [59.5, '1:00'],
  [3_599.1, '1:00:00'],
  [3_723, '1:02:03'],
])('%d seconds are %s', (seconds, shown) => {
  expect(humanTime(seconds)).toBe(shown);
});

it('columns are below each other, whatever is in them', () => {
  expect(widthOf('日本e\u0301👍')).toBe(7);
  expect(aligned([['日本', '1'], ['a', '22'], ['abc']])).toBe('日本  1\na     22\nabc\n');
  expect(aligned([])).toBe('');
});
