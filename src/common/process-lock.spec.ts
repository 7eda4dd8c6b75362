import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProcessLock } from './process-lock.js';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dcloud-lock-'));
  path = join(directory, 'a.lock');
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

const locked = expect.objectContaining({ name: 'DomainError', code: 'storage-locked' });

/** Another process that holds a lock as ours do, until it is killed. */
async function holder(): Promise<{ readonly kill: () => Promise<unknown> }> {
  const script = `
    const { DatabaseSync } = require('node:sqlite');
    const database = new DatabaseSync(process.argv[1]);
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    process.stdout.write('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'readable');
  return {
    kill: () => {
      child.kill('SIGKILL');
      return once(child, 'exit');
    },
  };
}

describe('ProcessLock', () => {
  it('is held by one at a time, and free again when it was released, however often', () => {
    const lock = ProcessLock.take(path);
    expect(() => ProcessLock.take(path)).toThrow(locked);
    lock.release();
    lock.release();
    ProcessLock.take(path).release();
  });

  it('keeps other processes out, and is dropped with the process that held it', async () => {
    const other = await holder();
    expect(() => ProcessLock.take(path)).toThrow(locked);
    await other.kill();
    ProcessLock.take(path).release();
  });

  it('waits for another holder as long as it is told', async () => {
    const other = await holder();
    const began = Date.now();
    expect(() => ProcessLock.take(path, 300)).toThrow(locked);
    expect(Date.now() - began).toBeGreaterThanOrEqual(250);
    await other.kill();
  });

  it('says so when the file cannot be made', () => {
    const unusable = expect.objectContaining({ code: 'storage-unusable' });
    expect(() => ProcessLock.take(join(directory, 'none', 'a.lock'))).toThrow(unusable);
    expect(() => ProcessLock.take(directory)).toThrow(unusable);
  });
});
