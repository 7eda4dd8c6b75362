import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LocalFolder } from './local-folder.js';

const MODIFIED = new Date('2024-05-06T07:08:09Z');

let home: string;
let folder: LocalFolder;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'dcloud-local-'));
  await mkdir(join(home, 'target'));
  folder = await LocalFolder.open(join(home, 'target'));
});

afterEach(async () => {
  await rm(home, { recursive: true });
});

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('a part');
  throw new Error('broken off');
}

const write = (name: string, body: AsyncIterable<Uint8Array>, isReplacing = false): Promise<void> =>
  folder.write(name, { body, modifiedAt: MODIFIED, isReplacing });
const read = (...names: string[]): Promise<string> => readFile(join(home, ...names), 'utf8');

describe('names that somebody else chose', () => {
  it.each(['..', '.', '../up', '/etc/passwd', '..\\up', 'a\u0000b', '', 'x'.repeat(300), 'CON', '\u2215..\u2044'])(
    '%j stays in the folder',
    async (name) => {
      await write(folder.claim(name), pieces('x'));
      expect(await readdir(folder.path)).toHaveLength(1);
      expect(await readdir(home)).toEqual(['target']);
      await folder.child(folder.claim(`2${name}`));
      expect(await readdir(home)).toEqual(['target']);
    },
  );

  it('that become one are refused', () => {
    expect(folder.claim('a:b')).toBe('a_b');
    expect(() => folder.claim('a?b')).toThrow(expect.objectContaining({ exit: 'conflict' }));
    expect(() => folder.claim('a_b')).toThrow('"a:b"');
  });
});

describe('a file', () => {
  it('has its name when it is whole, with its time', async () => {
    await write('a', pieces('one ', '', 'two'));
    expect(await read('target', 'a')).toBe('one two');
    expect((await stat(join(folder.path, 'a'))).mtime).toEqual(MODIFIED);
    expect(await folder.find('a')).toEqual({ isFile: true, size: 7, modifiedAtMs: MODIFIED.getTime() });
    expect(await folder.find('b')).toBeUndefined();
  });

  it('that breaks off leaves nothing, and what it was to replace as it was', async () => {
    await expect(write('a', broken())).rejects.toThrow('broken off');
    expect(await readdir(folder.path)).toEqual([]);
    await write('a', pieces('old'));
    await expect(write('a', broken(), true)).rejects.toThrow('broken off');
    expect([await readdir(folder.path), await read('target', 'a')]).toEqual([['a'], 'old']);
  });

  it('takes the place of nothing, unless it is to', async () => {
    await write('a', pieces('old'));
    await expect(write('a', pieces('new'))).rejects.toMatchObject({ exit: 'conflict' });
    expect(await read('target', 'a')).toBe('old');
    await write('a', pieces('new'), true);
    expect(await read('target', 'a')).toBe('new');
    await folder.child('folder');
    for (const isReplacing of [false, true])
      await expect(write('folder', pieces('x'), isReplacing)).rejects.toMatchObject({ exit: 'conflict' });
    expect((await readdir(folder.path)).toSorted()).toEqual(['a', 'folder']);
  });
});

describe('a symbolic link in the folder', () => {
  beforeEach(async () => {
    await mkdir(join(home, 'elsewhere'));
    await writeFile(join(home, 'elsewhere', 'file'), 'theirs');
    await symlink(join(home, 'elsewhere'), join(folder.path, 'to-folder'));
    await symlink(join(home, 'elsewhere', 'file'), join(folder.path, 'to-file'));
  });

  it('is not followed', async () => {
    await expect(folder.child('to-folder')).rejects.toMatchObject({
      exit: 'conflict',
      message: expect.stringContaining('symbolic link'),
    });
    await expect(write('to-file', pieces('x'))).rejects.toMatchObject({ exit: 'conflict' });
    expect(await folder.find('to-file')).toMatchObject({ isFile: false });
    await write('to-file', pieces('mine'), true);
    expect([await read('elsewhere', 'file'), await read('target', 'to-file')]).toEqual(['theirs', 'mine']);
  });

  it('is meant where the user named it', async () => {
    expect((await LocalFolder.open(join(folder.path, 'to-folder'))).path).toBe(join(home, 'elsewhere'));
  });
});

it('a place is the folder around it and its name, and a file is no folder', async () => {
  const { folder: around, name } = await LocalFolder.around(join(home, 'target', 'new'));
  expect([around.path, name]).toEqual([folder.path, 'new']);
  await write('a', pieces('x'));
  await expect(LocalFolder.open(join(folder.path, 'a'))).rejects.toMatchObject({ exit: 'conflict' });
  await expect(folder.child('a')).rejects.toMatchObject({ exit: 'conflict' });
  await expect(LocalFolder.around(join(home, 'none', 'new'))).rejects.toMatchObject({ code: 'ENOENT' });
});
