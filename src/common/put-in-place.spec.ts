import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { putInPlace } from './put-in-place.js';

it('a name that was taken for what cannot be linked is given back if that cannot be renamed', async () => {
  const home = await mkdtemp(join(tmpdir(), 'dcloud-place-'));
  try {
    // Of a folder there is no hard link, and it cannot take the place of the file that takes the name for it.
    await mkdir(join(home, 'folder'));
    await expect(putInPlace(join(home, 'folder'), join(home, 'new'), false)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await writeFile(join(home, 'there'), '');
    await expect(putInPlace(join(home, 'folder'), join(home, 'there'), false)).rejects.toMatchObject({ code: 'EEXIST' });
    expect((await readdir(home)).sort()).toEqual(['folder', 'there']);
  } finally {
    await rm(home, { recursive: true });
  }
});
