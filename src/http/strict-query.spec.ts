import { describe, expect, it } from '@jest/globals';
import { strictQuery } from './strict-query.js';

describe('strictQuery', () => {
  it.each<[string | null, Record<string, string>]>([
    [null, {}],
    ['', {}],
    ['&&', {}],
    ['a=1&b=2', { a: '1', b: '2' }],
    ['a', { a: '' }],
    ['a=', { a: '' }],
    ['a=b=c', { a: 'b=c' }],
    ['a=b+c%20d%2Be', { a: 'b c d+e' }],
    ['%61=%F0%9F%98%80', { a: '😀' }],
    ['a[b]=1', { 'a[b]': '1' }],
    ['=x', { '': 'x' }],
  ])('reads %j', (text, expected) => {
    expect(strictQuery(text)).toEqual(expected);
  });

  it.each([
    'a=1&a=1',
    'a&%61',
    'a=%',
    'a=%z1',
    'a=%ff',
    'a=%ED%A0%80',
    'a=%C0%80',
    '%E0%A4%A=1',
    '__proto__=1',
    'constructor=1',
    'toString',
  ])('refuses %j', (text) => {
    expect(() => strictQuery(text)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  });
});
