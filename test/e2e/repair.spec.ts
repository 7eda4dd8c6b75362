import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type ServerOptions, TestServer } from '../support/server.js';

const CONFIG = { node_count: 5, redundancy_count: 1, size_per_slice: 65_536, repair_after: 0, limits: { orphan_grace_ms: 0 } };
const DEADLINE_MS = 60_000;

let server: TestServer;

afterEach(async () => {
  await server.remove();
});

interface Info {
  readonly survives: number;
  readonly layout: { readonly stripes: readonly { readonly nodes: readonly number[] }[] };
}

interface Repair {
  readonly state: string;
  readonly reason: string | null;
  readonly backlog: { readonly versions: number };
  readonly done: { readonly versions: number; readonly bytes: number };
}

async function get<Body>(path: string): Promise<Body> {
  return (await (await fetch(server.url + path)).json()) as Body;
}

/** Files by their ids: some of one entry, some of a pack, some of several slices. */
async function putFiles(): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const size of [10, 3000, 40_000, 66_000, 300_000, 1_000_000, ...Array<number>(10).fill(500)]) {
    const body = randomBytes(size);
    const response = await fetch(`${server.url}/files?name=f${files.size}`, { method: 'PUT', body });
    expect(response.status).toBe(201);
    files.set(((await response.json()) as { id: string }).id, body);
  }
  return files;
}

async function expectFiles(files: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [id, body] of files) {
    const response = await fetch(`${server.url}/files/${id}`);
    expect([id, response.status]).toEqual([id, 200]);
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  }
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS} ms; ${JSON.stringify(await get('/repair'))}`);
    await sleep(100);
  }
}

async function untilAllSurvive(files: ReadonlyMap<string, Buffer>): Promise<void> {
  await eventually('every file survives a loss', async () => {
    for (const id of files.keys()) if ((await get<Info>(`/files/${id}/info`)).survives < 1) return false;
    return true;
  });
}

async function start(config: ServerOptions['config'] = {}, directory?: string): Promise<void> {
  const options = { config: { ...CONFIG, small_cache_bytes: undefined, ...config } };
  server = await TestServer.start(directory === undefined ? options : { ...options, directory });
}

describe('a node that is gone', () => {
  it('is made up for by the others, and then another one may go', async () => {
    await start({ limits: { orphan_grace_ms: 0, small_cache_bytes: 0 } });
    const files = await putFiles();
    for (const gone of [2, 4]) {
      await rm(server.nodeFolder(gone), { recursive: true });
      await server.untilNode(gone, 'down', 10_000);
      await expectFiles(files);
      await untilAllSurvive(files);
      await eventually('repair ends', async () => (await get<Repair>('/repair')).state === 'idle');
    }
    await expectFiles(files);
    const { nodes } = await get<{ nodes: { node: number; files: number }[] }>('/nodes');
    expect(nodes.filter(({ node }) => [2, 4].includes(node)).map(({ files: count }) => count)).toEqual([0, 0]);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(Number(/^dcloud_repair_bytes_total (\d+)/m.exec(metrics)?.[1])).toBeGreaterThan(100_000);
    expect(server.logs()).toContain('repair ended');
  });

  it('is waited for, and what it has is used again when it is back in time', async () => {
    await start({ repair_after: 3600 });
    const files = await putFiles();
    const away = `${server.nodeFolder(3)}-away`;
    await rename(server.nodeFolder(3), away);
    await server.untilNode(3, 'down', 10_000);
    const waiting = await get<Repair>('/repair');
    expect(waiting).toMatchObject({ state: 'waiting', backlog: { versions: 0 } });
    expect(waiting.reason).toMatch(/^node 3 is down, and counts as lost in \d+ s$/);
    await rename(away, server.nodeFolder(3));
    await server.untilNode(3, 'up', 10_000);
    expect(await get<Repair>('/repair')).toMatchObject({ state: 'idle', done: { versions: 0 } });
    await expectFiles(files);
  });

  it('is made up for after a restart in the middle, and loses what is not needed on it when it comes back', async () => {
    await start({ limits: { repair_bytes_per_second: 300_000 } });
    const files = await putFiles();
    const away = `${server.nodeFolder(1)}-away`;
    await rename(server.nodeFolder(1), away);
    await eventually('repair is on its way', async () => {
      const { state, done } = await get<Repair>('/repair');
      return state === 'running' && done.versions > 0;
    });
    await server.kill();
    const first = server;
    await start({}, first.directory);
    await untilAllSurvive(files);
    await rename(away, server.nodeFolder(1));
    await server.untilNode(1, 'up', 10_000);
    await eventually('node 1 has nothing any more that lies elsewhere', async () => (await shardFiles(1)).length === 0);
    await expectFiles(files);
    await server.kill();
    await rm(first.directory, { recursive: true });
  });

  it('cannot be made up for where there are too few nodes, which is said, and is as soon as there are enough', async () => {
    await start({ node_count: 2 });
    const files = await putFiles();
    await rename(server.nodeFolder(2), `${server.nodeFolder(2)}-away`);
    await eventually('repair says why it waits', async () => {
      const { state, reason } = await get<Repair>('/repair');
      return state === 'waiting' && reason?.includes('too few nodes') === true;
    });
    await expectFiles(files);
    await rename(`${server.nodeFolder(2)}-away`, server.nodeFolder(2));
    await untilAllSurvive(files);
    await eventually('repair ends', async () => (await get<Repair>('/repair')).state === 'idle');
  });
});

/** The files of single shards on a node. */
async function shardFiles(node: number): Promise<string[]> {
  const folder = join(server.nodeFolder(node), 'shards');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.temp'))
    .map((entry) => join(entry.parentPath, entry.name));
}

async function flipBit(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

describe('a scrub', () => {
  const scrub = async (): Promise<{ damaged: number; files: number }> => {
    const response = await fetch(`${server.url}/scrub`, { method: 'POST' });
    expect(response.status).toBe(202);
    await eventually('scrub ends', async () => (await get<{ state: string }>('/scrub')).state === 'idle');
    return get('/scrub');
  };

  it('finds flipped bits and missing shards, has them mended, and says when a node was proven', async () => {
    await start();
    const files = await putFiles();
    const [flipped, missing] = await shardFiles(1);
    await flipBit(flipped!, 5000);
    await rm(missing!);
    const packs = join(server.nodeFolder(2), 'packs');
    const [pack] = (await readdir(packs)).filter((name) => name.endsWith('.pack'));
    await flipBit(join(packs, pack!), 200);
    const began = Date.now();
    const { damaged } = await scrub();
    expect(damaged).toBeGreaterThanOrEqual(3);
    await eventually('all is mended', async () => (await scrub()).damaged === 0);
    const { nodes } = await get<{ nodes: { provenAt: string | null }[] }>('/nodes');
    for (const { provenAt } of nodes) expect(Date.parse(provenAt!)).toBeGreaterThanOrEqual(began);
    await expectFiles(files);
    // What was mended can be relied on: another copy goes.
    await rm(server.nodeFolder(3), { recursive: true });
    await expectFiles(files);
  });

  it('is not begun twice', async () => {
    await start({ limits: { scrub_bytes_per_second: 100_000 } });
    await putFiles();
    const [first, second] = await Promise.all(
      [1, 2].map(async () => (await fetch(`${server.url}/scrub`, { method: 'POST' })).json()),
    );
    expect(first).toMatchObject({ state: 'running', kind: 'asked-for' });
    expect((second as { startedAt: string }).startedAt).toBe((first as { startedAt: string }).startedAt);
  });

  it('is not needed for what a read meets: that is mended at once', async () => {
    await start({ limits: { small_cache_bytes: 0 } });
    const files = await putFiles();
    const damaged = await shardFiles(1);
    for (const path of damaged) await flipBit(path, 5000);
    await expectFiles(files);
    await eventually('what was read is mended', async () => {
      await expectFiles(files);
      const { done } = await get<Repair>('/repair');
      return done.versions > 0;
    });
  });
});
