import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, type ClusterId } from '../common/ids.js';
import { ProcessLock } from '../common/process-lock.js';
import { changeKeyRing, createKeyRing, readKeyRing } from './key-ring-file.js';

describe('the key ring file', () => {
  const clusterId = newId<ClusterId>();
  let directory: string;
  let path: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'key-ring-'));
    path = join(directory, 'key-ring.json');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is made once, for its owner alone, and read again', () => {
    const made = createKeyRing(path, clusterId, 7);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readKeyRing(path, clusterId).serialize()).toBe(made.serialize());
    expect(readKeyRing(path).clusterId).toBe(clusterId);
    expect(() => createKeyRing(path, clusterId, 8)).toThrow(expect.objectContaining({ code: 'storage-unusable' }));
    expect(readFileSync(path, 'utf8')).toBe(made.serialize());
  });

  it('is changed as a whole, and leaves no other file with keys behind', () => {
    createKeyRing(path, clusterId, 7);
    const changed = changeKeyRing(path, (keyRing) => keyRing.withNewActiveKey(8), clusterId);
    expect(changed.active).toBe('k2');
    expect(readKeyRing(path).serialize()).toBe(changed.serialize());
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory).filter((name) => !name.startsWith('key-ring.json.lock'))).toEqual(['key-ring.json']);
  });

  it('stays as it was when the change fails, and its lock is free again', () => {
    const made = createKeyRing(path, clusterId, 7);
    expect(() => changeKeyRing(path, (keyRing) => keyRing.without('k1'))).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    );
    expect(readFileSync(path, 'utf8')).toBe(made.serialize());
    ProcessLock.take(`${path}.lock`).release();
  });

  it('is changed while holding the lock', () => {
    createKeyRing(path, clusterId, 7);
    changeKeyRing(path, (keyRing) => {
      expect(() => ProcessLock.take(`${path}.lock`)).toThrow(expect.objectContaining({ code: 'storage-locked' }));
      return keyRing;
    });
  });

  it('is changed where a symbolic link points, and the link stays', () => {
    createKeyRing(path, clusterId, 7);
    const link = join(directory, 'link.json');
    symlinkSync(path, link);
    changeKeyRing(link, (keyRing) => keyRing.withNewActiveKey(8));
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readKeyRing(path).active).toBe('k2');
  });

  it('is missed', () => {
    for (const call of [() => readKeyRing(path), () => changeKeyRing(path, (keyRing) => keyRing)]) {
      expect(call).toThrow(
        expect.objectContaining({ code: 'storage-missing', detail: expect.stringContaining(path) as unknown }),
      );
    }
    expect(() => createKeyRing(join(directory, 'none', 'k.json'), clusterId, 7)).toThrow(
      expect.objectContaining({ code: 'storage-unusable' }),
    );
  });

  it.each([0o640, 0o604, 0o620, 0o644])('is refused with mode %o', (mode) => {
    createKeyRing(path, clusterId, 7);
    chmodSync(path, mode);
    expect(() => readKeyRing(path)).toThrow(
      expect.objectContaining({
        code: 'storage-unusable',
        detail: expect.stringContaining(`mode 0${mode.toString(8)}`) as unknown,
      }),
    );
  });

  it('is refused when it is damaged, of a newer format, too large or a directory', () => {
    createKeyRing(path, clusterId, 7);
    const text = readFileSync(path, 'utf8');
    for (const [wrong, reason] of [
      [text.slice(0, -10), 'not JSON'],
      [text.replace('"format": 1', '"format": 9'), 'newer program'],
      [text + ' '.repeat(1024 * 1024), 'no key ring'],
    ] as const) {
      writeFileSync(path, wrong);
      expect(() => readKeyRing(path)).toThrow(
        expect.objectContaining({ code: 'storage-unusable', detail: expect.stringMatching(`${path}.*${reason}`) as unknown }),
      );
    }
    expect(() => readKeyRing(directory)).toThrow(expect.objectContaining({ code: 'storage-unusable' }));
  });

  it('is refused when it belongs to another cluster', () => {
    createKeyRing(path, clusterId, 7);
    const other = newId<ClusterId>();
    for (const call of [() => readKeyRing(path, other), () => changeKeyRing(path, (keyRing) => keyRing, other)]) {
      expect(call).toThrow(expect.objectContaining({ code: 'storage-mismatch' }));
    }
  });
});
