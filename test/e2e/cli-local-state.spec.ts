import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat, writeFile, cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { someBytes } from '../support/bytes.js';
import { type DriveCli, ProxiedCli, refused } from '../support/drive-cli.js';
import type { GateProxy } from '../support/gate-proxy.js';
import type { CliOutcome } from '../support/run-cli.js';

const PART = /^PUT \/drive\/uploads\/[^/]+\/parts\//u;
const LARGE = someBytes(20 * 1_048_576);

let world: ProxiedCli;
let proxy: GateProxy;
let cli: DriveCli;
let pristine: string;

beforeAll(async () => {
  world = await ProxiedCli.start();
  ({ proxy, cli } = world);
  await writeFile(join(cli.home, 'note'), 'a note');
  expect(await ada('put', 'note', '/note')).toMatchObject({ code: 0 });
  pristine = join(cli.home, 'pristine');
  await cp(cli.profileFolder('ada'), pristine, { recursive: true });
});

afterAll(async () => {
  await world.remove();
});

const ada = (...args: string[]): Promise<CliOutcome> => cli.as('ada')(...args);

/** The only file of this kind; who is killed may leave one that it was writing. */
async function kept(folder: string, prefix: string): Promise<string> {
  const all = await readdir(join(cli.profileFolder('ada'), folder));
  const found = all.filter((name) => name.startsWith(prefix) && !name.endsWith('.new'));
  expect(found).toHaveLength(1);
  return join(cli.profileFolder('ada'), folder, found[0] ?? '');
}

/** A state whose hash is right, as nobody but somebody on this machine could make it. */
function withHash(content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(1), createHash('sha256').update(content).digest(), content]);
}

const TAMPERINGS: readonly (readonly [string, (path: string) => Promise<void>])[] = [
  [
    'has one bit turned',
    async (path) => {
      const bytes = await readFile(path);
      bytes[bytes.length - 1]! ^= 1;
      await writeFile(path, bytes);
    },
  ],
  ['is empty', (path) => writeFile(path, '')],
  ['is half of what it was', async (path) => writeFile(path, (await readFile(path)).subarray(0, (await stat(path)).size / 2))],
  ['is of another form', (path) => writeFile(path, withHash(Buffer.of(0xff, 0xff)))],
];

describe.each(TAMPERINGS)('a file that this machine keeps and that %s', (_how, tamper) => {
  it.each([
    ['the session', 'state', 'account.state'],
    ['what was seen', 'state', 'seen-'],
    ['the key of the server', 'state', 'server-'],
    ['the settings', '.', 'profile.json'],
  ])('is told if it has %s, and a new login mends it', async (_what, folder, prefix) => {
    await tamper(await kept(folder, prefix));
    const refusal = await ada('get', '/note', '-');
    const login = await cli.run(['login', 'ada', '--server', proxy.origin, '--profile', 'ada'], { input: 'password of ada\n' });
    const again = await ada('get', '/note', '-');
    await rm(cli.profileFolder('ada'), { recursive: true });
    await cp(pristine, cli.profileFolder('ada'), { recursive: true });
    refused(refusal, 7, 'log in again');
    expect([login.code, again]).toMatchObject([0, { code: 0, stdout: 'a note' }]);
  });

  it('has no say in an unfinished put: the same command again does it', async () => {
    await writeFile(join(cli.home, 'large.bin'), LARGE);
    const held = proxy.hold(PART, 1);
    const put = cli.begin(['put', 'large.bin', '/large.bin', '--profile', 'ada']);
    await held;
    put.child.kill('SIGKILL');
    await put.outcome;
    proxy.release();
    await tamper(await kept('uploads', 'upload-'));
    await tamper(await kept('jobs', 'job-'));
    expect(await ada('put', 'large.bin', '/large.bin')).toMatchObject({ code: 0 });
    expect(await ada('get', '/large.bin', 'large.back')).toMatchObject({ code: 0 });
    expect((await readFile(join(cli.home, 'large.back'))).equals(LARGE)).toBe(true);
    await rm(join(cli.home, 'large.back'));
    expect(await ada('rm', '/large.bin')).toMatchObject({ code: 0 });
  });
});

it('settings that cannot be read do not keep anybody from logging out', async () => {
  await writeFile(await kept('.', 'profile.json'), '');
  expect(await ada('logout')).toMatchObject({ code: 0 });
  expect(await readdir(join(cli.profileFolder('ada'), 'state'))).not.toContain('account.state');
  refused(await ada('ls', '/'), 6, 'nobody is logged in');
});
