import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { runCli } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';

/** What `/nodes` says of a node, as far as it matters here. */
interface NodeJson {
  readonly node: number;
  readonly state: string;
  readonly files: number;
  readonly restoring?: boolean;
  readonly drain?: { readonly records: number; readonly done: boolean };
}

interface NodesJson {
  readonly nodes: readonly NodeJson[];
  readonly survives: number | null;
  readonly worstFile: string | null;
  readonly alignment?: { readonly files: number; readonly failed: number };
}

const LIMITS = { collect_interval_ms: 200, probe_interval_ms: 200 };

let server: TestServer;
let client: Client;

afterEach(() => server.remove());

async function start(config: Record<string, unknown>): Promise<void> {
  server = await TestServer.start({ config: { limits: LIMITS, size_per_slice: 4096, ...config } });
  client = new Client(server.url);
}

/** Ends the server in order and starts it again over the same storage. */
async function restart(config: Record<string, unknown>): Promise<void> {
  expect(await server.stop()).toBe(0);
  await startAgain(config);
}

async function startAgain(config: Record<string, unknown>): Promise<void> {
  server = await TestServer.start({ directory: server.directory, config: { limits: LIMITS, size_per_slice: 4096, ...config } });
  client = new Client(server.url);
}

async function rebuildIndex(): Promise<{ readonly code: number | null; readonly output: string }> {
  const { code, stdout, stderr } = await runCli(['rebuild-index', '--config', server.configFile]);
  return { code, output: stdout + stderr };
}

function rewrite(config: Record<string, unknown>): Promise<void> {
  const defaults = { storage_directory: server.storage, port: 0, log_level: 'info', limits: LIMITS, size_per_slice: 4096 };
  return writeFile(server.configFile, JSON.stringify({ ...defaults, ...config }));
}

async function call(method: string, path: string): Promise<{ readonly status: number; readonly code: string | undefined }> {
  const response = await fetch(`${server.url}${path}`, { method });
  const text = await response.text();
  return { status: response.status, code: text === '' ? undefined : (JSON.parse(text) as { code?: string }).code };
}

async function nodes(): Promise<NodesJson> {
  return (await (await fetch(`${server.url}/nodes`)).json()) as NodesJson;
}

async function node(number: number): Promise<NodeJson> {
  return (await (await fetch(`${server.url}/nodes/${number}`)).json()) as NodeJson;
}

async function rebalance(): Promise<{ state: string; moved: number; left: number; startedAt: string | null }> {
  return (await (await fetch(`${server.url}/rebalance`)).json()) as Awaited<ReturnType<typeof rebalance>>;
}

async function until(what: string, isSo: () => Promise<boolean>, msMax = 20_000): Promise<void> {
  for (const deadline = Date.now() + msMax; !(await isSo());) {
    if (Date.now() > deadline)
      throw new Error(`not ${what} after ${msMax} ms:\n${JSON.stringify(await nodes())}\n${server.logs()}`);
    await sleep(50);
  }
}

const untilAligned = (): Promise<void> => until('aligned', async () => (await nodes()).alignment === undefined);

/** Files of all kinds: in their record, in a pack, of many slices. */
async function store(count: number, into: Map<string, Buffer>): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    const body = randomBytes([100, 20_000, 70_000][at % 3]!);
    into.set((await client.put(`f${at}`, body)).id, body);
  }
}

async function expectAll(files: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [id, body] of files) expect(Buffer.compare(await client.bytes(id), body)).toBe(0);
}

describe('nodes that come and go', () => {
  it('adds one by a reload, evens out, drains one under load and removes it for ever', async () => {
    await start({ node_count: 3 });
    const files = new Map<string, Buffer>();
    await store(30, files);

    await rewrite({ node_count: 4, pack_below: 0 });
    expect(await call('POST', '/reload')).toEqual({ status: 422, code: 'reload-refused' });
    await rewrite({ node_count: 'many' });
    expect(await call('POST', '/reload')).toEqual({ status: 422, code: 'reload-refused' });
    expect((await nodes()).nodes).toHaveLength(3);
    await rewrite({ node_count: 4 });
    server.process.kill('SIGHUP');
    await until('added', async () => (await nodes()).nodes.some(({ node: number, state }) => number === 4 && state === 'up'));
    expect((await node(4)).files).toBe(0);

    expect((await call('POST', '/rebalance')).status).toBe(202);
    await until('even', async () => (await rebalance()).state === 'even');
    const counts = (await nodes()).nodes.map((entry) => entry.files);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    await expectAll(files);

    expect(await call('DELETE', '/nodes/2')).toEqual({ status: 409, code: 'removal-refused' });
    const loading = store(30, files);
    expect((await call('POST', '/nodes/2/drain')).status).toBe(202);
    expect((await node(2)).state).toBe('draining');
    await loading;
    await client.remove([...files.keys()][0]!);
    files.delete([...files.keys()][0]!);
    await until('drained', async () => (await node(2)).drain?.done === true);
    expect(await node(2)).toMatchObject({ files: 0, drain: { records: 0 } });
    expect((await call('DELETE', '/nodes/2')).status).toBe(204);
    expect(await call('GET', '/nodes/2')).toEqual({ status: 404, code: 'node-not-found' });
    expect((await call('POST', '/nodes/2/drain')).code).toBe('node-not-found');
    await rm(server.nodeFolder(2), { recursive: true });
    await expectAll(files);

    await restart({ node_count: 4 });
    expect((await nodes()).nodes.map((entry) => entry.node)).toEqual([1, 3, 4]);
    // With R = 1, and 3 nodes left, any one of them may still go.
    await rm(server.nodeFolder(3), { recursive: true });
    await server.untilNode(3, 'down');
    await expectAll(files);
  });

  it('goes on with a rebalance in the middle of which it was killed', async () => {
    await start({ node_count: 3 });
    const files = new Map<string, Buffer>();
    await store(60, files);
    const slow = { ...LIMITS, repair_bytes_per_second: 300_000 };
    await restart({ node_count: 4, limits: slow });
    await server.untilNode(4, 'up');
    expect((await call('POST', '/rebalance')).status).toBe(202);
    const begun = await rebalance();
    await until('under way', async () => (await rebalance()).moved > 2);
    expect((await rebalance()).left).toBeGreaterThan(2);
    await server.kill();
    await startAgain({ node_count: 4 });
    expect(['waiting', 'running', 'even']).toContain((await rebalance()).state);
    await until('even', async () => (await rebalance()).state === 'even');
    expect((await rebalance()).startedAt).toBe(begun.startedAt);
    const counts = (await nodes()).nodes.map((entry) => entry.files);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    await expectAll(files);
    // What has ended does not begin again.
    await restart({ node_count: 4 });
    expect((await rebalance()).state).toBe('never');
  });

  it('refuses a drain that leaves too few nodes, takes a cancelled one back, and goes on with one after a crash', async () => {
    await start({ node_count: 3, redundancy_count: 1 });
    const files = new Map<string, Buffer>();
    await store(6, files);
    expect((await call('POST', '/nodes/3/drain')).status).toBe(202);
    expect(await call('POST', '/nodes/1/drain')).toEqual({ status: 409, code: 'drain-refused' });
    expect((await call('DELETE', '/nodes/3/drain')).status).toBe(204);
    await server.untilNode(3, 'up');
    await rewrite({ node_count: 3, redundancy_count: 3 });
    expect((await call('POST', '/reload')).code).toBe('reload-refused');
    await store(20, files);
    expect((await call('POST', '/nodes/3/drain')).status).toBe(202);
    await server.kill();
    await startAgain({ node_count: 3 });
    expect((await node(3)).state).toBe('draining');
    await until('drained', async () => (await node(3)).drain?.done === true);
    expect((await call('DELETE', '/nodes/3')).status).toBe(204);
    // The index has to be made without the node, and does not miss it.
    expect(await server.stop()).toBe(0);
    const { code, output } = await rebuildIndex();
    expect([code, output]).toEqual([0, expect.stringContaining('26 files')]);
    await startAgain({ node_count: 2 });
    await expectAll(files);
  });

  it('removes a node that is down only when nothing is left on it', async () => {
    await start({ node_count: 4, repair_after: 2 });
    const files = new Map<string, Buffer>();
    await store(12, files);
    await rm(server.nodeFolder(1), { recursive: true });
    await server.untilNode(1, 'down');
    expect(await call('DELETE', '/nodes/1')).toEqual({ status: 409, code: 'removal-refused' });
    await until('removed', async () => (await call('DELETE', '/nodes/1')).status === 204);
    await expectAll(files);
    await rm(server.nodeFolder(3), { recursive: true });
    await server.untilNode(3, 'down');
    await expectAll(files);
  });

  it('replaces a disk, and restores what was on it', async () => {
    await start({ node_count: 3, redundancy_count: 1 });
    const files = new Map<string, Buffer>();
    await store(12, files);
    expect((await client.remove([...files.keys()][0]!)).status).toBe(204);
    files.delete([...files.keys()][0]!);
    expect(await call('POST', '/nodes/2/replace')).toEqual({ status: 409, code: 'replace-refused' });
    await rm(server.nodeFolder(2), { recursive: true });
    await server.untilNode(2, 'down');
    await mkdir(server.nodeFolder(2));
    await writeFile(join(server.nodeFolder(2), 'stranger'), 'x');
    await sleep(1200); // an empty folder, or a strange one, is never filled by itself
    expect((await node(2)).state).toBe('down');
    expect(await call('POST', '/nodes/2/replace')).toEqual({ status: 409, code: 'replace-refused' });
    await rm(join(server.nodeFolder(2), 'stranger'));
    expect((await call('POST', '/nodes/2/replace')).status).toBe(202);
    await until('restored', async () => (await node(2)).state === 'up' && (await node(2)).restoring === undefined);
    for (const other of [1, 3]) {
      await rm(server.nodeFolder(other), { recursive: true });
      await server.untilNode(other, 'down');
      if (other === 1) await expectAll(files);
      if (other === 3) break;
      expect((await call('POST', `/nodes/${other}/replace`)).status).toBe(202);
      await until('restored', async () => (await node(other)).state === 'up' && (await node(other)).restoring === undefined);
    }
    await expectAll(files);
  });

  it('brings files to another redundancy_count and back, by a reload and by a restart', async () => {
    await start({ node_count: 4, redundancy_count: 1 });
    const files = new Map<string, Buffer>();
    await store(15, files);
    await rewrite({ node_count: 4, redundancy_count: 2 });
    expect((await call('POST', '/reload')).status).toBe(200);
    await store(5, files);
    await untilAligned();
    for (const id of files.keys()) {
      const info = (await (await fetch(`${server.url}/files/${id}/info`)).json()) as { survives: number };
      expect(info.survives).toBe(2);
    }
    await until('seen that all survive two', async () => (await nodes()).survives === 2);
    for (const gone of [1, 3]) await rm(server.nodeFolder(gone), { recursive: true });
    for (const gone of [1, 3]) await server.untilNode(gone, 'down');
    await expectAll(files);
    await until('seen that one may be on its last copy', async () => (await nodes()).survives === 0);
    expect([...files.keys()]).toContain((await nodes()).worstFile);
    for (const gone of [1, 3]) expect((await call('POST', `/nodes/${gone}/replace`)).status).toBe(202);
    await until('restored', async () => (await nodes()).nodes.every((one) => one.state === 'up' && one.restoring === undefined));

    const before = (await nodes()).nodes.reduce((sum, one) => sum + one.files, 0);
    await restart({ node_count: 4, redundancy_count: 1 });
    await until('lowered', async () => (await nodes()).nodes.reduce((sum, one) => sum + one.files, 0) === (before / 3) * 2);
    await untilAligned();
    await rm(server.nodeFolder(2), { recursive: true });
    await server.untilNode(2, 'down');
    await expectAll(files);
  });
});
