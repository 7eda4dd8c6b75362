import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkContentType, checkName } from './file-name.js';

describe('checkName', () => {
  it.each(['a', '.', '..', '../x', '/', '\\', ' ', '😀', '\u202e', '\u{10ffff}', '\u2028', 'x'.repeat(1024), '😀'.repeat(256)])(
    'takes %j as it is',
    (name) => {
      expect(checkName(name, 1024)).toBe(name);
    },
  );

  it.each([
    '',
    '\0',
    'a\0b',
    '\n',
    '\t',
    '\u007f',
    '\u0080',
    '\u009f',
    '\ud800',
    'a\udc00',
    '\udc00\ud800',
    'x'.repeat(1025),
    '😀'.repeat(257),
  ])('refuses %j, and does not repeat it', (name) => {
    const refusal = expect.objectContaining({ code: 'invalid-name' });
    expect(() => checkName(name, 1024)).toThrow(refusal);
    const detail = thrown(() => checkName(name, 1024)).detail;
    if (name.length > 3) expect(detail).not.toContain(name);
  });

  it('takes a name if and only if UTF-8 can carry it, it has no control character, and it fits', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }), (units) => {
        const name = String.fromCharCode(...units);
        const bytes = Buffer.from(name);
        const isGood =
          units.length > 0 &&
          bytes.toString() === name &&
          bytes.length <= 30 &&
          !units.some((unit) => unit < 32 || (unit >= 127 && unit < 160));
        expect(thrown(() => checkName(name, 30)).code === undefined).toBe(isGood);
      }),
    );
  });
});

describe('checkContentType', () => {
  it.each([
    'a/b',
    'text/plain; charset=utf-8',
    'text/plain;charset="utf-8"',
    'application/vnd.x+json',
    'multipart/mixed; boundary=x',
  ])('takes %j', (type) => {
    expect(checkContentType(type, 255)).toBe(type);
  });

  it.each(['', 'a', 'a/', '/b', 'a b/c', 'a/b\r\nX: 1', 'a/b; é', 'a/b c', 'a/b;\0', `a/${'b'.repeat(254)}`])(
    'refuses %j',
    (type) => {
      expect(() => checkContentType(type, 255)).toThrow(expect.objectContaining({ code: 'invalid-content-type' }));
    },
  );
});

function thrown(call: () => unknown): { readonly code?: string; readonly detail?: string } {
  try {
    call();
    return {};
  } catch (error) {
    return error as { code: string; detail: string };
  }
}
