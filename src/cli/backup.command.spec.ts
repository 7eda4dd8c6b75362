import 'reflect-metadata';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { loadConfig } from '../config/load-config.js';
import { backupStore } from './backup.command.js';

/** Where nobody answers. */
const URL = 'http://127.0.0.1:1';

it('dcloud backup looks at the file before it begins, and changes nothing where it is refused', async () => {
  const home = await mkdtemp(join(tmpdir(), 'dcloud-backup-'));
  try {
    const [keyRing, kept] = [join(home, 'key-ring.json'), join(home, 'kept.backup')];
    const flags = { storage_directory: join(home, 'data'), key_ring: keyRing };
    const config = loadConfig({ defaultsFile: 'config/default.json', file: undefined, environment: {}, flags, node: undefined });
    for (const path of [keyRing, kept]) await writeFile(path, 'of before');
    for (const url of [{ url: URL }, {}]) {
      await expect(backupStore(config, { to: kept, ...url })).rejects.toMatchObject({ code: 'backup-failed' });
      await expect(backupStore(config, { to: keyRing, replace: true, ...url })).rejects.toMatchObject({ code: 'backup-failed' });
    }
    await expect(backupStore(config, { to: kept, replace: true, url: URL })).rejects.toMatchObject({
      code: 'server-unreachable',
    });
    expect((await readdir(home)).sort()).toEqual(['kept.backup', 'key-ring.json']);
    for (const path of [keyRing, kept]) expect(await readFile(path, 'utf8')).toBe('of before');
  } finally {
    await rm(home, { recursive: true });
  }
});
