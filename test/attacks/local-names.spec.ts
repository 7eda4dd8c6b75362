import { basename, join, resolve, win32 } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { safeLocalName } from '../../src/sdk/local-name.js';

// Stands on what `safeLocalName` replaces (src/sdk/local-name.ts).
describe('attack 25: a name that leads out of the folder or hides what it is', () => {
  it.each([
    ['..', '__'],
    ['.', '_'],
    ['', '_'],
    ['../../etc/passwd', '.._.._etc_passwd'],
    ['..\\..\\Windows', '.._.._Windows'],
    ['/etc/passwd', '_etc_passwd'],
    ['C:\\x', 'C__x'],
    ['a\u0000b', 'a_b'],
    ['~root', '_root'],
    ['..\u2215..\u2044x', '.._.._x'],
    ['CON', '_CON'],
    ['lpt1.txt', '_lpt1.txt'],
    ['file. ', 'file__'],
    ['con .txt', '_con .txt'],
    [`con${' '.repeat(300)}x.txt`, `_con${' '.repeat(247)}.txt`],
    [`${'a'.repeat(254)} b.`, `${'a'.repeat(254)}_`],
    [`${'ä'.repeat(200)}.txt`, `${'ä'.repeat(125)}.txt`],
    ['photo\u202egpj.exe', 'photo_gpj.exe'],
    ['a\u200bb\ufeffc', 'a_b_c'],
    ['A\u030a', 'Å'],
    ['\ud800', '_'],
    ['Grüße – 日本語.txt', 'Grüße – 日本語.txt'],
    ['.bashrc', '.bashrc'],
  ])('%j becomes %j', (name, local) => {
    expect(safeLocalName(name)).toBe(local);
  });

  it('whatever the name, it stays one name in its folder, on every system', () => {
    const nasty = fc.constantFrom(
      '..',
      '/',
      '\\',
      '.',
      ' ',
      ':',
      '\u0000',
      '\u202e',
      'con',
      '~',
      '\ud83d',
      '日',
      'a'.repeat(300),
      '.txt',
    );
    const name = fc.oneof(
      fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
      fc.array(nasty).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(name, (text) => {
        const local = safeLocalName(text);
        expect(basename(local)).toBe(local);
        expect(win32.basename(local)).toBe(local);
        expect(resolve('/target', local)).toBe(join('/target', local));
        expect(resolve('/target', local).startsWith('/target/')).toBe(true);
        expect(Buffer.byteLength(local)).toBeLessThanOrEqual(255);
        expect(safeLocalName(local)).toBe(local);
      }),
    );
  });
});
