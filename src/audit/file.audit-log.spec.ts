import {
  type FileHandle,
  mkdir,
  mkdtemp,
  open as openFile,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { FileAuditLog, type FileAuditLogOptions } from './file.audit-log.js';
import { verifyAudit } from './verify-audit.js';

let directory: string;
let path: string;

beforeAll(() => {
  Logger.overrideLogger(false);
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dcloud-audit-'));
  path = join(directory, 'audit.log');
});

afterEach(() => rm(directory, { recursive: true }));

function open(options: Partial<FileAuditLogOptions> = {}): FileAuditLog {
  return new FileAuditLog({ path, fileBytesMax: 1 << 20, filesMax: 4, linesWaitingMax: 1000, ...options });
}

/** Puts entries on record and closes the log. */
async function write(from: number, count: number, options: Partial<FileAuditLogOptions> = {}): Promise<void> {
  const log = open(options);
  for (let at = from; at < from + count; at += 1)
    log.note({ who: `c${at}`, what: 'PUT /files', result: '201', request: `r${at}` });
  await log.close();
}

/** The lines of the present file; the first one is its head. */
async function lines(file = path): Promise<string[]> {
  return (await readFile(file, 'utf8')).trimEnd().split('\n');
}

async function rewrite(change: (lines: string[]) => string[], file = path): Promise<void> {
  await writeFile(file, `${change(await lines(file)).join('\n')}\n`);
}

async function breaks(): Promise<readonly string[]> {
  return (await verifyAudit(path, undefined)).breaks.map(({ file, line, reason }) => `${file}:${line} ${reason}`);
}

/** From now on what was written cannot be made durable. */
async function refuseSync(): Promise<{ mockRestore(): void }> {
  const handle = await openFile(path);
  await handle.close();
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  return jest.spyOn(prototype, 'datasync').mockRejectedValue(Object.assign(new Error('no'), { code: 'EIO' }));
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error('it did not come to be');
    await sleep(20);
  }
}

describe('the audit log', () => {
  it('makes nothing before the first line, and then a file of its owner', async () => {
    await open().close();
    expect(await readdir(directory)).toEqual([]);
    await write(0, 1);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('has each entry in a line, in the order of the calls, also over many starts', async () => {
    for (const from of [0, 3, 6]) await write(from, 3);
    const [head, ...rest] = await lines();
    expect(JSON.parse(head!)).toEqual({ format: 1, after: 0, hash: '0'.repeat(64) });
    const found = rest.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(found.map(({ n, who }) => [n, who])).toEqual(Array.from({ length: 9 }, (_, at) => [at + 1, `c${at}`]));
    expect(found[4]).toEqual({
      n: 5,
      time: expect.stringMatching(/^20.*Z$/),
      who: 'c4',
      what: 'PUT /files',
      result: '201',
      request: 'r4',
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await verifyAudit(path, undefined)).toMatchObject({ files: 1, lines: 9, first: 1, end: { n: 9 }, breaks: [] });
  });

  it('sees a line that was changed, taken out, put in or moved', async () => {
    await write(0, 5);
    const good = await readFile(path);
    const attacks: [(lines: string[]) => string[], RegExp][] = [
      [(all) => all.map((line) => line.replace('"who":"c2"', '"who":"c9"')), /audit\.log:4 line 3/],
      [(all) => all.toSpliced(3, 1), /audit\.log:4 it has the number 4 and stands behind 2/],
      [(all) => all.toSpliced(3, 0, all[3]!), /audit\.log:5 it has the number 3/],
      [(all) => all.toSpliced(2, 2, all[3]!, all[2]!), /audit\.log:3/],
      [(all) => all.toSpliced(0, 1), /audit\.log:1 the file has no beginning/],
      [(all) => all.toSpliced(1, 2), /audit\.log:2/],
      [(all) => all.toSpliced(2, 1, 'a note'), /audit\.log:3 it is no line/],
      [(all) => all.map((line) => line.replace(/"time":"..../, '"time":"1999')), /audit\.log:2 line 1/],
    ];
    for (const [attack, place] of attacks) {
      await rewrite(attack);
      expect((await breaks())[0]).toMatch(place);
      await writeFile(path, good);
    }
    expect(await breaks()).toEqual([]);
  });

  it('misses lines that were cut off at the end by the hash of one of them alone', async () => {
    await write(0, 5);
    const { end } = await verifyAudit(path, undefined);
    expect(await verifyAudit(path, end!.hash)).toMatchObject({ isExpectedFound: true });
    await rewrite((all) => all.slice(0, -1));
    expect(await verifyAudit(path, end!.hash)).toMatchObject({ breaks: [], isExpectedFound: false });
  });

  it('begins another file when one is full, keeps as many as it may, and the chain goes through them', async () => {
    for (let at = 0; at < 8; at += 1) await write(10 * at, 10, { fileBytesMax: 1000 });
    const names = (await readdir(directory)).sort();
    expect(names).toEqual(['audit.log', 'audit.log.000000000050', 'audit.log.000000000060', 'audit.log.000000000070']);
    expect(await verifyAudit(path, undefined)).toMatchObject({ files: 4, lines: 40, first: 41, end: { n: 80 }, breaks: [] });
    await rm(join(directory, names[2]!));
    expect(await breaks()).toEqual([
      'audit.log.000000000070:1 the file follows line 60, and the one before it ends with line 50',
    ]);
  });

  it('goes on behind the full files if the present one is missing', async () => {
    await write(0, 10, { fileBytesMax: 1 });
    await write(10, 1, { fileBytesMax: 1 });
    await rm(path);
    await write(11, 1);
    expect((await verifyAudit(path, undefined)).end?.n).toBe(11);
  });

  it('takes a line away that a crash cut short, and goes on', async () => {
    await write(0, 3);
    const whole = await readFile(path);
    await writeFile(path, Buffer.concat([whole, Buffer.from('{"n":4,"time":"20')]));
    expect(await breaks()).toEqual([]);
    await write(3, 1);
    expect(await verifyAudit(path, undefined)).toMatchObject({ lines: 4, end: { n: 4 }, breaks: [] });
  });

  it('does not hide a last line that is none of its own', async () => {
    await write(0, 2);
    await rewrite((all) => [...all, 'what is this']);
    await write(2, 1);
    expect((await breaks())[0]).toMatch(/audit\.log:4 it is no line/);
    expect((await lines()).at(-1)).toContain('"who":"c2"');
  });

  it('lets lines wait while the disk refuses, drops what is too much, and puts the number on record', async () => {
    await mkdir(path); // a folder in its place
    const log = open({ linesWaitingMax: 5 });
    for (let at = 0; at < 12; at += 1) log.note({ who: `c${at}`, what: 'DELETE /files/{id}', result: '204' });
    await until(() => log.counts.isRefused);
    expect(log.counts).toEqual({ written: 0, dropped: 7, isRefused: true });
    await rename(path, join(directory, 'away'));
    await until(() => log.counts.written === 6);
    log.note({ who: 'later', what: 'PUT /files', result: '201' });
    await log.close();
    const found = (await lines()).slice(1).map((line) => JSON.parse(line) as { who: string; result: string });
    expect(found.map(({ who, result }) => `${who} ${result}`)).toEqual([
      ...[0, 1, 2, 3, 4].map((at) => `c${at} 204`),
      'store dropped 7',
      'later 201',
    ]);
    expect(log.counts).toEqual({ written: 7, dropped: 7, isRefused: false });
    expect(await breaks()).toEqual([]);
  });

  it('writes a group once if nobody knows what of it was written', async () => {
    const log = open();
    log.note({ who: 'c0', what: 'PUT /files', result: '201' });
    await until(() => log.counts.written === 1);
    const failing = await refuseSync();
    try {
      log.note({ who: 'c1', what: 'PUT /files', result: '201' });
      await until(() => log.counts.isRefused);
      expect(await lines()).toHaveLength(3); // it is there, and may not be
    } finally {
      failing.mockRestore();
    }
    await until(() => log.counts.written === 2);
    await log.close();
    expect(await lines()).toHaveLength(3);
    expect(await verifyAudit(path, undefined)).toMatchObject({ lines: 2, breaks: [] });
  });

  it('counts what is left when it is closed on a disk that refuses', async () => {
    await mkdir(path);
    const log = open();
    log.note({ who: 'c', what: 'PUT /files', result: '201' });
    await log.close();
    log.note({ who: 'c', what: 'PUT /files', result: '201' });
    expect(log.counts).toEqual({ written: 0, dropped: 2, isRefused: true });
  });

  it('follows no link that somebody put in its place', async () => {
    await writeFile(join(directory, 'other'), 'untouched');
    await symlink(join(directory, 'other'), path);
    await write(0, 1);
    expect(await readFile(join(directory, 'other'), 'utf8')).toBe('untouched');
  });
});
