import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DriveCli, GENEROUS, refused } from '../support/drive-cli.js';
import type { CliOutcome } from '../support/run-cli.js';
import { TestServer } from '../support/server.ts';

let server: TestServer;
let cli: DriveCli;
let home: string;

beforeAll(async () => {
  server = await TestServer.start({ config: { registration: 'open', limits: GENEROUS } });
  cli = await DriveCli.inFolder();
  home = cli.home;
  await cli.initAdmin(server);
  for (const name of ['ada', 'bob']) {
    expect((await cli.register(name, server.url)).stdout).toMatch(/^(?:[0-9A-Z]{4}-){8}.\n$/u);
  }
});

afterAll(async () => {
  await server.remove();
  await cli.remove();
});

const dcloud = (args: readonly string[], input = ''): Promise<CliOutcome> => cli.run(args, { input });
const ada = (...args: string[]): Promise<CliOutcome> => dcloud([...args, '--profile', 'ada']);
const bob = (...args: string[]): Promise<CliOutcome> => dcloud([...args, '--profile', 'bob']);

describe('files and folders', () => {
  it('go in and come out the same, many small ones at once, and are refused a second time', async () => {
    await mkdir(join(home, 'many', 'below'), { recursive: true });
    for (let at = 0; at < 100; at += 1) await writeFile(join(home, 'many', 'below', `${at}.txt`), `content ${at}`);
    expect(await ada('put', '-r', 'many', '/')).toMatchObject({ code: 0 });
    expect((await ada('ls', '-r', '/many')).stdout.split('\n')).toHaveLength(102);
    expect((await ada('ls', '/many/below/1?.txt', '--json')).stdout.trim().split('\n')).toHaveLength(10);
    expect(await ada('get', '-r', '/many', 'fetched')).toMatchObject({ code: 0 });
    expect(await readFile(join(home, 'fetched', 'below', '42.txt'), 'utf8')).toBe('content 42');
    const [there, here] = [
      await stat(join(home, 'many', 'below', '42.txt')),
      await stat(join(home, 'fetched', 'below', '42.txt')),
    ];
    expect(Math.floor(here.mtimeMs)).toBe(Math.floor(there.mtimeMs));
    expect(await ada('put', '-r', 'many', '/')).toMatchObject({ code: 4 });
    expect(await ada('put', '-r', '--update', 'many', '/', '--json')).toMatchObject({ code: 0 });
    expect((await readdir(join(home, 'fetched', 'below'))).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('come from a pipe and go to one, in ranges and by revisions', async () => {
    expect(await dcloud(['put', '-', '/', '--name', 'piped.txt', '--profile', 'ada'], 'from a pipe')).toMatchObject({ code: 0 });
    expect((await ada('get', '/piped.txt', '-')).stdout).toBe('from a pipe');
    expect((await ada('get', '/piped.txt', '-', '--range', '5-5')).stdout).toBe('a');
    expect(await dcloud(['put', '-', '/piped.txt', '--replace', '--profile', 'ada'], 'another')).toMatchObject({ code: 0 });
    const [newest] = (await ada('history', '/piped.txt', '--json')).stdout.split('\n');
    expect(JSON.parse(newest!)).toMatchObject({ revision: 2, size: 7 });
    expect(await ada('restore', '/piped.txt', '--revision', '1')).toMatchObject({ code: 0 });
    expect((await ada('get', '/piped.txt', '-')).stdout).toBe('from a pipe');
  });

  it('are never put through a symbolic link that lies in the target', async () => {
    await mkdir(join(home, 'elsewhere'));
    await mkdir(join(home, 'trap', 'many'), { recursive: true });
    await symlink(join(home, 'elsewhere'), join(home, 'trap', 'many', 'below'));
    expect((await ada('get', '-r', '/many', 'trap/')).code).toBe(4);
    expect(await readdir(join(home, 'elsewhere'))).toEqual([]);
  });
});

describe('what cannot be done', () => {
  it('is told in a sentence, with a code of its own', async () => {
    await ada('mkdir', '-p', '/a/b');
    refused(await ada('mv', '/a', '/a/b'), 4, 'cannot be moved into itself');
    refused(await ada('ls', '/nowhere'), 3, '/nowhere: There is nothing of this name');
    refused(await ada('get', '/a', '/nowhere', '.'), 3, '/nowhere: There is nothing of this name');
    refused(await ada('history', '/nowhere', '--json'), 3, '"subject":"/nowhere"');
    refused(await ada('rm', '/a'), 2, '-r removes it');
    await ada('mkdir', '/caf\u00e9');
    refused(await ada('mkdir', '/cafe\u0301'), 4, 'of this name already');
    refused(await dcloud(['login', '--profile', 'ada'], 'wrong\n'), 5, 'not the right one');
    refused(await dcloud(['recover', '--profile', 'ada'], 'no code\nnew\n'), 5, 'not a recovery code');
    refused(await dcloud(['ls', '--profile', 'nobody']), 6, 'nobody is logged in');
    refused(await ada('ls', '--bogus'), 2, 'unknown option');
    const asJson = await ada('ls', '/nowhere', '--json');
    expect(JSON.parse(asJson.stderr)).toMatchObject({ error: { kind: 'not-found', exitCode: 3 } });
  });

  it('is nothing for who changed what this machine keeps', async () => {
    expect(await dcloud(['login', 'bob', '--server', server.url, '--profile', 'third'], 'password of bob\n')).toMatchObject({
      code: 0,
    });
    const state = join(home, 'config', 'dcloud', 'profiles', 'third', 'state', 'account.state');
    expect((await stat(state)).mode & 0o077).toBe(0);
    const bytes = await readFile(state);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(state, bytes);
    refused(await dcloud(['ls', '--profile', 'third']), 7, 'log in again');
  });
});

describe('what is shared', () => {
  it('is read by who was let in, until that ends', async () => {
    await ada('mkdir', '/shared');
    await dcloud(['put', '-', '/shared/note', '--profile', 'ada'], 'for bob');
    expect(await ada('share', '/shared', 'bob')).toMatchObject({ code: 0 });
    const [offer] = (await bob('shared', '--json')).stdout.split('\n');
    const path = (await bob('accept', (JSON.parse(offer!) as { id: string }).id)).stdout.trim();
    expect((await bob('get', `${path}/note`, '-')).stdout).toBe('for bob');
    refused(await dcloud(['put', '-', `${path}/more`, '--profile', 'bob'], 'x'), 6, 'not allowed');
    expect(await ada('unshare', '/shared', 'bob')).toMatchObject({ code: 0 });
    refused(await bob('ls', path), 3, 'not for you');
  });

  it('is opened by a link, with its password, until it is taken back', async () => {
    await dcloud(['put', '-', '/linked', '--profile', 'ada'], 'by a link');
    const made = await dcloud(['link', '/linked', '--password', '--json', '--profile', 'ada'], 'secret\n');
    const { id, url } = JSON.parse(made.stdout) as { id: string; url: string };
    const open = (password: string): Promise<CliOutcome> =>
      dcloud(['open', '--password', '--to', '-', '--profile', 'guest'], `${url}\n${password}\n`);
    expect((await open('secret')).stdout).toBe('by a link');
    refused(await open('guess'), 5, 'not the right one');
    refused(await ada('unlink', 'nope'), 2, 'This is not an id');
    refused(await ada('unlink', '00000000-0000-7000-8000-000000000000'), 3, 'This link is over, or never was one');
    expect((await open('secret')).stdout).toBe('by a link');
    expect(await ada('unlink', id)).toMatchObject({ code: 0 });
    refused(await open('secret'), 3, 'This link is over');
    refused(await ada('unlink', id), 3, 'This link is over, or never was one');
  });
});

describe('the account', () => {
  it('is in a kit and an export that open without us', async () => {
    const kit = ['kit', 'export', 'kit.age', '--new-code', '--profile', 'ada'];
    expect(await dcloud(kit, 'password of ada\na passphrase\n')).toMatchObject({ code: 0 });
    const shown = await dcloud(['kit', 'show', 'kit.age', '--json'], 'a passphrase\n');
    expect(JSON.parse(shown.stdout)).toMatchObject({ userName: 'ada', server: server.url });
    expect(await ada('export', '/many', 'many.tar')).toMatchObject({ code: 0 });
    expect(existsSync(join(home, 'many.tar'))).toBe(true);
    const { recoveryCode } = JSON.parse(shown.stdout) as { recoveryCode: string };
    expect(await dcloud(['recover', '--profile', 'ada'], `${recoveryCode}\nrecovered\n`)).toMatchObject({ code: 0 });
    expect((await ada('whoami')).stdout).toContain('ada');
  });

  it('is over where a session was ended from another machine', async () => {
    const login = ['login', 'ada', '--server', server.url, '--profile', 'lost'];
    expect(await dcloud(login, 'recovered\n')).toMatchObject({ code: 0 });
    const sessions = (await ada('sessions', 'list', '--json')).stdout.trim().split('\n');
    const lost = sessions.map((line) => JSON.parse(line) as { id: string; isOwn: boolean }).find(({ isOwn }) => !isOwn)!;
    refused(await ada('sessions', 'end', 'nope'), 2, 'This is not an id');
    expect(await ada('sessions', 'end', lost.id)).toMatchObject({ code: 0 });
    refused(await dcloud(['ls', '--profile', 'lost']), 6, 'log in again');
  });
});

it('tells what the exit codes say, and completes commands', async () => {
  expect((await dcloud(['help', 'exit-codes'])).stdout).toContain('130');
  for (const shell of ['bash', 'zsh', 'fish']) expect((await dcloud(['completion', shell])).stdout).toContain('restore');
});
