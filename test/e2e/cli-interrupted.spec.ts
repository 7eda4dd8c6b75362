import { execFileSync, spawn } from 'node:child_process';
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { someBytes } from '../support/bytes.js';
import { BIN, type DriveCli, ProxiedCli, outcomeOf, refused, told } from '../support/drive-cli.js';
import type { GateProxy } from '../support/gate-proxy.js';
import type { CliOutcome } from '../support/run-cli.js';
import { eventually } from '../support/shard-files.js';

const PUT_PART = /^PUT \/drive\/uploads\/[^/]+\/parts\//u;
const GET_PART = /^GET \/drive\/nodes\/[^/]+\/revisions\/\d+\/parts\//u;
const MAKE = /^POST \/drive\/nodes(?:\/batch)?$/u;
const END_UPLOAD = /^DELETE \/drive\/uploads\//u;
/** Four parts, of which three are under way at once: when the fourth begins, the first is there. */
const LARGE = someBytes(52 * 1_048_576);
const PARTS = 4;
const SMALL_FILES = 200;

let world: ProxiedCli;
let proxy: GateProxy;
let cli: DriveCli;

beforeAll(async () => {
  world = await ProxiedCli.start();
  ({ proxy, cli } = world);
  await writeFile(join(cli.home, 'large.bin'), LARGE);
});

afterAll(async () => {
  await world.remove();
});

const ada = (...args: string[]): Promise<CliOutcome> => cli.as('ada')(...args);

async function paths(folder: string): Promise<readonly string[]> {
  const lines = (await ada('ls', folder, '--json')).stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as { path: string }).path);
}

/** Runs a command until the first call of a kind that is held, and ends it there. */
async function endedAt(call: RegExp, passing: number, signal: NodeJS.Signals, ...args: string[]): Promise<CliOutcome> {
  const held = proxy.hold(call, passing);
  const { child, outcome } = cli.begin([...args, '--profile', 'ada']);
  await held;
  child.kill(signal);
  const ended = await outcome;
  proxy.release();
  return ended;
}

async function expectSame(path: string, content: Buffer): Promise<void> {
  const back = join(cli.home, 'back');
  expect(await ada('get', path, back)).toMatchObject({ code: 0 });
  expect((await readFile(back)).equals(content)).toBe(true);
  await rm(back);
}

describe('a put that was killed', () => {
  it('of a large file goes on where it was', async () => {
    await endedAt(PUT_PART, PARTS - 1, 'SIGKILL', 'put', 'large.bin', '/large.bin');
    expect(await paths('/')).toEqual([]);
    proxy.calls.length = 0;
    expect(await ada('put', 'large.bin', '/large.bin')).toMatchObject({ code: 0 });
    const sent = proxy.count(PUT_PART);
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(PARTS);
    await expectSame('/large.bin', LARGE);
    expect(await readdir(join(cli.profileFolder('ada'), 'uploads'))).toEqual([]);
  });

  it('of many small files goes on with the rest', async () => {
    await mkdir(join(cli.home, 'many'));
    for (let at = 0; at < SMALL_FILES; at += 1) await writeFile(join(cli.home, 'many', `${at}.txt`), `content ${at}`);
    await endedAt(MAKE, 4, 'SIGKILL', 'put', '-r', 'many', '/'); // the folder, two files, and more
    const there = (await paths('/many')).length;
    expect(there).toBeGreaterThan(0);
    expect(there).toBeLessThan(SMALL_FILES);
    const again = await ada('put', '-r', 'many', '/', '--json');
    expect(again.code).toBe(0);
    expect(again.stdout.split('\n').filter((line) => line.includes('"state":"stored"'))).toHaveLength(SMALL_FILES - there);
    expect(await paths('/many')).toHaveLength(SMALL_FILES);
    expect(await ada('get', '-r', '/many', 'many.back')).toMatchObject({ code: 0 });
    for (let at = 0; at < SMALL_FILES; at += 1)
      expect(await readFile(join(cli.home, 'many.back', `${at}.txt`), 'utf8')).toBe(`content ${at}`);
    refused(await ada('put', '-r', 'many', '/'), 4, 'of this name already');
  });
});

describe('Ctrl-C', () => {
  it('during a put leaves nothing half done, and the same command again goes on', async () => {
    const ended = await endedAt(PUT_PART, PARTS - 1, 'SIGINT', 'put', 'large.bin', '/interrupted.bin');
    refused(ended, 130, 'interrupted');
    told(ended, 'the same command again goes on');
    refused(await ada('ls', '/interrupted.bin'), 3, 'nothing of this name');
    proxy.calls.length = 0;
    expect(await ada('put', 'large.bin', '/interrupted.bin')).toMatchObject({ code: 0 });
    expect(proxy.count(PUT_PART)).toBeLessThan(PARTS);
    await expectSame('/interrupted.bin', LARGE);
  });

  it('during a put of standard input takes what was sent away again', async () => {
    proxy.calls.length = 0;
    const held = proxy.hold(PUT_PART);
    const { child, outcome } = cli.begin(['put', '-', '/piped.bin', '--profile', 'ada'], { input: LARGE });
    await held;
    child.kill('SIGINT');
    refused(await outcome, 130, 'interrupted');
    proxy.release();
    expect(proxy.count(END_UPLOAD)).toBe(1);
    refused(await ada('ls', '/piped.bin'), 3, 'nothing of this name');
  });

  it('during a get leaves no file behind, whole or not', async () => {
    const target = join(cli.home, 'target');
    await mkdir(target);
    await writeFile(join(target, 'large.bin'), 'mine');
    const held = proxy.hold(GET_PART, 1);
    const { child, outcome } = cli.begin(['get', '--replace', '/large.bin', target, '--profile', 'ada']);
    await held;
    await eventually(
      () => sizeOfPart(target),
      (size) => size > 0,
      10_000,
    );
    expect(await sizeOfPart(target)).toBeGreaterThan(0);
    child.kill('SIGINT');
    const ended = await outcome;
    proxy.release();
    refused(ended, 130, 'interrupted');
    told(ended, 'the same command again goes on');
    expect(await readdir(target)).toEqual(['large.bin']);
    expect(await readFile(join(target, 'large.bin'), 'utf8')).toBe('mine');
  });

  async function sizeOfPart(folder: string): Promise<number> {
    const part = (await readdir(folder)).find((name) => name.startsWith('.dcloud-'));
    return part === undefined ? 0 : (await stat(join(folder, part))).size;
  }
});

describe('who reads the output and stops', () => {
  it.each([
    ['ls -r /', 'true'],
    ['ls -r / --json', 'true'],
    ['get /large.bin -', 'head -c 1'],
    ['export / -', 'head -c 1'],
  ])('is no failure that has to be told: dcloud %s | %s', async (command, reader) => {
    const script = `"$@" ${command} --profile ada | ${reader} >&2; exit "\${PIPESTATUS[0]}"`;
    const child = spawn('bash', ['-c', script, 'bash', process.execPath, BIN], { env: cli.environment, timeout: 60_000 });
    const { code, stderr } = await outcomeOf(child);
    expect([code, stderr.slice(1)]).toEqual([141, '']);
  });
});

describe('a local file', () => {
  it('that changes while it is put is refused, and stored as it is by the next command', async () => {
    const path = join(cli.home, 'changing.bin');
    await writeFile(path, LARGE.subarray(0, 20_000_000));
    const held = proxy.hold(PUT_PART);
    const { outcome } = cli.begin(['put', 'changing.bin', '/changing.bin', '--profile', 'ada']);
    await held;
    await appendFile(path, 'more');
    proxy.release();
    refused(await outcome, 4, 'not the one whose upload began');
    refused(await ada('ls', '/changing.bin'), 3, 'nothing of this name');
    expect(await ada('put', 'changing.bin', '/changing.bin')).toMatchObject({ code: 0 });
    await expectSame('/changing.bin', await readFile(path));
  });

  it('that is removed while it is put is stored as it was', async () => {
    const path = join(cli.home, 'leaving.bin');
    await writeFile(path, LARGE.subarray(0, 20_000_000));
    const held = proxy.hold(PUT_PART);
    const { outcome } = cli.begin(['put', 'leaving.bin', '/leaving.bin', '--profile', 'ada']);
    await held;
    await rm(path);
    proxy.release();
    expect(await outcome).toMatchObject({ code: 0 });
    await expectSame('/leaving.bin', LARGE.subarray(0, 20_000_000));
  });

  it('that is gone, or another thing, when its turn comes is told and left behind, and the others are stored', async () => {
    const folder = join(cli.home, 'moving');
    await mkdir(folder);
    for (let at = 100; at < 300; at += 1) await writeFile(join(folder, `${at}`), `content ${at}`);
    const held = proxy.hold(MAKE, 1); // the folder is made, and the first files wait
    const { outcome } = cli.begin(['put', '-r', 'moving', '/', '--profile', 'ada']);
    await held;
    for (const name of ['297', '298', '299']) await rm(join(folder, name));
    await mkdir(join(folder, '298'));
    execFileSync('mkfifo', [join(folder, '299')]);
    proxy.release();
    const ended = await outcome;
    expect(ended.code).toBe(1);
    told(ended, 'moving/297: there is no such file');
    told(ended, 'moving/298: this is a local folder');
    told(ended, 'moving/299: This is not a file');
    expect(await paths('/moving')).toHaveLength(197);
  });

  it('that is none is left out and not waited for', async () => {
    execFileSync('mkfifo', [join(cli.home, 'pipe')]);
    const left = await ada('put', 'pipe', '/pipe');
    told(left, 'pipe is left out: this is no file and no folder');
    refused(await ada('ls', '/pipe'), 3, 'nothing of this name');
    refused(await ada('put', 'moving', '/again'), 2, 'is a folder: -r takes it');
    refused(await ada('put', 'nowhere', '/again'), 3, 'there is no such file or folder on this machine');
  });
});
