import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppConfig } from '../config/app-config.js';
import { writeBackupFile } from './backup-file.js';
import { checkBackupTarget } from './backup-target.js';

const NEVER = new AbortController().signal;

let home: string;
let config: Pick<AppConfig, 'storage_directory' | 'key_ring' | 'metadata'>;

const at = (...names: string[]): string => join(home, ...names);
const check = (path: string, isReplacing = false): Promise<void> => checkBackupTarget({ path, isReplacing }, config);
const refusal = (detail: string): object => ({ code: 'backup-failed', detail: expect.stringContaining(detail) });

async function* pieces(atEnd?: () => Promise<void>): AsyncGenerator<Uint8Array> {
  yield Buffer.from('a backup');
  await atEnd?.();
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'dcloud-target-'));
  for (const name of ['data', 'index', 'keys', 'away']) await mkdir(at(name));
  await writeFile(at('data', 'cluster.json'), 'the map');
  await writeFile(at('keys', 'ring.json'), 'the keys');
  config = {
    storage_directory: at('data'),
    key_ring: at('keys', 'ring.json'),
    metadata: { driver: 'embedded', directory: at('index'), url: null },
  };
});

afterEach(() => rm(home, { recursive: true }));

describe('the file of a backup', () => {
  it.each([false, true])('is never where the store is, whatever links lead there (to replace: %s)', async (isReplacing) => {
    await symlink(at('data'), at('link'));
    await symlink(at('data', 'cluster.json'), at('map'));
    const inside = [
      ['data'],
      ['data', 'cluster.json'],
      ['data', 'new'],
      ['data', 'none', 'new'],
      ['index', 'x'],
      ['link', 'new'],
    ];
    for (const names of [...inside, ['away', '..', 'data', 'new'], ['map']])
      await expect(check(at(...names), isReplacing)).rejects.toMatchObject(refusal('where the store is'));
    await rm(at('data'), { recursive: true });
    await symlink(at('away'), at('data'));
    await expect(check(at('away', 'new'), isReplacing)).rejects.toMatchObject(refusal('where the store is'));
  });

  it('is never the key ring, whatever links lead there', async () => {
    await symlink(at('keys'), at('link'));
    await symlink(at('keys', 'ring.json'), at('ring'));
    for (const names of [['keys', 'ring.json'], ['link', 'ring.json'], ['ring']])
      await expect(check(at(...names), true)).rejects.toMatchObject(refusal('key ring'));
    config = { ...config, key_ring: at('ring') };
    for (const names of [['keys', 'ring.json'], ['ring']])
      await expect(check(at(...names), true)).rejects.toMatchObject(refusal('key ring'));
    await check(at('keys', 'backup'));
  });

  it('takes the place of a file only if it is to, and of nothing else', async () => {
    await writeFile(at('kept'), 'of before');
    for (const names of [['kept'], ['away']])
      await expect(check(at(...names))).rejects.toMatchObject(refusal('there is something of this name already'));
    await expect(check(at('away'), true)).rejects.toMatchObject(refusal('no file'));
    await expect(check(at('kept', 'below'))).rejects.toMatchObject(refusal('ENOTDIR'));
    await check(at('kept'), true);
    for (const names of [['data-2'], ['..data'], ['away', 'new']]) await check(at(...names));
  });

  it('is refused, too, if something got its name while it was written', async () => {
    const path = at('away', 'kept');
    const late = pieces(() => writeFile(path, 'of another'));
    await expect(writeBackupFile({ path, isReplacing: false }, late, NEVER)).rejects.toMatchObject(
      refusal('there is something of this name already'),
    );
    expect([await readdir(at('away')), await readFile(path, 'utf8')]).toEqual([['kept'], 'of another']);
    expect(await writeBackupFile({ path, isReplacing: true }, pieces(), NEVER)).toBe(8);
    expect(await writeBackupFile({ path: at('away', 'new'), isReplacing: false }, pieces(), NEVER)).toBe(8);
    expect((await readdir(at('away'))).sort()).toEqual(['kept', 'new']);
    expect(await readFile(path, 'utf8')).toBe('a backup');
  });
});
