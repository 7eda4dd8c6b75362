import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type ClusterId } from '../common/ids.js';
import { changeKeyRing, createKeyRing } from '../crypto/key-ring-file.js';
import { KeyRingCopy } from './key-ring-copy.js';

describe('KeyRingCopy', () => {
  let directory: string;
  let path: string;
  const clusterId = newId<ClusterId>();

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dcloud-key-ring-'));
    path = join(directory, 'key-ring.json');
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('is the file as it is at the moment', async () => {
    const made = createKeyRing(path, clusterId, 1);
    const copy = new KeyRingCopy(path, () => clusterId);
    const first = await copy.current();
    expect(first.active).toBe(made.active);
    expect(await copy.current()).toBe(first);
    const rotated = changeKeyRing(path, (keyRing) => keyRing.withNewActiveKey(2));
    expect(rotated.active).not.toBe(made.active);
    expect((await copy.current()).active).toBe(rotated.active);
  });

  it('is not there for a while after it could not be read: it is missing, or that of another cluster', async () => {
    createKeyRing(path, clusterId, 1);
    let ours = newId<ClusterId>();
    const copy = new KeyRingCopy(path, () => ours);
    expect(copy.isThere).toBe(true);
    await expect(copy.current()).rejects.toMatchObject({ code: 'storage-mismatch' });
    expect(copy.isThere).toBe(false);
    ours = clusterId;
    await copy.current();
    await rename(path, `${path}.away`);
    await expect(copy.current()).rejects.toMatchObject({ code: 'ENOENT' });
    await rename(`${path}.away`, path);
    expect((await copy.current()).keys).toHaveLength(1);
  });
});
