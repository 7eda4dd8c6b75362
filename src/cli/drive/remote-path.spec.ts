import { describe, expect, it } from '@jest/globals';
import { PathTree } from '../../../test/support/path-tree.js';
import { SDK_ERRORS } from '../../sdk/errors.js';
import { failureOf } from './failure.js';
import { childPath, compareNames, entriesOf, nameOf, parentPath, remotePath, walkRemote } from './remote-path.js';

const SIGNAL = new AbortController().signal;

it.each([
  ['docs/a', '/docs/a'],
  ['/docs//', '/docs'],
  ['/', '/'],
  ['', '/'],
  ['@bob/x/', '@bob/x'],
])('%j is the place %j', (text, path) => {
  expect(remotePath(text)).toBe(path);
});

it('a path is a folder and a name, but for a top', () => {
  for (const path of ['/a', '/a/b', '@bob/a']) expect(childPath(parentPath(path), nameOf(path))).toBe(path);
  expect([nameOf('/'), nameOf('@bob')]).toEqual(['', 'bob']);
  for (const top of ['/', '@bob']) expect(() => parentPath(top)).toThrow(expect.objectContaining({ kind: 'invalid-name' }));
});

it('names are in the order that people expect', () => {
  expect(['a10', 'B', 'a2', 'ä', 'A', 'a'].toSorted(compareNames)).toEqual(['a', 'A', 'ä', 'a2', 'a10', 'B']);
});

describe('patterns', () => {
  const tree = new PathTree(
    '/a/',
    '/a/b/',
    '/a/b/deep.txt',
    '/a/10.txt',
    '/a/2.txt',
    '/a/.hidden',
    '/a/*',
    '/a/[x]',
    '/caf\u00e9',
  );
  const found = async (...texts: string[]): Promise<string[]> => (await entriesOf(tree, texts, SIGNAL)).map(({ path }) => path);

  it.each([
    ['/a/?.txt', ['/a/2.txt']],
    ['/a/{2,10}.txt', ['/a/2.txt', '/a/10.txt']],
    ['/a/[0-9]*.txt', ['/a/2.txt', '/a/10.txt']],
    ['/**/*.txt', ['/a/2.txt', '/a/10.txt', '/a/b/deep.txt']],
    ['/*/b/*', ['/a/b/deep.txt']],
    ['/a/.*', ['/a/.hidden']],
    ['cafe\u0301*', ['/caf\u00e9']],
  ])('%s is %j', async (pattern, paths) => {
    expect(await found(pattern)).toEqual(paths);
  });

  it('that are the name of something are that', async () => {
    expect(await found('/a/*', '/a/[x]')).toEqual(['/a/*', '/a/[x]']);
  });

  it('that several match are taken once, and those that nothing matches are told', async () => {
    expect(await found('/a/?.txt', '/a/2.txt', '/a/[2].txt')).toEqual(['/a/2.txt']);
    const failing = async (...texts: string[]): Promise<unknown> =>
      failureOf(await found(...texts).catch((error: unknown) => error));
    const failure = { exit: 'not-found', kind: 'not-found' };
    expect(await failing('/a', 'a/*.jpg')).toEqual({ ...failure, message: 'nothing matches', subject: 'a/*.jpg' });
    expect(await failing('/a', 'nowhere')).toEqual({ ...failure, message: SDK_ERRORS['not-found'], subject: 'nowhere' });
  });
});

describe('a walk', () => {
  it('has each folder before what is in it', async () => {
    const tree = new PathTree('/b/', '/b/x', '/a/', '/a/10', '/a/9');
    const all = await Array.fromAsync(walkRemote(tree, '/', SIGNAL));
    expect(all.map(({ path }) => path)).toEqual(['/a', '/a/9', '/a/10', '/b', '/b/x']);
  });

  it('ends in a tree that a server makes endless', async () => {
    class Endless extends PathTree {
      override async *list(): ReturnType<PathTree['list']> {
        yield await this.stat('/again');
      }
    }
    const endless = new Endless('/again/');
    await expect(Array.fromAsync(walkRemote(endless, '/', SIGNAL))).rejects.toMatchObject({ kind: 'damaged' });
    await expect(entriesOf(endless, ['/**/no'], SIGNAL)).rejects.toMatchObject({ cause: { exit: 'not-found' } });
  });
});
