import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PathTree } from '../../../test/support/path-tree.js';
import { recordedOutput } from '../../../test/support/recorded-output.js';
import { GetPlan } from './get-plan.js';
import { entriesOf } from './remote-path.js';

const SIGNAL = new AbortController().signal;

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'dcloud-plan-'));
});
afterEach(async () => {
  await rm(home, { recursive: true });
});

interface Planned {
  readonly places: readonly string[];
  readonly plan: GetPlan;
  readonly said: readonly string[];
}

async function planned(tree: PathTree, paths: readonly string[], target: string, isInto = true): Promise<Planned> {
  const { output, said } = recordedOutput();
  const plan = new GetPlan({ reader: tree, output, isRecursive: true }, SIGNAL);
  await plan.add(await entriesOf(tree, paths, SIGNAL), { target: join(home, target), isInto });
  const places = plan.files.map(({ folder, name }) => join(folder.path, name).slice(home.length));
  return { plan, said, places };
}

describe('what is fetched', () => {
  const tree = new PathTree('/docs/', '/docs/a', '/docs/empty/', '/docs/sub/', '/docs/sub/b', '/c');

  it('goes into a folder under its name, or takes the name that is given', async () => {
    expect(await planned(tree, ['/docs', '/c'], '')).toMatchObject({ places: ['/docs/a', '/docs/sub/b', '/c'], said: [] });
    expect((await planned(tree, ['/docs'], 'other', false)).places).toEqual(['/other/a', '/other/sub/b']);
    expect((await planned(tree, ['/c'], 'd', false)).places).toEqual(['/d']);
    expect((await readdir(join(home, 'other'))).toSorted()).toEqual(['empty', 'sub']);
    expect((await planned(tree, ['/'], '')).places).toEqual(['/drive/c', '/drive/docs/a', '/drive/docs/sub/b']);
  });

  it('is no folder, unless that was asked for', async () => {
    const plan = new GetPlan({ reader: tree, output: recordedOutput().output, isRecursive: false }, SIGNAL);
    const found = await entriesOf(tree, ['/docs'], SIGNAL);
    await expect(plan.add(found, { target: home, isInto: true })).rejects.toMatchObject({ exit: 'usage' });
  });
});

describe('a name that somebody else chose', () => {
  it('is made harmless, and that is said', async () => {
    const { places, said } = await planned(new PathTree('/x/', '/x/..\\up', '/x/..', '/x/CON'), ['/x'], '');
    expect(places.toSorted()).toEqual(['/x/.._up', '/x/_CON', '/x/__']);
    expect(said).toHaveLength(3);
  });

  it('that would be the same file as another one is left out, with all that is in it', async () => {
    const tree = new PathTree('/x/', '/x/a:b', '/x/a?b/', '/x/a?b/inside', '/x/c');
    const { places, plan, said } = await planned(tree, ['/x'], '');
    expect([places.toSorted(), plan.failures]).toEqual([['/x/a_b', '/x/c'], 1]);
    expect(said.join('')).toContain('dcloud: /x/a?b: on this disk it would have the same name');
  });

  it('that differs in capital letters alone is not taken for a replacement', async () => {
    const { plan } = await planned(new PathTree('/x/', '/x/a', '/x/A', '/x/b'), ['/x'], '');
    expect(plan.files.map(({ name, isAlone }) => [name, isAlone])).toEqual([
      ['a', true],
      ['A', false],
      ['b', true],
    ]);
  });

  it('of a folder in whose place a symbolic link lies is left out, with all that is in it', async () => {
    await mkdir(join(home, 'x'));
    await mkdir(join(home, 'elsewhere'));
    await symlink(join(home, 'elsewhere'), join(home, 'x', 'sub'));
    const { places, plan } = await planned(new PathTree('/x/', '/x/sub/', '/x/sub/a', '/x/sub/deep/', '/x/b'), ['/x'], '');
    expect([places, plan.failures, await readdir(join(home, 'elsewhere'))]).toEqual([['/x/b'], 1, []]);
  });
});
