import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { lockStorage } from './storage-lock.js';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'dcloud-lock-'));
});

afterEach(() => rm(home, { recursive: true }));

describe('the lock of a storage directory', () => {
  it('makes the directory, and keeps a second process out until the first is gone', () => {
    const config = { storage_directory: join(home, 'a', 'data'), node: null };
    const lock = lockStorage(config);
    expect(existsSync(config.storage_directory)).toBe(true);
    expect(() => lockStorage(config)).toThrow(expect.objectContaining({ code: 'storage-locked' }));
    lock.release();
    lockStorage(config).release();
  });

  it('is one for each node of a cluster', () => {
    const [one, two] = [1, 2].map((node) => lockStorage({ storage_directory: home, node }));
    expect(() => lockStorage({ storage_directory: home, node: 1 })).toThrow(expect.objectContaining({ code: 'storage-locked' }));
    for (const lock of [one!, two!]) lock.release();
  });

  // Node.js would try until the end of days.
  (process.platform === 'linux' ? it : it.skip)('is refused where no directory can be, under /proc too', () => {
    for (const path of ['/proc/dcloud', '/proc/dcloud/a/b'])
      expect(() => lockStorage({ storage_directory: path, node: null })).toThrow(
        expect.objectContaining({ code: 'storage-unusable', detail: expect.stringContaining('ENOENT') }),
      );
  });
});
