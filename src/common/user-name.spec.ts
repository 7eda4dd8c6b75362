import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseUserName } from './user-name.js';

describe('parseUserName', () => {
  it.each([
    ['alice', 'alice'],
    ['Alice', 'alice'],
    ['ALICE.B-c_9', 'alice.b-c_9'],
    ['Ａｌｉｃｅ', 'alice'],
    ['ﬁona', 'fiona'],
    ['al\u0131ce', 'alice'],
    ['Straße', 'strasse'],
    ['STRASSE', 'strasse'],
    ['Žofie', 'žofie'],
    ['Z\u030Cofie', 'žofie'],
    ['Zoë', 'zoë'],
    ['Ольга', 'ольга'],
    ['Νίκος', 'νίκοσ'],
    ['ΝΊΚΟΣ', 'νίκοσ'],
    ['李雷', '李雷'],
    ['さくら', 'さくら'],
    ['김철수', '김철수'],
    ['अमित', 'अमित'],
    ['1and1', '1and1'],
  ])('takes %j as %j', (text, name) => {
    expect(parseUserName(text)).toBe(name);
  });

  it.each([
    '',
    ' ',
    '.alice',
    'alice.',
    'al..ice',
    'alice bob',
    'alice#recovery',
    'alice/bob',
    'alice\u0000',
    'alice\u200b',
    'al\u00adice',
    'alice\u202e',
    'a\u0300\u0301lice\u0316',
    'al\u0130ce',
    'ɑlice',
    'аlice', // Cyrillic а
    'оре', // all Cyrillic, looks like "ope"
    'ԁеа',
    'αlice',
    'ονο',
    'alice李',
    '☃',
    'alice\ud800',
    'x'.repeat(65),
    '𝟙\u0301',
  ])('refuses %j', (text) => {
    expect(() => parseUserName(text)).toThrow(expect.objectContaining({ code: 'invalid-user-name' }));
  });

  it('gives a form that it takes as it is', () => {
    const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 6 }));
    fc.assert(
      fc.property(text, (given) => {
        let name: string;
        try {
          name = parseUserName(given);
        } catch {
          return;
        }
        expect(parseUserName(name)).toBe(name);
        expect(parseUserName(name.toUpperCase())).toBe(name);
      }),
      { numRuns: 2000 },
    );
  });
});
