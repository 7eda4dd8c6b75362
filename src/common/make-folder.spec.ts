import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { makeFolder } from './make-folder.js';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dcloud-folder-'));
});

afterEach(() => {
  rmSync(home, { recursive: true });
});

describe('a folder that is to be made', () => {
  it('is made with those above it, of which the highest is told', () => {
    expect(makeFolder(join(home, 'a', 'b', 'c'), 0o700)).toBe(join(home, 'a'));
    expect(statSync(join(home, 'a', 'b', 'c')).mode & 0o777).toBe(0o700);
    expect(makeFolder(join(home, 'a', 'b', 'd'))).toBe(join(home, 'a', 'b', 'd'));
  });

  it('is left as it is if it is there, also as a link', () => {
    symlinkSync(home, join(home, 'link'));
    for (const path of [home, join(home, 'link'), '/']) expect(makeFolder(path)).toBeUndefined();
  });

  it('is refused where something else is, or a link into nothing', () => {
    writeFileSync(join(home, 'file'), '');
    symlinkSync(join(home, 'nothing'), join(home, 'link'));
    expect(() => makeFolder(join(home, 'file'))).toThrow('EEXIST');
    expect(() => makeFolder(join(home, 'file', 'a'))).toThrow('ENOTDIR');
    for (const path of ['link', 'link/a']) expect(() => makeFolder(join(home, path))).toThrow('EEXIST');
    expect(existsSync(join(home, 'nothing'))).toBe(false);
  });
});
