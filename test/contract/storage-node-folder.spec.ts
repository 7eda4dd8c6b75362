import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, readdir, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId, type ClusterId, type NodeId } from '../../src/common/ids.js';
import { FolderStorageNode, type FolderStorageNodeOptions } from '../../src/nodes/folder/folder.storage-node.js';
import type { FolderLock } from '../../src/nodes/folder/folder-lock.js';
import { shardPlace } from '../../src/nodes/folder/shard-name.js';
import { NodeError, type ShardId } from '../../src/nodes/storage-node.js';
import { kindOf } from '../support/storage-node.contract.js';
import { makeFolderNode, type FolderFixture } from '../support/storage-node.folder.js';
import { batchOf, keyOf, listedKeys, never, someRecord, someShard, someShards } from '../support/storage-node.shards.js';

let fixture: FolderFixture;
let node: FolderStorageNode;
let options: FolderStorageNodeOptions;
let directory: string;

beforeEach(async () => {
  fixture = await makeFolderNode();
  ({ node, options } = fixture);
  directory = options.directory;
});

afterEach(async () => {
  await node.close();
  await fixture.dispose();
});

describe('A shard whose file was damaged', () => {
  const shard = someShard({ size: 1000 });
  const neighbour = someShard();

  beforeEach(() => node.put(batchOf([shard, neighbour]), never()));

  it('is corrupt for a flipped bit in any byte of the header, and in the payload, while its neighbour is read', async () => {
    const whole = await readFile(fileOf(shard));
    for (const at of [...Array(64).keys(), 64, 500, whole.length - 1]) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 1 << (at % 8);
      await writeFile(fileOf(shard), damaged);
      expect([at, ...(await node.get([shard, neighbour], never())).map(kindOf)]).toEqual([at, 'corrupt', 'bytes']);
    }
  });

  it.each([0, 3, 4, 63, 64, 65, 1063])('is corrupt when cut to %i bytes', async (size) => {
    await node.get([neighbour], never()); // so that the read is also tried with another expected length
    await truncate(fileOf(shard), size);
    const [first, other, again] = await node.get([shard, neighbour, shard], never());
    expect([kindOf(first), kindOf(other), kindOf(again)]).toEqual(['corrupt', 'bytes', 'corrupt']);
    if (size >= 64) expect([first, again].map(String)).toEqual(Array(2).fill(expect.stringMatching(/shorter/)));
  });

  it.each([1, 63, 1_000_000])('is corrupt when %i bytes longer', async (size) => {
    await truncate(fileOf(shard), 1064 + size);
    const [first, other, again] = await node.get([shard, neighbour, shard], never());
    expect([kindOf(first), kindOf(other), kindOf(again)]).toEqual(['corrupt', 'bytes', 'corrupt']);
    expect([first, again].map(String)).toEqual(Array(2).fill(expect.stringMatching(/longer/)));
  });

  it('is corrupt when its file is that of another shard, or of another cluster', async () => {
    await cp(fileOf(neighbour), fileOf(shard));
    expect((await node.get([shard], never())).map(kindOf)).toEqual(['corrupt']);
    const other = await makeFolderNode();
    await other.node.put(batchOf([shard]), never());
    await cp(join(other.options.directory, pathOf(shard)), fileOf(shard));
    expect((await node.get([shard], never())).map(kindOf)).toEqual(['corrupt']);
    await other.node.close();
    await other.dispose();
  });

  it('is unavailable for that shard alone when the system cannot read it', async () => {
    await rm(fileOf(shard));
    await mkdir(fileOf(shard));
    expect((await node.get([shard, neighbour], never())).map(kindOf)).toEqual(['unavailable', 'bytes']);
  });

  it('is mended by another put', async () => {
    await truncate(fileOf(shard), 10);
    await node.put(batchOf([shard]), never());
    expect((await node.get([shard], never())).map(kindOf)).toEqual(['bytes']);
  });
});

describe('The walk over the shards', () => {
  it('passes over files that are not shards', async () => {
    const shard = someShard();
    await node.put(batchOf([shard]), never());
    const hex = shard.versionId.replaceAll('-', '');
    const fanOut = dirname(fileOf(shard));
    const names = [
      '.DS_Store',
      'readme',
      hex,
      `${hex}-0`,
      `${hex}-00-1`,
      `${hex}-0-01`,
      `${hex}-0-256`,
      `${hex}-g-0`,
      `${hex}-0-1 `,
      `${hex.toUpperCase()}-0-1`,
    ];
    for (const name of [...names, `${hex.slice(0, 30)}zz-0-1`, `${'f'.repeat(30)}01-0-1`, `${hex}-ffffffffffffff-1`])
      await writeFile(join(fanOut, name), 'x');
    await mkdir(join(fanOut, `${hex}-0-7`));
    await writeFile(join(directory, 'shards', 'stray'), 'x');
    expect(await listedKeys(node)).toEqual([keyOf(shard)]);
  });

  it('removes the temp files that a crash left, and not those in use', async () => {
    const shard = someShard();
    await node.put(batchOf([shard]), never());
    const own = (node as unknown as { opening: string }).opening;
    await writeFile(`${fileOf(shard)}.0123456789abcdef-7.temp`, 'left');
    await writeFile(`${fileOf(shard)}.${own}-7.temp`, 'in use');
    await writeFile(`${fileOf(shard)}.temp`, 'not ours');
    expect(await listedKeys(node)).toEqual([keyOf(shard)]);
    const name = shardPlace(shard).name;
    expect((await readdir(dirname(fileOf(shard)))).toSorted()).toEqual(
      [name, `${name}.${own}-7.temp`, `${name}.temp`].toSorted(),
    );
  });

  it('does not end as if it were whole when the folder vanishes under it', async () => {
    await node.put(batchOf(someShards(20)), never());
    const walk = async (): Promise<void> => {
      for await (const id of node.list(never())) {
        expect(id.index).toBeLessThan(3);
        await rename(directory, `${directory}-away`).catch(() => undefined);
      }
    };
    await expect(walk()).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('does not end as if it were whole when the folder vanishes under its very last directory', async () => {
    const shard = someShard({ versionId: '0190a000-0000-7000-8000-0000000000ff' as ShardId['versionId'] });
    await node.put(batchOf([shard]), never());
    const walk = async (): Promise<void> => {
      for await (const id of node.list(never())) {
        expect(id.index).toBeLessThan(3);
        await rm(directory, { recursive: true });
      }
    };
    await expect(walk()).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('leaves no temp file after a put that failed', async () => {
    const shard = someShard();
    await mkdir(fileOf(shard)); // a rename onto it fails
    await expect(node.put(batchOf([shard]), never())).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await readdir(dirname(fileOf(shard)))).toEqual([shardPlace(shard).name]);
  });
});

describe('A folder that', () => {
  const shard = someShard();

  beforeEach(() => node.put(batchOf([shard]), never()));

  async function expectEverythingToFail(kind: string): Promise<void> {
    const refusal = { kind };
    await expect(node.get([shard], never())).rejects.toMatchObject(refusal);
    await expect(node.get([someShard()], never())).rejects.toMatchObject(refusal);
    await expect(listedKeys(node)).rejects.toMatchObject(refusal);
    await expect(node.probe(never())).rejects.toMatchObject(refusal);
    await expect(node.put(batchOf([shard]), never())).rejects.toMatchObject({ name: 'NodeError' });
    await expect(node.delete([shard], never())).rejects.toMatchObject({ name: 'NodeError' });
  }

  it('vanished is unavailable and is not made anew', async () => {
    await rm(directory, { recursive: true });
    await expectEverythingToFail('unavailable');
    await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('was replaced by an empty one is rejected and is not filled', async () => {
    await rm(directory, { recursive: true });
    await mkdir(directory);
    await expectEverythingToFail('rejected');
    await expect(node.probe(never())).rejects.toThrow(/replaced/);
    expect(await readdir(directory)).toEqual([]);
  });

  it('was replaced between a restart and the first call is not filled either', async () => {
    await node.close();
    await rm(directory, { recursive: true });
    node = new FolderStorageNode(options);
    await expectEverythingToFail('unavailable');
    await mkdir(directory);
    await expectEverythingToFail('rejected');
    expect(await readdir(directory)).toEqual([]);
  });

  it('is renamed away and back works on, under the same lock', async () => {
    await rename(directory, `${directory}-away`);
    await expectEverythingToFail('unavailable');
    await rename(`${directory}-away`, directory);
    await node.probe(never());
    await node.put(batchOf([shard]), never());
    expect((await node.get([shard, someShard()], never())).map(kindOf)).toEqual(['bytes', 'not-found']);
    await expectLocked();
  });

  it('was restored from a copy is locked anew', async () => {
    await cp(directory, `${directory}-copy`, { recursive: true });
    await rm(directory, { recursive: true });
    await expect(node.probe(never())).rejects.toMatchObject({ kind: 'unavailable' });
    await rename(`${directory}-copy`, directory);
    await node.probe(never());
    await expectLocked();
  });

  it('has lost a directory of its fan-out is rejected', async () => {
    await rm(join(directory, 'shards', '5a'), { recursive: true });
    await expect(node.probe(never())).rejects.toMatchObject({ kind: 'rejected' });
  });

  it.each(['clusterId', 'nodeId', 'node'])('has another %s is rejected', async (key) => {
    const identity = JSON.parse(await readFile(join(directory, 'node.json'), 'utf8')) as Record<string, unknown>;
    await writeFile(join(directory, 'node.json'), JSON.stringify({ ...identity, [key]: key === 'node' ? 2 : newId() }));
    await expect(node.probe(never())).rejects.toMatchObject({ kind: 'rejected' });
    await expect(listedKeys(node)).rejects.toMatchObject({ kind: 'rejected' });
    await expect(FolderStorageNode.create(options, never())).rejects.toMatchObject({ kind: 'rejected' });
  });

  it.each(['', '{', 'null', '[]', '{"format":"1"}', '{"format":2}'])('has the identity file %j is rejected', async (text) => {
    await writeFile(join(directory, 'node.json'), text);
    await expect(node.probe(never())).rejects.toMatchObject({ kind: 'rejected' });
  });

  async function expectLocked(): Promise<void> {
    const second = new FolderStorageNode(options);
    await expect(second.open(never())).rejects.toMatchObject({ code: 'storage-locked' });
    await second.close();
  }
});

describe('A caller that waits no longer', () => {
  it('takes nothing from the others, whatever its reason is', async () => {
    // So many that some of them wait for their turn in the last of their steps, which is the look at the folder.
    const shards = Array.from({ length: 12 }, () => Array.from({ length: 4 }, () => someShard({ size: 70_000 })));
    const failures: unknown[] = [];
    for (let round = 0; round < 60; round += 1) {
      const stop = new AbortController();
      const left = shards.map((some) => node.put(batchOf(some), stop.signal));
      const others = Array.from({ length: 30 }, async (_, at) => {
        await sleep(at / 3);
        await node.put({ shards: [], records: [someRecord()] }, never());
      });
      await sleep(round / 6);
      stop.abort(new NodeError('unavailable', 'another node was faster'));
      await Promise.allSettled(left);
      for (const other of await Promise.allSettled(others)) if (other.status === 'rejected') failures.push(String(other.reason));
    }
    expect(failures).toEqual([]);
  });
});

describe('Making a folder', () => {
  it('is idempotent for the same identity and touches nothing', async () => {
    const shard = someShard();
    await node.put(batchOf([shard]), never());
    await node.close();
    node = await FolderStorageNode.create(options, never());
    expect((await node.get([shard], never())).map(kindOf)).toEqual(['bytes']);
  });

  it('does not make anew what a node that exists has lost', async () => {
    await node.close();
    await rm(join(directory, 'shards', '5a'), { recursive: true });
    node = await FolderStorageNode.create(options, never());
    await expect(node.probe(never())).rejects.toMatchObject({ kind: 'rejected' });
  });

  it('refuses the folder of another node', async () => {
    await node.close();
    for (const other of [{ clusterId: newId<ClusterId>() }, { nodeId: newId<NodeId>() }, { number: 2 }]) {
      await expect(FolderStorageNode.create({ ...options, ...other }, never())).rejects.toMatchObject({ kind: 'rejected' });
    }
  });

  it('refuses a folder that holds something else, and leaves it as it is', async () => {
    const used = join(dirname(directory), 'used');
    await mkdir(used);
    await writeFile(join(used, 'thesis.doc'), 'x');
    await expect(FolderStorageNode.create({ ...options, directory: used }, never())).rejects.toMatchObject({ kind: 'rejected' });
    expect(await readdir(used)).toEqual(['thesis.doc']);
  });

  it('refuses shards without an identity', async () => {
    await node.put(batchOf([someShard()]), never());
    await node.close();
    await rm(join(directory, 'node.json'));
    await expect(FolderStorageNode.create(options, never())).rejects.toMatchObject({ kind: 'rejected' });
  });

  it('completes what a crash interrupted', async () => {
    await node.close();
    await rm(join(directory, 'node.json'));
    await rm(join(directory, 'shards', '5a'), { recursive: true });
    await writeFile(join(directory, 'node.json.temp'), '{');
    await mkdir(join(directory, 'lost+found'));
    node = await FolderStorageNode.create(options, never());
    await node.probe(never());
  });

  it('refuses a place whose parent is not there, a file, and a link to nowhere', async () => {
    const parent = dirname(directory);
    await writeFile(join(parent, 'file'), 'x');
    await symlink(join(parent, 'nowhere'), join(parent, 'link'));
    for (const place of ['none/node_1', 'file', 'link']) {
      await expect(FolderStorageNode.create({ ...options, directory: join(parent, place) }, never())).rejects.toMatchObject({
        name: 'NodeError',
      });
    }
  });
});

describe('A second process', () => {
  let holder: ChildProcess | undefined;

  afterEach(async () => {
    if (holder?.exitCode === null && holder.signalCode === null) await kill(holder);
  });

  it('is refused while the first one lives, and let in when it was killed', async () => {
    await node.close();
    holder = await holdLock(join(directory, 'node.lock'));
    node = new FolderStorageNode(options);
    await expect(node.put(batchOf([someShard()]), never())).rejects.toMatchObject({ name: 'NodeError', kind: 'rejected' });
    await expect(node.open(never())).rejects.toMatchObject({ name: 'DomainError', code: 'storage-locked' });
    await expect(node.probe(never())).rejects.toMatchObject({ code: 'storage-locked' });
    await expect(FolderStorageNode.create(options, never())).rejects.toMatchObject({ code: 'storage-locked' });
    await kill(holder);
    await node.put(batchOf([someShard()]), never());
    await node.probe(never());
  });

  it('does not remove temp files of the one that holds the lock', async () => {
    const shard = someShard();
    await node.put(batchOf([shard]), never());
    const temp = `${fileOf(shard)}.0123456789abcdef-7.temp`;
    await writeFile(temp, 'in use by another');
    const second = new FolderStorageNode(options);
    expect(await listedKeys(second)).toEqual([keyOf(shard)]);
    await second.close();
    await stat(temp);
  });

  it('is not seen by a process in its own first calls, however many come at once', async () => {
    await node.close();
    node = new FolderStorageNode(options);
    const shards = someShards(20);
    await Promise.all([
      ...shards.map((shard) => node.put(batchOf([shard]), never())),
      ...shards.map(() => node.probe(never())),
      node.open(never()),
    ]);
    expect(await listedKeys(node)).toHaveLength(20);
  });

  it('gets in after close', async () => {
    await node.close();
    await kill(await holdLock(join(directory, 'node.lock')));
  });
});

describe('A file system of its own', () => {
  let place: string;
  let refused: string | undefined;
  let small: FolderFixture;

  beforeEach(async () => {
    place = join(dirname(directory), 'small');
    await mkdir(place);
    refused = tryMount(place);
    if (refused === undefined) small = await makeFolderNode(place);
  });

  afterEach(async () => {
    if (refused !== undefined) return;
    await small.node.close();
    execFileSync('umount', ['-l', place]);
  });

  it('that is full refuses new shards and goes on reading and deleting', async () => {
    if (refused !== undefined) {
      skip(refused);
      return;
    }

    const stored = someShard({ size: 200_000 });
    await small.node.put(batchOf([stored]), never());
    await expect(small.node.put(batchOf([someShard({ size: 2_000_000 }), someShard()]), never())).rejects.toMatchObject({
      kind: 'full',
    });
    expect(await tempsUnder(small.options.directory)).toEqual([]);
    await expect(fillUp(small.node)).rejects.toMatchObject({ kind: 'full' });
    expect((await small.node.get([stored], never())).map(kindOf)).toEqual(['bytes']);
    expect(await small.node.probe(never())).toMatchObject({ full: true });
    await small.node.close();
    const restarted = new FolderStorageNode(small.options);
    expect(await restarted.probe(never())).toMatchObject({ full: true });
    await restarted.delete([stored], never());
    expect(await restarted.probe(never())).toMatchObject({ full: false });
    await restarted.put(batchOf([someShard({ size: 100_000 })]), never());
    await restarted.close();
  });

  it('that has less free than the minimum is full', async () => {
    if (refused !== undefined) {
      skip(refused);
      return;
    }

    await small.node.close();
    const wary = new FolderStorageNode({ ...small.options, bytesFreeMin: 2 ** 40 });
    const probe = await wary.probe(never());
    expect(probe.full).toBe(true);
    expect(probe.bytesTotal).toBe(1_048_576);
    await wary.close();
  });

  it('that became read-only rejects writing and goes on reading, also after a restart', async () => {
    if (refused !== undefined) {
      skip(refused);
      return;
    }

    const shard = someShard();
    await small.node.put(batchOf([shard]), never());
    // The lock's descriptor is open for writing, which keeps the kernel from a plain remount; a failing disk asks nobody.
    await small.node.close();
    execFileSync('mount', ['-o', 'remount,ro', place]);
    const readOnly = new FolderStorageNode(small.options);
    expect((await readOnly.get([shard], never())).map(kindOf)).toEqual(['bytes']);
    expect(await listedKeys(readOnly)).toEqual([keyOf(shard)]);
    await expect(readOnly.put(batchOf([someShard()]), never())).rejects.toMatchObject({ name: 'NodeError', kind: 'rejected' });
    await expect(readOnly.probe(never())).rejects.toMatchObject({ name: 'NodeError', kind: 'rejected' });
    expect((readOnly as unknown as { lock: FolderLock }).lock.isHeld).toBe(false);
    await readOnly.close();
  });

  it('that is read-only and has lost the lock file is rejected', async () => {
    if (refused !== undefined) {
      skip(refused);
      return;
    }
    await small.node.close();
    await rm(join(small.options.directory, 'node.lock'));
    execFileSync('mount', ['-o', 'remount,ro', place]);
    const readOnly = new FolderStorageNode(small.options);
    await expect(readOnly.probe(never())).rejects.toMatchObject({ name: 'NodeError', kind: 'rejected' });
    await readOnly.close();
  });

  it('that is unmounted is unavailable, and its mount point is not filled', async () => {
    if (refused !== undefined) {
      skip(refused);
      return;
    }

    execFileSync('umount', ['-l', place]);
    await expect(small.node.probe(never())).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(small.node.put(batchOf([someShard()]), never())).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await readdir(place)).toEqual([]);
    expect(tryMount(place)).toBeUndefined(); // for the cleaning up, and as a disk that was swapped
    await expect(small.node.put(batchOf([someShard()]), never())).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await readdir(place)).toEqual([]);
  });
});

function pathOf(shard: ShardId): string {
  const place = shardPlace(shard);
  return join(place.directory, place.name);
}

function fileOf(shard: ShardId): string {
  return join(directory, pathOf(shard));
}

async function tempsUnder(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true })).filter((name) => name.endsWith('.temp'));
}

async function fillUp(full: FolderStorageNode): Promise<void> {
  for (const size of [100_000, 4096, 1]) {
    for (let count = 0; count < 300; count += 1) {
      const failure: unknown = await full.put(batchOf([someShard({ size })]), never()).catch((error: unknown) => error);
      if (failure !== undefined && size === 1) throw failure as NodeError;
      if (failure !== undefined) break;
    }
  }
}

/** Mounts a file system of 1 MiB; returns why not. */
function tryMount(path: string): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function skip(reason: string): void {
  process.stderr.write(`skipped "${expect.getState().currentTestName ?? ''}": mounting needs root on Linux (${reason.trim()})\n`);
}

/** A process that does nothing but hold a lock as `ProcessLock` does. */
async function holdLock(path: string): Promise<ChildProcess> {
  const script = `
    const { DatabaseSync } = require('node:sqlite');
    const database = new DatabaseSync(process.argv[1]);
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    process.stdout.write('held');
    setInterval(() => database.isOpen, 1000);`;
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'readable');
  expect(String(child.stdout.read())).toBe('held');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
