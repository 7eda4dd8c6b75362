import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { someBytes } from '../support/bytes.js';
import { removeDisks, TestDisk } from '../support/disks.js';
import { DriveCli, GENEROUS, refused, told } from '../support/drive-cli.js';
import type { CliOutcome } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';

const LARGE = someBytes(40 * 1_048_576);
/** More than are under way at once, so that some of them have ended before one does not fit. */
const FILES = 40;

let server: TestServer;
let cli: DriveCli;
let adminToken: string;

beforeAll(async () => {
  server = await TestServer.start({ config: { registration: 'open', limits: GENEROUS } });
  cli = await DriveCli.inFolder();
  adminToken = await cli.initAdmin(server);
});

afterAll(async () => {
  await removeDisks();
  await server.remove();
  await cli.remove();
});

async function quota(name: string, ...limits: string[]): Promise<void> {
  const environment = { DCLOUD_TOKEN: adminToken };
  const set = await cli.run(['account', 'quota', name, ...limits, '--url', server.url], { environment });
  expect(set).toMatchObject({ code: 0 });
}

/** What `--json` printed of what was done to each path. */
function results({ stdout }: CliOutcome): readonly { readonly path: string; readonly state?: string }[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as { path: string; state?: string });
}

const pathsOf = (outcome: CliOutcome): readonly string[] =>
  results(outcome)
    .map(({ path }) => path)
    .toSorted();

async function folderOf(name: string, files: number, bytes: number): Promise<void> {
  await mkdir(join(cli.home, name));
  for (let at = 0; at < files; at += 1) await writeFile(join(cli.home, name, `${at}.bin`), someBytes(bytes, at + 1));
}

describe('a full quota', () => {
  it('in bytes leaves nothing of a large file, and what was there as it was', async () => {
    await cli.register('large', server.url);
    const user = cli.as('large');
    await writeFile(join(cli.home, 'small.bin'), someBytes(30_000));
    await writeFile(join(cli.home, 'large.bin'), LARGE);
    expect(await user('put', 'small.bin', '/small.bin')).toMatchObject({ code: 0 });
    await quota('large', '--bytes', '20M');
    for (const replace of [[], ['--replace']]) {
      const target = replace.length === 0 ? '/large.bin' : '/small.bin';
      refused(await user('put', ...replace, 'large.bin', target), 8, 'There is no room left');
      expect(pathsOf(await user('ls', '/', '--json'))).toEqual(['/small.bin']);
    }
    expect(await user('get', '/small.bin', 'small.back')).toMatchObject({ code: 0 });
    expect(await readFile(join(cli.home, 'small.back'))).toEqual(someBytes(30_000));
    await quota('large', '--bytes', 'none');
    expect(await user('put', 'large.bin', '/large.bin')).toMatchObject({ code: 0 });
    expect(await user('get', '/large.bin', 'large.back')).toMatchObject({ code: 0 });
    expect((await readFile(join(cli.home, 'large.back'))).equals(LARGE)).toBe(true);
  });

  it.each([
    ['bytes', ['--bytes', '1300K'], ['--bytes', 'none']],
    ['files', ['--files', '30'], ['--files', 'none']],
  ])(
    'in %s takes some files of a folder, each of them whole, and the same command goes on when there is more',
    async (name, few, many) => {
      await cli.register(name, server.url);
      const user = cli.as(name);
      await folderOf(name, FILES, 40_000);
      await quota(name, ...few);
      const first = await user('put', '-r', name, '/', '--json');
      expect(first.code).toBe(8);
      told(first, 'There is no room left');
      const listed = pathsOf(await user('ls', `/${name}`, '--json'));
      expect(listed.length).toBeLessThan(FILES);
      const acknowledged = results(first).filter(({ state }) => state === 'stored');
      expect(acknowledged.length).toBeGreaterThan(0);
      expect(listed).toEqual(expect.arrayContaining(acknowledged.map(({ path }) => path)));
      await expectFetched(user, name, listed.length);
      await quota(name, ...many);
      const second = await user('put', '-r', name, '/', '--json');
      expect([second.code, second.stderr]).toEqual([0, expect.any(String)]);
      expect(results(second).filter(({ state }) => state === 'unchanged')).toHaveLength(listed.length);
      await expectFetched(user, name, FILES);
    },
  );
});

/** All that is in the drive under this name is as it was here. */
async function expectFetched(user: (...args: string[]) => Promise<CliOutcome>, name: string, files: number): Promise<void> {
  const [target, source] = [`${name}.of-${files}`, join(cli.home, name)];
  expect(await user('get', '-r', `/${name}`, target)).toMatchObject({ code: 0 });
  const fetched = await readdir(join(cli.home, target));
  expect(fetched).toHaveLength(files);
  for (const each of fetched)
    expect((await readFile(join(cli.home, target, each))).equals(await readFile(join(source, each)))).toBe(true);
}

describe('a full local disk', () => {
  it('ends a fetching without a trace of it, and with room the same command does it', async () => {
    const disk = await TestDisk.inMemory(48);
    if (disk === undefined) return;
    const user = cli.as('disk');
    await cli.register('disk', server.url);
    await writeFile(join(cli.home, 'large.bin'), LARGE);
    await folderOf('lot', 5, 100_000);
    expect(await user('put', '-r', 'large.bin', 'lot', '/')).toMatchObject({ code: 0 });
    await writeFile(join(disk.path, 'mine'), someBytes(20 * 1_048_576));
    refused(await user('get', '/large.bin', disk.path), 8, 'the local disk is full');
    expect(await readdir(disk.path)).toEqual(['mine']);
    refused(await user('export', '/', join(disk.path, 'all.tar')), 8, 'the local disk is full');
    refused(await user('get', '--replace', '/large.bin', join(disk.path, 'mine')), 8, 'the local disk is full');
    expect(await readdir(disk.path)).toEqual(['mine']);
    expect((await readFile(join(disk.path, 'mine'))).equals(someBytes(20 * 1_048_576))).toBe(true);
    await disk.fill();
    const many = await user('get', '-r', '/lot', disk.path);
    expect(many.code).toBe(8);
    told(many, 'the local disk is full');
    await disk.free();
    expect(await user('get', '-r', '/lot', disk.path)).toMatchObject({ code: 0 });
    expect(await readdir(join(disk.path, 'lot'))).toHaveLength(5);
    await writeFile(join(disk.path, 'mine'), '');
    expect(await user('get', '/large.bin', disk.path)).toMatchObject({ code: 0 });
    expect((await readFile(join(disk.path, 'large.bin'))).equals(LARGE)).toBe(true);
  });

  it('under what is kept of an account is told, and nothing is lost of it', async () => {
    const disk = await TestDisk.inMemory(1);
    if (disk === undefined) return;
    const environment = { XDG_CONFIG_HOME: disk.path };
    const run = (...args: string[]): Promise<CliOutcome> => cli.run(args, { environment, input: 'password of tight\n' });
    await cli.register('tight', server.url);
    expect(await run('login', 'tight', '--server', server.url)).toMatchObject({ code: 0 });
    await disk.fill();
    refused(await run('put', 'small.bin', '/one'), 8, 'the local disk is full');
    await disk.free();
    expect(await run('put', 'small.bin', '/two')).toMatchObject({ code: 0 });
    expect(await run('get', '/two', '-')).toMatchObject({ code: 0 });
  });
});
