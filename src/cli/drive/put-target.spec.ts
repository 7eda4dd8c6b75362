import { expect, it } from '@jest/globals';
import { PathTree } from '../../../test/support/path-tree.js';
import { putTargets } from './put-target.js';

const SIGNAL = new AbortController().signal;
const targets = (names: string[], target: string, isMade = false, drive = new PathTree('/docs/', '/file')): Promise<string[]> =>
  putTargets(drive, names, { target, isMade }, SIGNAL);

it.each([
  [['a'], '/', ['/a']],
  [['a'], '/docs', ['/docs/a']],
  [['a', 'b'], '/docs/', ['/docs/a', '/docs/b']],
  [['a'], '/new', ['/new']],
  [['a'], '/file', ['/file']],
])('%j to %s goes to %j', async (names, target, paths) => {
  expect(await targets(names, target)).toEqual(paths);
});

it.each([
  [['a'], 'docs', 'usage'],
  [['a'], './docs', 'usage'],
  [['a'], '/file/', 'conflict'],
  [['a', 'b'], '/file', 'conflict'],
  [['a'], '/new/', 'not-found'],
  [['a', 'b'], '/new', 'not-found'],
])('%j to %s is refused: %s', async (names, target, exit) => {
  await expect(targets(names, target)).rejects.toMatchObject({ exit });
});

it('a folder that is not there is made if that was asked for', async () => {
  const drive = new PathTree();
  expect(await targets(['a', 'b'], '/new', true, drive)).toEqual(['/new/a', '/new/b']);
  expect(await drive.stat('/new')).toMatchObject({ kind: 'folder' });
});
