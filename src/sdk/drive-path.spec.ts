import { describe, expect, it } from '@jest/globals';
import { failureOf } from '../../test/support/e2ee-world.js';
import { formatPath, parsePath, splitPath } from './drive-path.js';

describe('a path', () => {
  it('names a place in the own drive or in what was accepted', () => {
    expect(parsePath('/')).toEqual({ names: [] });
    expect(parsePath('/a/b')).toEqual({ names: ['a', 'b'] });
    expect(parsePath('//a///b/')).toEqual({ names: ['a', 'b'] });
    expect(parsePath('@team')).toEqual({ mount: 'team', names: [] });
    expect(parsePath('@team/a')).toEqual({ mount: 'team', names: ['a'] });
    expect(parsePath('/@a')).toEqual({ names: ['@a'] });
  });

  it('is composed (NFC), and reads back as it is written', () => {
    expect(parsePath('/A\u030a')).toEqual({ names: ['\u00c5'] });
    for (const path of ['/', '/a', '/a/b', '@team', '@team/a']) expect(formatPath(parsePath(path))).toBe(path);
  });

  it('has no steps up and down, and begins at the top', async () => {
    for (const path of ['', 'a', 'a/b', '/..', '/a/../b', '/.', '@', '/a\u0000', './a', '/\ud800'])
      expect([path, await failureOf(() => parsePath(path))]).toEqual([path, 'invalid-name']);
  });

  it('is a folder and a name, but for the top', async () => {
    expect(splitPath(parsePath('@team/a/b'))).toEqual({ folder: { mount: 'team', names: ['a'] }, name: 'b' });
    expect(await failureOf(() => splitPath(parsePath('/')))).toBe('invalid-name');
    expect(await failureOf(() => splitPath(parsePath('@team')))).toBe('invalid-name');
  });
});
