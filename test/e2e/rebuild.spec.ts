import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { runCli } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';
import { eventually } from '../support/shard-files.js';

const CONFIG = { node_count: 4, redundancy_count: 1, size_per_slice: 4096, limits: { orphan_grace_ms: 0 } };

let server: TestServer;
const used: TestServer[] = [];

afterEach(async () => {
  for (const one of used.splice(0)) await one.remove();
});

async function start(directory?: string, config: Readonly<Record<string, unknown>> = CONFIG): Promise<Client> {
  server = await TestServer.start({ config, ...(directory === undefined ? {} : { directory }) });
  used.unshift(server);
  return new Client(server.url);
}

const cli = (...args: string[]): ReturnType<typeof runCli> => runCli([...args, '--config', server.configFile]);
const indexOf = (): string => join(server.storage, 'index');
const awayOf = (node: number): string => join(server.directory, `away_${node}`);

interface Info {
  readonly id: string;
  readonly survives: number;
  readonly layout: unknown;
}

/** All that a user can see of every file, where it lies included; and its bytes. */
async function everything(client: Client): Promise<Map<string, { info: Info; bytes: string }>> {
  const found = new Map<string, { info: Info; bytes: string }>();
  for (const { id } of await client.listAll()) {
    const info = (await (await fetch(`${server.url}/files/${id}/info`)).json()) as Info;
    found.set(id, { info, bytes: (await client.bytes(id)).toString('base64') });
  }
  return found;
}

async function patch(id: string, changes: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${server.url}/files/${id}`, { method: 'PATCH', headers, body: JSON.stringify(changes) });
  expect(answer.status).toBe(200);
}

async function remove(id: string): Promise<void> {
  expect((await fetch(`${server.url}/files/${id}`, { method: 'DELETE' })).status).toBe(204);
}

/** Files of all kinds: tiny, empty, of many slices, with long names, replaced, renamed, deleted. */
async function fill(client: Client): Promise<void> {
  for (let at = 0; at < 12; at += 1) await client.put(`small ${at}`, randomBytes(at * 1500));
  const large = await client.put('large', randomBytes(1_000_000));
  const replaced = await client.put('replaced', randomBytes(100));
  await client.replace(replaced.id, randomBytes(50_000));
  await client.replace(large.id, randomBytes(900_000));
  await patch(replaced.id, { name: 'ä new name \u{1F600}', contentType: 'image/png' });
  const gone = await client.put('gone', randomBytes(5000));
  await remove(gone.id);
}

describe('dcloud rebuild-index', () => {
  it('brings the same files back, whichever node is missing', async () => {
    const client = await start();
    await fill(client);
    const before = await everything(client);
    await server.stop();
    for (const missing of [1, 2, 3, 4]) {
      await rm(indexOf(), { recursive: true });
      await rename(server.nodeFolder(missing), awayOf(missing));
      const { code, stdout } = await cli('rebuild-index');
      expect([code, stdout]).toEqual([0, expect.stringContaining(`the index is made anew: ${before.size} files`)]);
      expect(stdout).toContain(`node ${missing}: not read`);
      await rename(awayOf(missing), server.nodeFolder(missing));
      const again = await start(server.directory);
      // What only the missing node could have told is not counted on before it was looked at.
      const isAsBefore = (found: Awaited<ReturnType<typeof everything>>): boolean => isDeepStrictEqual(found, before);
      expect(await eventually(() => everything(again), isAsBefore, 20_000)).toEqual(before);
      await server.stop();
      expect(await cli('verify')).toMatchObject({ code: 0, stdout: expect.stringContaining('all is as it should be') });
    }
  });

  it('brings back a layout of more than one page, and never a file that was replaced or deleted', async () => {
    const client = await start(undefined, { ...CONFIG, size_per_slice: 1024 });
    const body = randomBytes(20_000_000); // 19,541 stripes: two pages
    const { id } = await client.put('big', randomBytes(18_000_000));
    await client.replace(id, body);
    await patch(id, { name: 'renamed' });
    const before = await everything(client);
    await server.stop();
    await rm(indexOf(), { recursive: true });
    expect((await cli('rebuild-index')).code).toBe(0);
    const again = await start(server.directory, { ...CONFIG, size_per_slice: 1024 });
    expect(await everything(again)).toEqual(before);
    expect((await again.bytes(id)).equals(body)).toBe(true);
  });

  it('does not raise what was deleted, though a node slept through it, and cleans that node', async () => {
    const client = await start();
    const ids: string[] = [];
    for (let at = 0; at < 16; at += 1) ids.push((await client.put(`f${at}`, randomBytes(1000 + 3000 * at))).id);
    await rename(server.nodeFolder(2), awayOf(2));
    await server.untilNode(2, 'down');
    for (const id of ids.slice(0, 10)) await remove(id);
    await client.replace(ids[15]!, Buffer.from('newer'));
    const before = (await client.listAll()).map(({ id }) => id).toSorted();
    await server.stop();
    await rename(awayOf(2), server.nodeFolder(2));
    for (const missing of [1, 3, 4]) {
      await rm(indexOf(), { recursive: true });
      await rename(server.nodeFolder(missing), awayOf(missing));
      expect((await cli('rebuild-index')).code).toBe(0);
      await rename(awayOf(missing), server.nodeFolder(missing));
      const again = await start(server.directory);
      expect((await again.listAll()).map(({ id }) => id).toSorted()).toEqual(before);
      expect((await again.bytes(ids[15]!)).toString()).toBe('newer');
      await server.stop();
    }
    await start(server.directory, {
      ...CONFIG,
      limits: { orphan_grace_ms: 0, sweep_interval_ms: 300, collect_interval_ms: 300 },
    });
    const orphans = async (): Promise<string> => {
      await server.stop();
      const { stdout } = await cli('verify', '--json');
      await start(server.directory, {
        ...CONFIG,
        limits: { orphan_grace_ms: 0, sweep_interval_ms: 300, collect_interval_ms: 300 },
      });
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return stdout;
    };
    const report = await eventually(orphans, (stdout) => stdout.includes('"orphans":0'), 20_000);
    expect(report).toContain('"orphans":0');
    expect(report).toContain('"problems":0');
  });

  it('goes on where it was interrupted, and may be run again and again', async () => {
    const client = await start();
    await fill(client);
    const before = await everything(client);
    await server.stop();
    await rename(server.nodeFolder(1), awayOf(1));
    await rename(server.nodeFolder(3), awayOf(3));
    await rm(indexOf(), { recursive: true });
    const refused = await cli('rebuild-index');
    expect([refused.code, refused.stderr]).toEqual([
      78,
      expect.stringMatching(/not-enough-nodes.*2 nodes cannot be read.*node 1: .*node 3: /s),
    ]);
    expect(existsSync(indexOf())).toBe(false);
    await rename(awayOf(1), server.nodeFolder(1));
    await rename(awayOf(3), server.nodeFolder(3));
    for (const round of [1, 2, 3]) {
      expect([round, (await cli('rebuild-index')).code]).toEqual([round, 0]);
      const again = await start(server.directory);
      expect(await everything(again)).toEqual(before);
      await server.stop();
    }
  });

  it('is what a server asks for whose index is missing, or older than its nodes', async () => {
    const client = await start();
    const kept = await client.put('kept', randomBytes(10_000));
    await server.stop();
    await cp(indexOf(), join(server.directory, 'old-index'), { recursive: true });
    const later = await start(server.directory);
    await new Promise((resolve) => setTimeout(resolve, 5500)); // the ceiling of revisions runs ahead by five seconds
    const newer = await later.put('newer', randomBytes(10_000));
    await server.stop();
    const expected = [kept.id, newer.id].toSorted();

    await truncate(join(indexOf(), 'data.mdb'), 10_000);
    expect(await cli('serve')).toMatchObject({ code: 78, stderr: expect.stringMatching(/storage-unusable.*rebuild-index/s) });
    await rm(indexOf(), { recursive: true });
    expect(await cli('serve')).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/storage-missing.*dcloud rebuild-index/s),
    });
    await cp(join(server.directory, 'old-index'), indexOf(), { recursive: true });
    expect(await cli('serve')).toMatchObject({ code: 78, stderr: expect.stringMatching(/index-behind.*dcloud rebuild-index/s) });
    expect(await cli('verify')).toMatchObject({ code: 1, stdout: expect.stringContaining('the index is an old copy') });
    const { code, stdout } = await cli('rebuild-index');
    expect([code, stdout]).toEqual([0, expect.stringContaining('is kept in')]);
    expect((await readdir(server.storage)).filter((name) => name.startsWith('index.replaced-'))).toHaveLength(1);
    const again = await start(server.directory);
    expect((await again.listAll()).map(({ id }) => id).toSorted()).toEqual(expected);
  });

  it('refuses while a server runs, and without the keys', async () => {
    const client = await start();
    await client.put('x', randomBytes(100));
    expect(await cli('rebuild-index')).toMatchObject({ code: 78, stderr: expect.stringContaining('storage-locked') });
    expect(await cli('verify')).toMatchObject({ code: 78, stderr: expect.stringContaining('storage-locked') });
    await server.stop();
    await rename(join(server.storage, 'key-ring.json'), join(server.directory, 'key-ring.json'));
    expect(await cli('rebuild-index')).toMatchObject({ code: 78, stderr: expect.stringContaining('storage-missing') });
    const old = await readFile(join(server.directory, 'key-ring.json'));
    const ring = join(server.storage, 'key-ring.json');
    await rename(join(server.directory, 'key-ring.json'), ring);
    expect((await cli('keys', 'rotate')).code).toBe(0);
    const rotated = await readFile(ring);
    const again = await start(server.directory);
    await again.put('y', randomBytes(100));
    await server.stop();
    await writeFile(ring, old);
    await rm(indexOf(), { recursive: true });
    expect(await cli('rebuild-index')).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/key-missing.*key ring is older/s),
    });
    expect(existsSync(indexOf())).toBe(false);
    await writeFile(ring, rotated);
    expect(await cli('rebuild-index')).toMatchObject({ code: 0, stdout: expect.stringContaining('2 files') });
  });
});

describe('dcloud verify', () => {
  it('finds each damage, says whether anything is lost, and changes nothing', async () => {
    const client = await start(undefined, { ...CONFIG, pack_below: 0, size_per_slice: 20_000 });
    const { id } = await client.put('x', randomBytes(100_000));
    await server.stop();
    const files = async (): Promise<string[]> =>
      (await readdir(server.storage, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile() && entry.parentPath.includes('node_'))
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => !path.includes('lock'))
        .toSorted();
    const shards = (await files()).filter((path) => path.includes('/shards/'));
    await rm(shards[0]!);
    const bytes = await readFile(shards[1]!);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(shards[1]!, bytes);
    const snapshot = async (): Promise<string[]> =>
      Promise.all((await files()).map(async (path) => `${path} ${(await readFile(path)).toString('base64')}`));
    const before = await snapshot();
    const { code, stdout } = await cli('verify');
    expect(code).toBe(1);
    expect(stdout).toMatch(new RegExp(`shard: file ${id}, node \\d, stripe \\d: not-found`));
    expect(stdout).toMatch(new RegExp(`shard: file ${id}, node \\d, stripe \\d: corrupt`));
    expect(stdout).toMatch(/\d problems; 0 files cannot be read whole/);
    expect(await snapshot()).toEqual(before);
    for (const path of shards.slice(0, 6)) await rm(path, { force: true });
    const { stdout: lost } = await cli('verify', '--json');
    const report = JSON.parse(lost.trim().split('\n').at(-1)!) as { lostFiles: number; problems: number };
    expect(report.problems).toBeGreaterThan(2);
  });
});
