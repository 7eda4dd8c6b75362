import { once } from 'node:events';
import { writeFile, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { preloaded, setClock } from '../support/chaos/preloads.js';
import { DriveCli, GENEROUS, refused } from '../support/drive-cli.js';
import type { CliOutcome } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';
import { eventually } from '../support/shard-files.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let server: TestServer;
let cli: DriveCli;
let recoveryCode: string;
let serverClock: string;

beforeAll(async () => {
  cli = await DriveCli.inFolder();
  serverClock = join(cli.home, 'server.clock');
  server = await TestServer.start({
    config: { registration: 'open', limits: GENEROUS },
    environment: preloaded(serverClock, undefined),
  });
  await cli.initAdmin(server);
  recoveryCode = (await cli.register('ada', server.url)).stdout.trim();
  await cli.register('bob', server.url);
  await writeFile(join(cli.home, 'note'), 'a note');
  expect(await ada('put', 'note', '/note')).toMatchObject({ code: 0 });
});

afterAll(async () => {
  await server.remove();
  await cli.remove();
});

const ada = (...args: string[]): Promise<CliOutcome> => cli.as('ada')(...args);
const bob = (...args: string[]): Promise<CliOutcome> => cli.as('bob')(...args);

const open = (url: string, environment = {}): Promise<CliOutcome> =>
  cli.run(['open', '--to', '-', '--profile', 'guest'], { input: `${url}\n`, environment });

async function names(...args: string[]): Promise<readonly string[]> {
  const lines = (await ada('ls', '--json', ...args)).stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as { path: string }).path).toSorted();
}

describe('a secret that is not the right one', () => {
  it('is refused in a sentence, and the right one is what it was', async () => {
    const elsewhere = ['--server', server.url, '--profile', 'elsewhere'];
    refused(await cli.run(['login', 'ada', ...elsewhere], { input: 'not it\n' }), 5, 'not the right one');
    refused(await cli.run(['login', 'nobody-here', ...elsewhere], { input: 'not it\n' }), 5, 'not the right one');
    refused(await cli.run(['login', 'ada', ...elsewhere], { input: '' }), 2, 'nothing was given for: Password');
    refused(await cli.as('elsewhere')('whoami'), 6, 'nobody is logged in');
    const another = (await cli.register('carl', server.url)).stdout.trim();
    const recover = ['recover', 'ada', ...elsewhere];
    refused(await cli.run(recover, { input: `${another}\nnew\n` }), 5, 'not the right one');
    const mistyped = recoveryCode.replace(/^./u, (first) => (first === '7' ? '8' : '7'));
    refused(await cli.run(recover, { input: `${mistyped}\nnew\n` }), 5, 'look for a typing error');
    const rekey = cli.as('ada', 'not it\n');
    refused(await rekey('rekey', 'code'), 5, 'not the right one');
    refused(await rekey('password'), 2, 'nothing was given for: New password');
    expect(await cli.run(['login', 'ada', ...elsewhere], { input: 'password of ada\n' })).toMatchObject({ code: 0 });
  });
});

describe('a link that is over', () => {
  const link = async (...args: string[]): Promise<string> => (await ada('link', '/note', ...args)).stdout.trim();

  it('is told so when its uses are up', async () => {
    const url = await link('--uses', '1');
    expect(await open(url)).toMatchObject({ code: 0, stdout: 'a note' });
    refused(await open(url), 3, 'This link is over');
  });

  it('is told so when its time is up by the clock of the server, whatever that of this machine says', async () => {
    const url = await link('--expires', '2h');
    const ownClock = join(cli.home, 'late.clock');
    await setClock(ownClock, DAY_MS);
    expect(await open(url, preloaded(ownClock, undefined))).toMatchObject({ code: 0, stdout: 'a note' });
    await setClock(serverClock, 3 * HOUR_MS);
    refused(
      await eventually(
        () => open(url),
        ({ code }) => code !== 0,
        10_000,
      ),
      3,
      'This link is over',
    );
    await setClock(serverClock, 0);
    expect(
      await eventually(
        () => open(url),
        ({ code }) => code === 0,
        10_000,
      ),
    ).toMatchObject({ stdout: 'a note' });
  });
});

describe('a name', () => {
  it('that is none is refused, and nothing of it is there', async () => {
    const before = await names('-r', '/');
    for (const path of ['/..', '/sub/../note2', '/bell\u0007', '/two\nlines', `/${'n'.repeat(1025)}`]) {
      for (const outcome of [await ada('mkdir', path), await ada('put', 'note', path)]) {
        refused(outcome, 2, 'This name cannot be used');
        expect(outcome.stderr).not.toMatch(/\p{Cc}(?!$)/u);
      }
    }
    expect(await names('-r', '/')).toEqual(before);
  });

  it('that is empty is refused', async () => {
    refused(await cli.run(['put', '-', '/', '--name', '', '--profile', 'ada'], { input: 'x' }), 2, 'has no name');
    refused(await ada('put', 'note', ''), 2, 'where to in the drive');
    refused(await ada('mkdir', '/'), 2, 'This name cannot be used');
  });

  it('of 300 bytes is one in the drive, and a shorter one on a disk that has none so long, without a word lost', async () => {
    const long = `${'ü'.repeat(150)}.txt`;
    expect(await ada('put', 'note', `/${long}`)).toMatchObject({ code: 0 });
    expect(await names('/')).toContain(`/${long}`);
    const got = await ada('get', `/${long}`, '.');
    expect(got).toMatchObject({ code: 0 });
    const short = /is called (\S+) on this disk/u.exec(got.stderr)?.[1] ?? '';
    expect(Buffer.byteLength(short)).toBeLessThanOrEqual(255);
    expect(await readFile(join(cli.home, short), 'utf8')).toBe('a note');
    refused(await ada('get', `/${long}`, long), 2, 'too long for the local disk');
  });

  it('that is taken is refused, and what has it stays as it was', async () => {
    await writeFile(join(cli.home, 'other'), 'another note');
    await ada('mkdir', '-p', '/parent/child');
    refused(await ada('put', 'other', '/note'), 4, 'something of this name already');
    refused(await ada('mkdir', '/note'), 4, 'something of this name already');
    refused(await ada('put', 'other', '/note/'), 4, 'is no folder');
    refused(await ada('put', '--replace', 'other', '/parent/child/../../note'), 2, 'This name cannot be used');
    refused(await ada('mv', '/parent', '/parent/child/deeper'), 4, 'cannot be moved into itself');
    refused(await ada('mv', '/parent', '/parent'), 4, 'cannot be moved into itself');
    expect((await ada('get', '/note', '-')).stdout).toBe('a note');
  });
});

describe('the clock of this machine', () => {
  it.each([
    ['a day behind', -DAY_MS],
    ['a day ahead', DAY_MS],
  ])('does no harm when it is %s', async (what, offset) => {
    const clock = join(cli.home, `${what}.clock`.replaceAll(' ', '-'));
    await setClock(clock, offset);
    const environment = preloaded(clock, undefined);
    const [profile, folder] = offset < 0 ? ['behind', '/behind'] : ['ahead', '/ahead'];
    const run = (args: string[], input = ''): Promise<CliOutcome> =>
      cli.run([...args, '--profile', profile], { input, environment });
    expect(await run(['login', 'ada', '--server', server.url], 'password of ada\n')).toMatchObject({ code: 0 });
    expect(await run(['mkdir', folder])).toMatchObject({ code: 0 });
    expect(await run(['put', '-', `${folder}/piped`], 'from another time')).toMatchObject({ code: 0 });
    expect(await run(['get', `${folder}/piped`, '-'])).toMatchObject({ code: 0, stdout: 'from another time' });
    expect(await run(['share', folder, 'bob'])).toMatchObject({ code: 0 });
    const [offer] = (await bob('shared', '--json')).stdout.split('\n');
    const path = (await bob('accept', (JSON.parse(offer ?? '') as { id: string }).id)).stdout.trim();
    expect((await bob('get', `${path}/piped`, '-')).stdout).toBe('from another time');
    const made = await run(['link', `${folder}/piped`, '--expires', '2h']);
    if (offset < 0) refused(made, 2, 'the clock of this machine');
    else expect(await open(made.stdout.trim())).toMatchObject({ code: 0, stdout: 'from another time' });
    expect((await ada('get', `${folder}/piped`, '-')).stdout).toBe('from another time');
  });
});

describe('a server', () => {
  let page: Server;

  beforeAll(async () => {
    page = createServer((_request, response) => response.setHeader('Content-Type', 'text/html').end('<html>Hello</html>'));
    page.listen(0, '127.0.0.1');
    await once(page, 'listening');
  });

  afterAll(() => {
    page.close();
  });

  const login = (url: string, profile = 'stranger'): Promise<CliOutcome> =>
    cli.run(['login', 'ada', '--server', url, '--profile', profile], { input: 'password of ada\n' });
  const portOf = (of: Server): number => (of.address() as AddressInfo).port;

  it('that is none of ours is told', async () => {
    const unknown = login('http://cloud.invalid', 'lost'); // is tried more than once, and takes some time
    refused(await login(`http://127.0.0.1:${portOf(page)}`), 7, 'What the server sent');
    refused(await login('ftp://127.0.0.1'), 2, 'not the address of a server');
    refused(await login(`${server.url}/path`), 2, 'not the address of a server');
    refused(await login('cloud example'), 2, 'not the address of a server');
    refused(await unknown, 9, 'cannot be reached');
  });

  it('that does not answer is told, before and after a login', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const port = portOf(closed);
    closed.close();
    await once(closed, 'close');
    await server.kill();
    const before = login(`http://127.0.0.1:${port}`);
    const behind = [bob('ls', '/'), bob('put', 'note', '/never'), bob('get', '/never', '.')];
    // All at once, for each tries more than once.
    for (const outcome of await Promise.all([before, ...behind])) refused(outcome, 9, 'cannot be reached');
  });
});
