import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { dispositionOf, nameInDisposition } from './disposition.js';

/** As Node.js gives a header whose bytes are this text in UTF-8. */
function asReceived(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

describe('dispositionOf', () => {
  it('makes a header of ASCII from which every name can be read again', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 50 }).filter((text) => !/\p{Cc}/u.test(text));
    fc.assert(
      fc.property(name, (text) => {
        const header = dispositionOf(text);
        expect(header).toMatch(/^attachment; [\x20-\x7e]+$/);
        expect(nameInDisposition(header)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps whole paths: a name is no path', () => {
    expect(nameInDisposition(dispositionOf('a/b\\c/../d'))).toBe('a/b\\c/../d');
  });
});

describe('nameInDisposition', () => {
  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['attachment', undefined],
    ['attachment; filename=token', 'token'],
    ['attachment; filename="a b"', 'a b'],
    ['attachment; FileName="a"', 'a'],
    ['attachment; filename="a;b=\\"c\\""', 'a;b="c"'],
    [asReceived('attachment; filename="naïve 😀"'), 'naïve 😀'],
    ['attachment; filename="na\u00efve"', 'naïve'], // Latin-1, as old clients sent it
    ['attachment; filename="x"; filename*=UTF-8\'\'%E2%82%AC', '€'],
    ["attachment; filename*=ISO-8859-1''%A3", '£'],
    ['attachment; filename=""', ''],
  ])('of %j', (header, expected) => {
    expect(nameInDisposition(header)).toBe(expected);
  });
});
