import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { NodeFileStateStore } from '../../src/sdk/node-file.state-store.js';
import { failureOf } from '../support/e2ee-world.js';
import { stateStoreContract } from './state-store.contract.js';

describe('MemoryStateStore', () => {
  stateStoreContract(() => Promise.resolve(new MemoryStateStore()));
});

describe('NodeFileStateStore', () => {
  let home: string;
  let count = 0;
  const folderOf = (): string => join(home, String((count += 1)), 'state');
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'state-'));
  });
  afterAll(async () => {
    await rm(home, { recursive: true });
  });

  stateStoreContract(() => Promise.resolve(new NodeFileStateStore(folderOf())));

  it('keeps its files from everybody else, and leaves none behind that is half written', async () => {
    const folder = folderOf();
    const store = new NodeFileStateStore(folder);
    await store.set('account', Uint8Array.of(1));
    await store.set('account', Uint8Array.of(2));
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await readdir(folder)).toEqual(['account.state']);
    expect((await stat(join(folder, 'account.state'))).mode & 0o777).toBe(0o600);
  });

  it('removes what a process left that was killed while it wrote, and not what another one is writing', async () => {
    const folder = folderOf();
    const store = new NodeFileStateStore(folder);
    await store.set('account', Uint8Array.of(1));
    const [old, fresh, other] = ['account.state.1.new', 'account.state.2.new', 'account-2.state.1.new'];
    for (const name of [old, fresh, other]) await writeFile(join(folder, name), 'a key');
    await utimes(join(folder, old), 0, 0);
    await store.set('account', Uint8Array.of(2));
    expect((await readdir(folder)).sort()).toEqual([other, 'account.state', fresh].sort());
    await store.delete('account'); // nothing of it may be left
    expect(await readdir(folder)).toEqual([other]);
  });

  it('says so of a file that was cut, changed or replaced by something else', async () => {
    const folder = folderOf();
    const store = new NodeFileStateStore(folder);
    const path = join(folder, 'account.state');
    await store.set('account', new Uint8Array(100).fill(7));
    const whole = await readFile(path);
    for (const length of [0, 1, 20, whole.length - 1]) {
      await truncate(path, length);
      expect(await failureOf(store.get('account'))).toBe('state-damaged');
      await writeFile(path, whole);
    }
    for (let at = 0; at < whole.length; at += 7) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 1;
      await writeFile(path, changed);
      expect(await failureOf(store.get('account'))).toBe('state-damaged');
    }
    await rm(path);
    expect(await store.get('account')).toBeUndefined();
    await store.set('account', Uint8Array.of(1));
    expect(await store.get('account')).toEqual(Uint8Array.of(1));
  });

  it('has no name that leaves its folder', async () => {
    const store = new NodeFileStateStore(folderOf());
    for (const name of ['', '.', '..', '../account', 'a/b', 'A', '-a', 'a'.repeat(65)])
      await expect(store.set(name, Uint8Array.of(1))).rejects.toThrow(RangeError);
  });
});
