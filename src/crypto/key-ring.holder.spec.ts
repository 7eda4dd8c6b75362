import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId, type ClusterId } from '../common/ids.js';
import { ProcessLock } from '../common/process-lock.js';
import { changeKeyRing, createKeyRing, putBackKeyRing, readKeyRing } from './key-ring-file.js';
import { KeyRingHolder } from './key-ring.holder.js';

const TIMING = { watchMs: 20, retryMs: 50 };

let directory: string;
let path: string;
let holder: KeyRingHolder;
/** What onChange was called with. */
let calls: unknown[];
const clusterId = newId<ClusterId>();

const rotate = (): string => changeKeyRing(path, (keyRing) => keyRing.withNewActiveKey(8)).serialize();
/** At once, as `changeKeyRing` does it: a file seen half written and then whole is two changes, and told as two. */
const put = (text: string): void => {
  writeFileSync(`${path}.put`, text, { mode: 0o600 });
  renameSync(`${path}.put`, path);
};
const idsOf = (keyRing = holder.current()): string[] => keyRing.keys.map(({ id }) => id);
const problems = (): string[] => calls.filter((call) => call !== undefined).map(String);

function hold(): void {
  holder = new KeyRingHolder(path, clusterId, TIMING);
}

async function watch(): Promise<void> {
  holder.watch((problem) => calls.push(problem));
  await sleep(TIMING.retryMs * 3); // until the watcher has its first stat
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 4000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`it did not come: ${problems().join('\n')}`);
    await sleep(10);
  }
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'key-ring-'));
  path = join(directory, 'key-ring.json');
  createKeyRing(path, clusterId, 7);
  calls = [];
});
afterEach(() => {
  holder.unwatch();
  rmSync(directory, { recursive: true });
});

describe('the key ring of a running server', () => {
  it('takes a rotation over', async () => {
    hold();
    await watch();
    rotate();
    await until(() => holder.current().active === 'k2');
    expect(calls).toContain(undefined);
    expect(problems()).toEqual([]);
  });

  it('sees a rotation between its first reading and the watching', () => {
    hold();
    rotate();
    holder.watch((problem) => calls.push(problem));
    expect(calls).toEqual([undefined]);
    expect(holder.current().active).toBe('k2');
  });

  it('tells of nothing when nothing changed', async () => {
    hold();
    await watch();
    expect(calls).toEqual([]);
  });
});

describe('a key ring that lacks a key in use', () => {
  it('is refused, and the one in use stays until the newer one is back', async () => {
    const older = readFileSync(path, 'utf8');
    const newer = rotate();
    hold();
    await watch();
    put(older);
    await until(() => problems().length > 0);
    await sleep(TIMING.retryMs * 4);
    expect(idsOf()).toEqual(['k1', 'k2']);
    expect(problems()).toEqual([expect.stringMatching(/key-missing: .*key-ring\.json lacks k2,.* Put the newer key ring back/)]);
    expect(readFileSync(path, 'utf8')).toBe(older);
    for (const { key } of holder.current().keys) expect(problems().join()).not.toContain(key.export().toString('base64'));
    put(newer);
    await until(() => calls.at(-1) === undefined);
    expect(holder.current().serialize()).toBe(newer);
  });

  it('is refused also when it has another key of the same id', async () => {
    const older = readFileSync(path, 'utf8');
    const newer = rotate();
    hold();
    await watch();
    put(older);
    rotate();
    await until(() => problems().length > 0);
    expect(holder.current().serialize()).toBe(newer);
  });

  it('is replaced by the one in use when it is moved away', async () => {
    const older = readFileSync(path, 'utf8');
    const newer = rotate();
    hold();
    await watch();
    put(older);
    await until(() => problems().length > 0);
    renameSync(path, `${path}.older`);
    await until(() => problems().length > 1);
    expect(readFileSync(path, 'utf8')).toBe(newer);
  });

  it('is not taken over while a key is dropped', () => {
    rotate();
    const older = readFileSync(path, 'utf8');
    const newer = rotate();
    hold();
    put(older);
    expect(() => holder.drop('k1')).toThrow(expect.objectContaining({ code: 'key-missing' }));
    expect(holder.current().serialize()).toBe(newer);
    expect(readFileSync(path, 'utf8')).toBe(older);
  });

  it('is taken over if this server dropped that key itself, and did not come to know that it did', async () => {
    rotate();
    hold();
    await watch();
    const changed = readKeyRing(path).without('k1').serialize();
    rmSync(path);
    expect(() => holder.drop('k1')).toThrow(expect.objectContaining({ code: 'storage-missing' }));
    put(changed);
    await until(() => idsOf().join() === 'k2');
    expect(problems()).toEqual([]);
  });
});

describe('a key ring file that vanished', () => {
  it('is written again from memory, for its owner alone, and reported', async () => {
    const ring = rotate();
    hold();
    await watch();
    rmSync(path);
    await until(() => problems().length > 0);
    expect(problems()).toEqual([expect.stringMatching(/storage-missing: .*vanished.* was written again from memory/)]);
    expect(readFileSync(path, 'utf8')).toBe(ring);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await until(() => calls.at(-1) === undefined);
    expect(idsOf()).toEqual(['k1', 'k2']);
  });

  it('is written again as soon as that can be done', async () => {
    const ring = readFileSync(path, 'utf8');
    hold();
    await watch();
    renameSync(directory, `${directory}.away`);
    await until(() => problems().length > 0);
    expect(problems()[0]).toMatch(/cannot be written again.* do not stop it/s);
    mkdirSync(directory);
    await until(() => problems().length > 1);
    expect(readFileSync(path, 'utf8')).toBe(ring);
    expect(problems()).toEqual([expect.anything(), expect.stringContaining('was written again')]);
    rmSync(`${directory}.away`, { recursive: true });
  });

  it('is written again where a symbolic link points, and the link stays', async () => {
    const [target, link] = [path, join(directory, 'link.json')];
    symlinkSync('key-ring.json', link);
    path = link;
    hold();
    await watch();
    rmSync(target);
    await until(() => problems().length > 0);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe(holder.current().serialize());
  });

  it('is left alone if it is there again, or another process is at it', () => {
    hold();
    const other = rotate();
    expect(putBackKeyRing(path, holder.current())).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe(other);
    rmSync(path);
    const lock = ProcessLock.take(`${path}.lock`);
    expect(() => putBackKeyRing(path, holder.current())).toThrow(expect.objectContaining({ code: 'storage-locked' }));
    lock.release();
    expect(putBackKeyRing(path, holder.current())).toBe(true);
  });
});

describe('what a crash left beside the key ring', () => {
  it('is removed by the next change, and nothing else is', () => {
    hold();
    const keep = ['key-ring.json.old', 'other.json.1.tmp', 'key-ring.jsonx.1.tmp'];
    for (const name of [...keep, 'key-ring.json.1.tmp', 'key-ring.json.23456.tmp']) writeFileSync(join(directory, name), 'keys');
    mkdirSync(join(directory, 'key-ring.json.d.tmp'));
    rotate();
    const left = readdirSync(directory).filter((name) => !name.startsWith('key-ring.json.lock'));
    expect(left.sort()).toEqual([...keep, 'key-ring.json', 'key-ring.json.d.tmp'].sort());
  });

  it('is removed only under the lock', () => {
    hold();
    const leftover = join(directory, 'key-ring.json.1.tmp');
    writeFileSync(leftover, 'keys');
    const lock = ProcessLock.take(`${path}.lock`);
    expect(() => putBackKeyRing(path, holder.current())).toThrow(expect.objectContaining({ code: 'storage-locked' }));
    expect(statSync(leftover).isFile()).toBe(true);
    lock.release();
  });
});

describe('the login setup', () => {
  it('makes the login setup when it is first asked for, once and durably', () => {
    hold();
    const setup = holder.loginSetup(() => Buffer.alloc(128, 1));
    expect(holder.loginSetup(() => Buffer.alloc(128, 2))).toBe(setup);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const again = new KeyRingHolder(path, clusterId, TIMING).loginSetup(() => Buffer.alloc(128, 3));
    expect(again.secret.equals(setup.secret)).toBe(true);
  });

  it('takes the login setup that another process made', () => {
    hold();
    const setup = new KeyRingHolder(path, clusterId, TIMING).loginSetup(() => Buffer.alloc(128, 1));
    expect(holder.loginSetup(() => Buffer.alloc(128, 2)).secret.equals(setup.secret)).toBe(true);
  });

  it('does not take over a file without the login setup in use', async () => {
    const before = readFileSync(path, 'utf8');
    hold();
    const setup = holder.loginSetup(() => Buffer.alloc(128, 1));
    await watch();
    put(before);
    await until(() => problems().some((problem) => problem.includes('the login setup')));
    expect(holder.current().loginSetup?.secret.equals(setup.secret)).toBe(true);
  });
});
