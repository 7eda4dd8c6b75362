import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { BackgroundLoad } from '../support/background-load.js';
import { someBytes } from '../support/bytes.js';
import { Client } from '../support/client.js';
import { abilities } from '../support/crash/settings.js';
import { Random } from '../support/crash/random.js';
import { homeWithDisk, removeDisks, TestDisk } from '../support/disks.js';
import { runCli } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';
import { eventually } from '../support/shard-files.js';
import { filesUnder, snapshot } from '../support/storage-files.js';

const VISIBLE_MS = 3000;
const CONFIG = { size_per_slice: 65_536, log_level: 'warn' };

const servers: TestServer[] = [];
const directories: string[] = [];
const loads: BackgroundLoad[] = [];

afterEach(async () => {
  for (const load of loads.splice(0)) load.end('errors');
  const started = servers.splice(0);
  for (const server of started) await server.kill(); // all of them first: some share a directory
  for (const server of started) await server.remove();
  await removeDisks();
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function start(options: Parameters<typeof TestServer.start>[0] = {}): Promise<TestServer> {
  const server = await TestServer.start({ ...options, config: { ...CONFIG, ...options.config } });
  servers.push(server);
  return server;
}

function newLoad(...options: ConstructorParameters<typeof BackgroundLoad>): BackgroundLoad {
  const load = new BackgroundLoad(...options);
  loads.push(load);
  return load;
}

async function fresh(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dcloud-bad-'));
  directories.push(directory);
  return directory;
}

interface NodeJson {
  readonly state: string;
  readonly files: number;
  readonly lastError: string | null;
}

async function nodeOf(server: TestServer, node: number): Promise<NodeJson> {
  return (await (await fetch(`${server.url}/nodes/${node}`)).json()) as NodeJson;
}

/** All is read right with each of the other nodes missing: so what is on this one is not only there for show. */
async function expectGoodWithout(nodes: readonly number[], server: TestServer, load: BackgroundLoad): Promise<void> {
  await server.kill();
  for (const node of nodes) {
    await rename(server.nodeFolder(node), `${server.nodeFolder(node)}.away`);
    const without = await start({ directory: server.directory, config: { limits: { sweep_interval_ms: 1_000_000 } } });
    await load.check(without.url);
    await without.kill();
    await rename(`${server.nodeFolder(node)}.away`, server.nodeFolder(node));
  }
}

describe('under load, a disk', () => {
  it('that fills up costs no request; its node is full, and takes part again when there is space', async () => {
    const disk = await TestDisk.inMemory(24);
    if (disk === undefined) return;
    const config = { limits: { node_bytes_free_min: 1_000_000 } };
    const server = await start({ directory: await homeWithDisk(disk), config });
    const client = new Client(server.url);
    const kept = await client.put('on it', someBytes(300_000));
    const load = newLoad(1);
    load.start(server.url);
    await sleep(500);
    await disk.fill();
    await server.untilNode(1, 'full', VISIBLE_MS);
    await sleep(1000);
    expect((await client.bytes(kept.id)).equals(someBytes(300_000))).toBe(true);
    expect((await client.remove(kept.id)).status).toBe(204);
    expect(await load.stop()).toMatchObject({ refused: 0 });
    await load.check(server.url);
    await load.checkCopies(server.url, 1);
    await server.kill();

    // A start with a disk that is full is no other. What a server deletes gives space back: that is taken again until none is left.
    await disk.fill();
    const again = await start({ directory: server.directory, config });
    const stateWhenFilled = async (): Promise<string> => {
      await disk.fill();
      return (await nodeOf(again, 1)).state;
    };
    expect(await eventually(stateWhenFilled, (state) => state === 'full', VISIBLE_MS)).toBe('full');
    await load.check(again.url);
    await disk.free();
    await again.untilNode(1, 'up', VISIBLE_MS);
    const before = (await nodeOf(again, 1)).files;
    for (let count = 0; count < 40; count += 1) await load.put(again.url, count);
    expect((await nodeOf(again, 1)).files).toBeGreaterThan(before);
    load.start(again.url);
    await sleep(500);
    expect(await load.stop()).toMatchObject({ refused: 0 });
    await load.check(again.url);
    await load.checkCopies(again.url, 1);
  });

  it('that becomes read-only costs no request, is read, and takes part again when it can be written', async () => {
    const disk = await TestDisk.inMemory(64);
    if (disk === undefined) return;
    const server = await start({ directory: await homeWithDisk(disk), config: { limits: { node_bytes_free_min: 0 } } });
    const load = newLoad(2);
    load.start(server.url);
    await sleep(500);
    disk.makeReadOnly();
    await server.untilNode(1, 'down', VISIBLE_MS);
    await sleep(500);
    disk.makeWritable();
    await server.untilNode(1, 'up', VISIBLE_MS);
    await sleep(300);
    expect(await load.stop()).toMatchObject({ refused: 0 });
    await load.check(server.url);
    await expectGoodWithout([2, 3, 4], server, load);
  });

  it('that fails with EIO costs no request; what it had synced is there when it is mounted again', async () => {
    const disk = await TestDisk.ext4(128);
    if (disk === undefined) return;
    const config = { limits: { node_bytes_free_min: 0 } };
    const server = await start({ directory: await homeWithDisk(disk), config });
    const load = newLoad(3);
    load.start(server.url);
    await sleep(700);
    disk.cutPower();
    await server.untilNode(1, 'down', VISIBLE_MS);
    expect((await nodeOf(server, 1)).lastError).toMatch(/EIO|unavailable/);
    await sleep(500);
    expect(await load.stop()).toMatchObject({ refused: 0 });
    await load.check(server.url);
    // The server has files of it open, and so the kernel does not let go of the broken file system before it ends.
    await server.kill();
    disk.mountAgain();
    const again = await start({ directory: server.directory, config });
    await again.untilNode(1, 'up', VISIBLE_MS);
    load.start(again.url);
    await sleep(300);
    expect(await load.stop()).toMatchObject({ refused: 0 });
    await load.check(again.url);
    await expectGoodWithout([2, 3, 4], again, load);
  });

  it('that holds everything and loses its power loses nothing that was acknowledged', async () => {
    const disk = await TestDisk.ext4(256);
    if (disk === undefined) return;
    const config = { storage_directory: join(disk.path, 'data'), limits: { node_bytes_free_min: 0, sweep_interval_ms: 300 } };
    const directory = await fresh();
    const load = newLoad(4);
    for (const ms of [1500, 300, 800]) {
      const server = await start({ directory, config });
      await load.check(server.url);
      load.start(server.url);
      await sleep(ms);
      load.end('errors'); // first, since from the cut on the server may answer with any error
      disk.cutPower();
      await sleep(100);
      await server.kill();
      await load.stop('errors');
      disk.mountAgain();
    }
    const server = await start({ directory, config });
    await load.check(server.url);
    await load.checkCopies(server.url, 1);
    expect(load.journal.files.size).toBeGreaterThan(3); // of a busy machine no more can be asked
  });
});

/** After this time Node.js has closed a connection on which nothing comes (5 s, and a second of grace). */
const IDLE_MS = 7000;
/** A node without descriptors goes down and comes back, and the more often, the longer it has to be well (16 probes at the most). */
const FLAPPED_MS = 30_000;

describe('too few descriptors for all that is asked', () => {
  it('are no end of the server: it answers with codes, or not at all, and is well when it is asked for less', async () => {
    const idle = await start();
    const used = (await readdir(`/proc/${String(idle.process.pid)}/fd`)).length;
    await idle.kill();
    // Of which the packs of four nodes take two each, once they have begun.
    const server = await start({ openFilesMax: used + 8 + 24 });
    const load = newLoad(5, { clients: 48 });
    // The first JSON body makes a library read its tables from files, which would be refused in words that are not true (iconv-lite: 415).
    const { id } = await new Client(server.url).put('x', 'x');
    await fetch(`${server.url}/files/${id}`, { method: 'PATCH', body: '{}', headers: { 'content-type': 'application/json' } });
    await new Client(server.url).remove(id);
    load.start(server.url, 'breaks');
    await sleep(4000);
    const { refused, broken } = await load.stop('breaks');
    expect([server.process.exitCode, server.process.signalCode]).toEqual([null, null]);
    expect(refused + broken).toBeGreaterThan(0); // it was short of them indeed
    await sleep(IDLE_MS); // the connections of those who left are closed, and their descriptors free
    for (const node of [1, 2, 3, 4]) await server.untilNode(node, 'up', FLAPPED_MS);
    const client = new Client(server.url);
    const puts: number[] = [];
    for (let at = 0; at < 20; at += 1) {
      const answer = await client.tryPut(`few ${at}`, someBytes(5000, at + 1));
      puts.push(answer.status);
      if (answer.status === 201) await client.remove(((await answer.json()) as { readonly id: string }).id);
    }
    expect(puts.filter((status) => status === 201).length).toBeGreaterThan(10);
    await server.kill();
    const again = await start({ directory: server.directory });
    await load.check(again.url);
    load.start(again.url);
    await sleep(300);
    expect(await load.stop()).toMatchObject({ refused: 0 });
    await load.check(again.url);
  });
});

describe('what stands in the place of a node', () => {
  const impostors: Readonly<Record<string, readonly [RegExp, (place: string, server: TestServer) => Promise<unknown>]>> = {
    'nothing at all': [/unavailable/, () => Promise.resolve()],
    'an empty folder': [/rejected/, (place) => mkdir(place)],
    'a file': [/rejected|unavailable/, (place) => writeFile(place, 'not a folder')],
    'a link to nowhere': [/unavailable/, (place) => symlink('/nowhere/at/all', place)],
    'a copy of another node’s folder': [/rejected/, (place, server) => cp(server.nodeFolder(2), place, { recursive: true })],
    'the node of another cluster': [
      /rejected/,
      async (place) => {
        const other = await start();
        await new Client(other.url).put('of another', someBytes(100_000));
        await other.stop();
        await cp(other.nodeFolder(1), place, { recursive: true });
      },
    ],
  };

  it.each(Object.entries(impostors))('(%s) is refused with the reason, and not touched', async (_what, [reason, put]) => {
    const server = await start();
    const load = newLoad(6);
    load.start(server.url);
    await sleep(400);
    await load.stop();
    const place = server.nodeFolder(1);
    await rename(place, `${place}.away`);
    await put(place, server);
    const before = await contentsOf(place);

    for (const current of [server, undefined]) {
      const running = current ?? (await start({ directory: server.directory }));
      await running.untilNode(1, 'down', VISIBLE_MS);
      const lastError = async (): Promise<string> => String((await nodeOf(running, 1)).lastError);
      expect(await eventually(lastError, (text) => reason.test(text), VISIBLE_MS)).toMatch(reason);
      load.start(running.url);
      await sleep(300);
      expect(await load.stop()).toMatchObject({ refused: 0 });
      await load.check(running.url);
      await running.kill();
      expect(await contentsOf(place)).toEqual(before);
    }

    await rm(place, { recursive: true, force: true });
    await rename(`${place}.away`, place);
    const right = await start({ directory: server.directory });
    await right.untilNode(1, 'up', VISIBLE_MS);
    await load.check(right.url);
  });

  /** What is at a path and below it, or why nothing is. */
  async function contentsOf(path: string): Promise<unknown> {
    const entries = await readdir(path, { recursive: true }).catch((error: unknown) => (error as NodeJS.ErrnoException).code);
    if (entries === 'ENOTDIR') return readFile(path, 'utf8');
    return typeof entries === 'string' ? entries : [entries?.toSorted(), await snapshot(path)];
  }
});

describe('two servers', () => {
  it('on one storage, by another path too: the second is refused until the first is gone, however it went', async () => {
    const server = await start();
    const link = join(await fresh(), 'other-path');
    await symlink(server.storage, link);
    const configFile = join(await fresh(), 'config.json');
    await writeFile(configFile, JSON.stringify({ ...CONFIG, storage_directory: link, port: 0 }));
    const before = await snapshot(server.nodeFolder(1));
    const { code, stderr } = await runCli(['serve', '--config', configFile]);
    expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining('storage-locked') });
    expect(await snapshot(server.nodeFolder(1))).toEqual(before);
    const file = await new Client(server.url).put('still', 'mine');
    await server.kill(); // its lock stays behind, and is in nobody's way
    const second = await start({ directory: server.directory, config: { storage_directory: link } });
    expect((await new Client(second.url).bytes(file.id)).toString()).toBe('mine');
  });
});

describe('flipped bits', () => {
  const NODES = 3;
  const FLIPS = 150;
  const SIZES = [0, 1, 700, 1024, 4096, 9000, 20_000, 70_000, 300_000];

  interface Stored {
    readonly server: TestServer;
    readonly bodies: ReadonlyMap<string, Buffer>;
    readonly copy: string;
  }

  const config = { node_count: NODES, size_per_slice: 4096 };

  /** A stopped server with files of many sizes, and a copy of all that it has on its disks. */
  async function store(): Promise<Stored> {
    const server = await start({ config });
    const client = new Client(server.url);
    const bodies = new Map<string, Buffer>();
    for (const [at, size] of [...SIZES, ...SIZES].entries()) {
      const body = someBytes(size, at + 1);
      bodies.set((await client.put(`file ${at}`, body)).id, body);
    }
    expect(await server.stop()).toBe(0);
    const copy = join(await fresh(), 'copy');
    await cp(server.storage, copy, { recursive: true });
    return { server, bodies, copy };
  }

  async function restore({ server, copy }: Stored): Promise<void> {
    await rm(server.storage, { recursive: true });
    await cp(copy, server.storage, { recursive: true });
  }

  /** Flips bits here and there in all files of a node: each file is hit, and the larger ones more often. */
  async function damage(folder: string, random: Random): Promise<number> {
    // Not the locks, which are empty, nor the ballast, of which nobody reads a byte.
    const found = (await filesUnder(folder)).filter((path) => !/lock|ballast|probe/.test(path)).toSorted();
    const sizes = await Promise.all(found.map(async (path) => (await stat(path)).size));
    const paths = found.filter((_, at) => (sizes[at] ?? 0) > 0);
    let flips = 0;
    for (const path of paths) {
      const bytes = await readFile(path);
      for (let left = Math.ceil(FLIPS / paths.length); left > 0 && bytes.length > 0; left -= 1) {
        bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
        flips += 1;
      }
      await writeFile(path, bytes);
    }
    return flips;
  }

  /** Reads every file: `right`, or the code of the error, or `broke`. Anything else fails the test. */
  async function readAll(url: string, bodies: Stored['bodies']): Promise<readonly string[]> {
    const outcomes: string[] = [];
    for (const [id, body] of bodies) {
      const response = await new Client(url).get(id);
      if (response.status === 200) {
        const bytes = await response.arrayBuffer().then(
          (all) => Buffer.from(all),
          () => undefined,
        );
        if (bytes !== undefined) expect(bytes.equals(body)).toBe(true);
        outcomes.push(bytes === undefined ? 'broke' : 'right');
      } else {
        const { code } = (await response.json()) as { readonly code: string };
        expect(code).toMatch(/^data-(damaged|unavailable)$/);
        outcomes.push(code);
      }
    }
    return outcomes;
  }

  it('anywhere on one node lose nothing', async () => {
    const stored = await store();
    for (let node = 1; node <= NODES; node += 1) {
      expect(await damage(stored.server.nodeFolder(node), new Random(node))).toBeGreaterThanOrEqual(FLIPS);
      const server = await start({ directory: stored.server.directory, config });
      const outcomes = await readAll(server.url, stored.bodies);
      expect(outcomes).toEqual(outcomes.map(() => 'right'));
      await new Client(server.url).put('new', 'still takes files');
      await server.kill();
      await restore(stored);
    }
  });

  it('anywhere on all nodes are never read as content', async () => {
    const stored = await store();
    const outcomes: string[] = [];
    for (const seed of [11, 12, 13]) {
      const random = new Random(seed);
      for (let node = 1; node <= NODES; node += 1) {
        const identity = await readFile(join(stored.server.nodeFolder(node), 'node.json'));
        await damage(stored.server.nodeFolder(node), random);
        // The node itself must be taken, or none of its shards would be read.
        await writeFile(join(stored.server.nodeFolder(node), 'node.json'), identity);
      }
      const server = await start({ directory: stored.server.directory, config });
      outcomes.push(...(await readAll(server.url, stored.bodies)));
      expect((await new Client(server.url).listAll()).length).toBe(stored.bodies.size);
      await server.kill();
      await restore(stored);
    }
    expect(outcomes.filter((outcome) => outcome !== 'right').length).toBeGreaterThan(0);
  });

  it('on one node are in the way of no rebuilt index', async () => {
    if (!(await abilities()).rebuilds) {
      process.stderr.write('skipped: this program has no rebuild-index\n');
      return;
    }
    const stored = await store();
    for (let node = 1; node <= NODES; node += 1) {
      await damage(stored.server.nodeFolder(node), new Random(20 + node));
      await rm(join(stored.server.storage, 'index'), { recursive: true });
      const { code, stderr } = await runCli(['rebuild-index', '--config', stored.server.configFile]);
      expect({ code, stderr }).toMatchObject({ code: 0 });
      const server = await start({ directory: stored.server.directory, config });
      expect((await new Client(server.url).listAll()).map(({ id }) => id).toSorted()).toEqual(
        [...stored.bodies.keys()].toSorted(),
      );
      const outcomes = await readAll(server.url, stored.bodies);
      expect(outcomes).toEqual(outcomes.map(() => 'right'));
      await server.kill();
      await restore(stored);
    }
  });
});
