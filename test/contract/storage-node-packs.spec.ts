import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, readdir, rename, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FolderStorageNode, type FolderStorageNodeOptions } from '../../src/nodes/folder/folder.storage-node.js';
import type { Slots } from '../../src/nodes/folder/slots.js';
import { NodeError, type Shard } from '../../src/nodes/storage-node.js';
import { FailingFiles, type FileFault } from '../support/failing-files.js';
import { kindOf } from '../support/storage-node.contract.js';
import { LAZY_LIMITS, makeFolderNode, type FolderFixture } from '../support/storage-node.folder.js';
import {
  batchOf,
  headOf,
  keyOf,
  listedHeads,
  listedKeys,
  never,
  randomOf,
  someRecord,
  someShard,
  someShards,
} from '../support/storage-node.shards.js';

let fixture: FolderFixture;
let node: FolderStorageNode;
let options: FolderStorageNodeOptions;
let files: FailingFiles;
let packs: string;

beforeEach(async () => {
  files = new FailingFiles();
  fixture = await makeFolderNode(undefined, { packBelow: 65_536, files });
  ({ node, options } = fixture);
  packs = join(options.directory, 'packs');
});

afterEach(async () => {
  files.mend();
  await node.close();
  await fixture.dispose();
});

async function reopen(part: Partial<FolderStorageNodeOptions> = {}): Promise<void> {
  await node.close();
  node = new FolderStorageNode({ ...options, ...part });
  await node.open(never());
}

async function crashAndReopen(): Promise<void> {
  await node.close();
  for (const name of await readdir(packs)) if (name.endsWith('.index')) await unlink(join(packs, name));
  node = new FolderStorageNode(options);
  await node.open(never());
}

async function packFile(position = 0): Promise<string> {
  const names = (await readdir(packs)).filter((name) => name.endsWith('.pack')).toSorted();
  return join(packs, names.at(position)!);
}

async function kindsOf(shards: readonly Shard[]): Promise<string[]> {
  const answers = await node.get(shards, never());
  for (const [at, answer] of answers.entries())
    if (!(answer instanceof NodeError)) expect(Buffer.compare(answer, shards[at]!.bytes)).toBe(0);
  return answers.map(kindOf);
}

describe('A node whose packs were damaged', () => {
  const shards = someShards(6, 100);
  const records = [someRecord({ id: shards[0]!.versionId, revision: 5 }), someRecord({ revision: 6 })];

  beforeEach(() => node.put(batchOf(shards, records), never()));

  it('gives no wrong byte and loses one entry at most for a flipped bit, with and without the sidecar', async () => {
    await node.close();
    const path = await packFile();
    const [whole, index] = [await readFile(path), await readFile(path.replace('.pack', '.index'))];
    const random = randomOf(1);
    const places = [...Array(130).keys(), ...Array.from({ length: 60 }, () => Math.floor(random() * whole.length))];
    for (const at of places) {
      for (const sidecar of [index, undefined]) {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= 1 << (at % 8);
        await writeFile(path, damaged);
        if (sidecar === undefined) await rm(path.replace('.pack', '.index'), { force: true });
        else await writeFile(path.replace('.pack', '.index'), sidecar);
        node = new FolderStorageNode({ ...options, readOnly: true });
        const kinds = await kindsOf(shards);
        const answers = await node.getRecords(records, never());
        const lost = [...kinds, ...answers.map((answer) => (answer instanceof NodeError ? answer.kind : 'bytes'))].filter(
          (kind) => kind !== 'bytes',
        );
        // A shard and the manifest that it rides in are one entry.
        expect([at, lost.length <= (answers[0] instanceof NodeError ? 2 : 1)]).toEqual([at, true]);
        await node.close();
      }
    }
  });

  it('reads the pack when its sidecar is damaged, anywhere', async () => {
    await node.close();
    const path = (await packFile()).replace('.pack', '.index');
    const whole = await readFile(path);
    for (const at of [0, 4, 8, 12, 16, 20, 31, 40, 100, whole.length - 1]) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 4;
      await writeFile(path, damaged);
      node = new FolderStorageNode({ ...options, readOnly: true });
      expect(await kindsOf(shards)).toEqual(Array(6).fill('bytes'));
      expect((await node.packStats(never())).scannedPacks).toBe(1);
      await node.close();
    }
  });

  it('uses the entries of a pack whose header is damaged, and says so', async () => {
    await node.close();
    const path = await packFile();
    const damaged = await readFile(path);
    damaged.fill(0, 0, 64);
    await writeFile(path, damaged);
    await crashAndReopen();
    expect(await kindsOf(shards)).toEqual(Array(6).fill('bytes'));
    expect((await node.packStats(never())).damagedHeaders).toEqual([1]);
    expect((await node.probe(never())).newestRevision).toBe(6);
  });

  it('takes a torn end for nothing, and never appends to that pack', async () => {
    const before = (await stat(await packFile())).size;
    const late = someShard({ size: 300 });
    await node.put(batchOf([late]), never());
    await node.close();
    const path = await packFile();
    for (const size of [before + 1, before + 59, before + 60, before + 359]) {
      await truncate(path, size);
      await crashAndReopen();
      expect([size, ...(await kindsOf([...shards, late]))]).toEqual([size, ...times(6, 'bytes'), 'not-found']);
      expect(await listedKeys(node)).toHaveLength(6);
    }
    await node.put(batchOf([late]), never());
    expect((await stat(path)).size).toBe(before + 359);
    await crashAndReopen();
    expect(await kindsOf([...shards, late])).toEqual(Array(7).fill('bytes'));
  });

  it('keeps the older copy when a second put of the same shard was torn', async () => {
    await node.put(batchOf([shards[1]!]), never());
    await node.close();
    const path = await packFile();
    const torn = await readFile(path);
    torn.fill(0, torn.length - 50);
    await writeFile(path, torn);
    await crashAndReopen();
    expect(await kindsOf(shards)).toEqual(Array(6).fill('bytes'));
  });

  it('does not believe an entry that lies within the payload of a damaged one', async () => {
    const victim = shards[2]!;
    const entry = (await readFile(await packFile())).subarray(64);
    await node.delete([victim], never());
    await node.close();
    node = new FolderStorageNode(options);
    await node.put(batchOf([someShard({ bytes: new Uint8Array(entry) })]), never());
    await node.close();
    const path = await packFile(-1);
    const damaged = await readFile(path);
    damaged[64] = 0;
    await writeFile(path, damaged);
    await crashAndReopen();
    expect(await kindsOf([victim, shards[3]!])).toEqual(['not-found', 'bytes']);
    expect(await listedKeys(node)).toHaveLength(5);
  });

  it.each(['of another node', 'under another name', 'of a newer program'])(
    'is rejected and left alone for a pack %s',
    async (which) => {
      await node.close();
      const path = await packFile();
      const next = join(packs, '00000007.pack');
      if (which === 'under another name') await cp(path, next);
      else if (which === 'of another node') {
        const other = await makeFolderNode();
        await other.node.put(batchOf([], [someRecord()]), never());
        await other.node.close();
        await cp(join(other.options.directory, 'packs', '00000001.pack'), next);
        await other.dispose();
      } else {
        const { crc32 } = await import('node:zlib');
        const header = Buffer.from((await readFile(path)).subarray(0, 64));
        header[4] = 2;
        header.writeUInt32BE(crc32(header.subarray(0, 60)), 60);
        await writeFile(next, header);
      }
      const before = (await readdir(packs)).toSorted();
      node = new FolderStorageNode(options);
      await expect(node.open(never())).rejects.toMatchObject({ name: 'NodeError', kind: 'rejected' });
      await expect(node.put(batchOf([someShard()]), never())).rejects.toMatchObject({ kind: 'rejected' });
      await expect(node.get(shards, never())).rejects.toMatchObject({ kind: 'rejected' });
      expect((await readdir(packs)).toSorted()).toEqual(before);
      await rm(next);
      expect(await kindsOf(shards)).toEqual(Array(6).fill('bytes'));
    },
  );
});

describe('A folder with packs that', () => {
  const shards = someShards(4);

  beforeEach(() => node.put(batchOf(shards), never()));

  it('vanished refuses what is put and is not made anew', async () => {
    await rm(options.directory, { recursive: true });
    await expect(node.put(batchOf([someShard()]), never())).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(node.probe(never())).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(node.get(shards, never())).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(node.getRecords([someRecord()], never())).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(node.delete(shards, never())).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(stat(options.directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('was replaced by an empty one is rejected and is not filled', async () => {
    await rm(options.directory, { recursive: true });
    await mkdir(options.directory);
    await expect(node.put(batchOf([someShard()], [someRecord()]), never())).rejects.toMatchObject({ kind: 'rejected' });
    await expect(node.get(shards, never())).rejects.toMatchObject({ kind: 'rejected' });
    await expect(node.forget([someRecord()], never())).rejects.toMatchObject({ kind: 'rejected' });
    await expect(listedHeads(node)).rejects.toMatchObject({ kind: 'rejected' });
    await node.close();
    expect(await readdir(options.directory)).toEqual([]);
  });

  it('was restored from an older copy is taken in anew', async () => {
    await cp(options.directory, `${options.directory}-copy`, { recursive: true });
    const late = someShard();
    await node.put(batchOf([late]), never());
    await rm(options.directory, { recursive: true });
    await rename(`${options.directory}-copy`, options.directory);
    await expect(node.put(batchOf([someShard()]), never())).rejects.toMatchObject({ kind: 'unavailable' });
    await node.probe(never());
    expect(await kindsOf([...shards, late])).toEqual([...times(4, 'bytes'), 'not-found']);
    await node.put(batchOf([late]), never());
    await crashAndReopen();
    expect(await kindsOf([...shards, late])).toEqual(Array(5).fill('bytes'));
  });

  it('is renamed away and back works on', async () => {
    await rename(options.directory, `${options.directory}-away`);
    await expect(node.put(batchOf([someShard()]), never())).rejects.toMatchObject({ kind: 'unavailable' });
    await rename(`${options.directory}-away`, options.directory);
    await node.put(batchOf([someShard()]), never());
    expect(await kindsOf(shards)).toEqual(Array(4).fill('bytes'));
  });

  it('is of format 1 is rejected with a reason', async () => {
    const path = join(options.directory, 'node.json');
    await node.close();
    await writeFile(path, (await readFile(path, 'utf8')).replace('"format": 2', '"format": 1'));
    node = new FolderStorageNode(options);
    await expect(node.open(never())).rejects.toThrow(/rejected.*format 1/);
  });

  it('has lost its packs directory is rejected by a probe', async () => {
    await rm(packs, { recursive: true });
    await expect(node.probe(never())).rejects.toMatchObject({ name: 'NodeError' });
    await expect(node.put(batchOf([someShard()]), never())).rejects.toMatchObject({ name: 'NodeError' });
  });

  it('has packs but no identity is not made a new node', async () => {
    await node.close();
    await rm(join(options.directory, 'node.json'));
    await expect(FolderStorageNode.create(options, never())).rejects.toMatchObject({ kind: 'rejected' });
  });

  it('was opened for reading only changes nothing on the disk', async () => {
    await node.delete([shards[0]!], never());
    await crashAndReopen();
    await node.close();
    for (const name of await readdir(packs)) if (name.endsWith('.index')) await unlink(join(packs, name));
    await writeFile(join(packs, '00000009.index.temp'), 'left');
    const before = await treeOf(options.directory);
    node = new FolderStorageNode({
      ...options,
      readOnly: true,
      limits: { ...LAZY_LIMITS, compact_dead_percent: 1, compact_rest_ms: 20 },
    });
    await node.open(never());
    expect(await kindsOf(shards)).toEqual(['not-found', 'bytes', 'bytes', 'bytes']);
    expect(await listedKeys(node)).toHaveLength(3);
    await node.probe(never());
    const rejected = { name: 'NodeError', kind: 'rejected' };
    await expect(node.put(batchOf(shards), never())).rejects.toMatchObject(rejected);
    await expect(node.delete(shards, never())).rejects.toMatchObject(rejected);
    await expect(node.forget([someRecord()], never())).rejects.toMatchObject(rejected);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const second = new FolderStorageNode(options);
    await expect(second.open(never())).rejects.toMatchObject({ code: 'storage-locked' });
    await second.close();
    await node.close();
    expect(await treeOf(options.directory)).toEqual(before);
  });

  it('a walk gives others their turns, whoever takes what it lists', async () => {
    await node.put(batchOf(someShards(2000, 10)), never());
    let [isOver, turns] = [false, 0];
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    const walk = node.list(never());
    await walk.next();
    setImmediate(count);
    for (let taken = 1; taken < 2000; taken += 1) await walk.next();
    isOver = true;
    expect(turns).toBeGreaterThan(10);
    await walk.return(undefined);
  });

  it('packs another size than it did finds, lists once and deletes what lies in both places', async () => {
    const shard = someShard({ size: 2000 });
    await node.put(batchOf([shard]), never());
    await reopen({ packBelow: 1000 });
    await node.put(batchOf([shard]), never());
    await reopen();
    expect((await listedKeys(node)).filter((key) => key === keyOf(shard))).toHaveLength(1);
    await node.delete([shard], never());
    expect(await kindsOf([shard])).toEqual(['not-found']);
    await crashAndReopen();
    expect(await kindsOf([shard, ...shards])).toEqual(['not-found', ...times(4, 'bytes')]);
  });
});

describe('Bad disks:', () => {
  const faults: FileFault[] = [
    ...['ENOSPC', 'EIO', 'EROFS', 'EMFILE'].map((code) => ({ on: 'open' as const, path: /pack$/, code })),
    ...['ENOSPC', 'EIO', 'EROFS'].map((code) => ({ on: 'write' as const, path: /pack$/, code })),
    ...['ENOSPC', 'EIO'].map((code) => ({ on: 'fdatasync' as const, code })),
    { on: 'open', path: /packs$/, code: 'EMFILE' },
    { on: 'fsync', path: /packs$/, code: 'EIO' },
  ];

  it.each(faults.flatMap((fault) => [0, 1, 3].map((after) => ({ ...fault, after }))))(
    'an acknowledged put survives $code at $on after $after, and what fails is told with its kind',
    async (fault) => {
      // Every other put begins a new pack, so that each call comes up.
      await reopen({ limits: { ...LAZY_LIMITS, pack_bytes_max: 700 } });
      files.inject({ ...fault, times: 2 });
      const kept: Shard[] = [];
      for (const shard of someShards(10, 200)) {
        const failure: unknown = await node.put(batchOf([shard], [someRecord()]), never()).catch((error: unknown) => error);
        if (failure === undefined) kept.push(shard);
        else
          expect(failure).toMatchObject({
            name: 'NodeError',
            kind: { ENOSPC: 'full', EROFS: 'rejected' }[fault.code] ?? 'unavailable',
          });
      }
      expect(kept.length).toBeGreaterThanOrEqual(8);
      expect(await kindsOf(kept)).toEqual(kept.map(() => 'bytes'));
      const [gone, ...rest] = kept;
      await node.delete([gone!], never());
      files.mend();
      await crashAndReopen();
      expect(await kindsOf(kept)).toEqual(['not-found', ...rest.map(() => 'bytes')]);
    },
  );

  it('what failed half-way does not come back after it was deleted', async () => {
    const shard = someShard();
    files.inject({ on: 'fdatasync', code: 'EIO', times: 1 });
    await node.put(batchOf([someShard()]), never()).catch(() => undefined);
    await node.put(batchOf([someShard()]), never());
    files.inject({ on: 'fdatasync', code: 'EIO', times: 1 });
    await expect(node.put(batchOf([shard], [someRecord({ id: shard.versionId })]), never())).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await node.delete([shard], never());
    await node.forget([someRecord({ id: shard.versionId })], never());
    await crashAndReopen();
    expect(await kindsOf([shard])).toEqual(['not-found']);
    expect(await listedHeads(node)).toEqual([]);
  });

  it('what failed half-way is listed like all that the next opening finds', async () => {
    const record = someRecord();
    await node.put(batchOf([someShard()]), never());
    files.inject({ on: 'fdatasync', code: 'EIO', times: 1 });
    await expect(node.put(batchOf([], [record]), never())).rejects.toMatchObject({ kind: 'unavailable' });
    const [shards, heads] = [await listedKeys(node), await listedHeads(node)];
    expect(heads).toEqual([headOf(record)]); // the bytes came to the disk, and nobody has said that they are unwanted
    await crashAndReopen();
    expect([await listedKeys(node), await listedHeads(node)]).toEqual([shards, heads]);
  });

  it('a walk says why it ended when another one had the packs taken in anew', async () => {
    await node.put(batchOf(someShards(3, 100)), never());
    const walk = node.list(never());
    await walk.next();
    files.inject({ on: 'fdatasync', code: 'EIO', times: 1 });
    await node.put(batchOf([someShard()]), never()).catch(() => undefined);
    await listedKeys(node);
    await expect(Array.fromAsync(walk)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('packs were taken in anew'),
    });
  });

  it.each([
    ['header', (size: number) => size - 11 * 24 - 1],
    ['key', (size: number) => size - 1],
  ])('a compaction keeps the pack of a removal of which the %s is damaged', async (_, damagedAt) => {
    const [gone, ...kept] = someShards(50, 100); // so few of them are dead that their own pack stays
    await node.put(batchOf([gone!, ...kept]), never());
    await reopen();
    const dead = someShards(10, 500);
    await node.put(batchOf(dead), never());
    await node.delete([...dead, gone!], never());
    await reopen();
    await node.put(batchOf([someShard()]), never());
    await reopen();
    const path = await packFile(1);
    const bytes = await readFile(path);
    bytes[damagedAt(bytes.length)]! ^= 1;
    await writeFile(path, bytes);
    await reopen();
    await node.compact(never());
    await reopen();
    expect(await kindsOf([gone!, ...kept])).toEqual(['not-found', ...times(49, 'bytes')]);
  });

  it('a compaction that fails leaves everything where it was', async () => {
    for (const code of ['ENOSPC', 'EIO']) {
      for (const on of ['write', 'fdatasync', 'unlink', 'fsync'] as const) {
        const shards = someShards(20, 500);
        await node.put(batchOf(shards), never());
        await node.delete(shards.slice(0, 15), never());
        await reopen();
        files.inject({ on, code, path: /pack/ });
        await node.compact(never());
        files.mend();
        expect(await kindsOf(shards)).toEqual([...times(15, 'not-found'), ...times(5, 'bytes')]);
        await crashAndReopen();
        expect(await kindsOf(shards)).toEqual([...times(15, 'not-found'), ...times(5, 'bytes')]);
      }
    }
  });

  it('a disk that is truly full still deletes', async () => {
    const place = join(dirname(options.directory), 'small');
    await mkdir(place);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', place], { stdio: 'pipe' });
    } catch (error) {
      process.stderr.write(`skipped: mounting needs root on Linux (${(error as Error).message.trim()})\n`);
      return;
    }
    try {
      const small = await makeFolderNode(place, { packBelow: 65_536 });
      await small.node.probe(never());
      const stored = someShards(16, 20_000);
      await small.node.put(batchOf(stored), never());
      for (const size of [60_000, 4000, 1]) await fillUp(small.node, size);
      execFileSync('sh', ['-c', `dd if=/dev/zero of=${place}/rest bs=4096 2>/dev/null || true`]);
      await expect(small.node.put(batchOf([someShard()]), never())).rejects.toMatchObject({ kind: 'full' });
      await small.node.delete(stored, never());
      expect((await small.node.get(stored, never())).map(kindOf)).toEqual(stored.map(() => 'not-found'));
      await small.node.close();
    } finally {
      execFileSync('umount', ['-l', place]);
    }
  });
});

describe('Compaction', () => {
  it('wins back the space of what was removed, keeps the rest, and nothing rises from the dead', async () => {
    await reopen({ limits: { ...LAZY_LIMITS, pack_bytes_max: 30_000 } });
    const shards = someShards(300, 1000);
    const records = shards.map(({ versionId }, at) => someRecord({ id: versionId, revision: at + 1 }));
    for (let from = 0; from < 300; from += 20)
      await node.put(batchOf(shards.slice(from, from + 20), records.slice(from, from + 20)), never());
    const gone = shards.filter((_, at) => at % 5 !== 0);
    await node.delete(gone, never());
    await node.forget(records.slice(100), never());
    const before = await node.packStats(never());
    await node.compact(never());
    const after = await node.packStats(never());
    expect(after.bytes).toBeLessThan(before.bytes / 3);
    const expected = shards.map((_, at) => (at % 5 === 0 ? 'bytes' : 'not-found'));
    for (const restart of [async () => undefined, () => reopen(), crashAndReopen]) {
      await restart();
      expect(await kindsOf(shards)).toEqual(expected);
      expect(await listedHeads(node)).toEqual(records.slice(0, 100).map(headOf).toSorted());
      expect((await node.probe(never())).newestRevision).toBe(300);
    }
  });

  it('keeps a removal as long as an older pack holds what it removed, and drops it when none does', async () => {
    const limits = { ...LAZY_LIMITS, pack_bytes_max: 20_000, compact_rest_dead_percent: 50 };
    await reopen({ limits });
    const [old, dead] = [someShards(10, 1000), someShards(10, 1000)];
    const records = old.map(({ versionId }) => someRecord({ id: versionId, kind: 'layout', page: 1 }));
    await node.put(batchOf(old, records), never());
    await reopen({ limits });
    await node.delete([old[0]!], never());
    await node.forget([records[0]!], never());
    await node.put(batchOf(dead), never());
    await reopen({ limits });
    await node.delete(dead, never());
    await node.compact(never());
    const packsLeft = (await readdir(packs)).filter((name) => name.endsWith('.pack')).toSorted();
    expect(packsLeft).toContain('00000001.pack');
    expect(packsLeft).not.toContain('00000002.pack');
    await crashAndReopen();
    expect(await kindsOf([...old, ...dead])).toEqual(['not-found', ...times(9, 'bytes'), ...times(10, 'not-found')]);
    expect(await listedHeads(node)).toHaveLength(9);
    await reopen({ limits: { ...limits, compact_rest_dead_percent: 0 } });
    for (let round = 0; round < 3; round += 1) await node.compact(never());
    await crashAndReopen();
    expect((await node.packStats(never())).removalBytes).toBeLessThan(200);
    expect(await kindsOf([...old, ...dead])).toEqual(['not-found', ...times(9, 'bytes'), ...times(10, 'not-found')]);
  });

  it('is not noticed by a reader whose pack is unlinked before it comes to open it', async () => {
    const shards = someShards(10, 1000);
    await node.put(batchOf(shards), never());
    await reopen();
    await node.delete(shards.slice(5), never());
    const gate = Promise.withResolvers<undefined>();
    const { slots } = node as unknown as { slots: Slots };
    const busy = Array.from({ length: 8 }, () => slots.run(() => gate.promise, never()));
    const reading = node.get(shards.slice(0, 5), never());
    await node.compact(never()).finally(() => gate.resolve(undefined));
    expect((await readdir(packs)).filter((name) => name.endsWith('.pack'))).toEqual(['00000002.pack']);
    await Promise.all(busy);
    for (const [at, answer] of (await reading).entries()) expect(Buffer.compare(answer as Uint8Array, shards[at]!.bytes)).toBe(0);
  });

  it('merges the packs that restarts leave', async () => {
    const shards = someShards(30, 100);
    for (const shard of shards) {
      await node.put(batchOf([shard]), never());
      await reopen();
    }
    await node.compact(never());
    expect((await node.packStats(never())).packs).toBeLessThan(4);
    expect(await kindsOf(shards)).toEqual(Array(30).fill('bytes'));
    await reopen();
    expect(await kindsOf(shards)).toEqual(Array(30).fill('bytes'));
  });

  it('goes on under readers, who never miss a shard', async () => {
    await reopen({
      limits: {
        ...LAZY_LIMITS,
        pack_bytes_max: 20_000,
        compact_dead_percent: 10,
        compact_rest_dead_percent: 5,
        compact_rest_ms: 40,
      },
    });
    const kept = someShards(50, 500);
    await node.put(batchOf(kept), never());
    const until = performance.now() + 1500;
    const churn = async (): Promise<void> => {
      while (performance.now() < until) {
        const others = someShards(20, 500);
        await node.put(batchOf([...others, kept[Math.floor(Math.random() * 50)]!]), never());
        await node.delete(others, never());
      }
    };
    const read = async (): Promise<void> => {
      while (performance.now() < until) expect(await kindsOf(kept)).toEqual(kept.map(() => 'bytes'));
    };
    const list = async (): Promise<void> => {
      while (performance.now() < until) {
        const keys = await listedKeys(node);
        expect(new Set(keys).size).toBe(keys.length);
        expect(kept.map(keyOf).filter((key) => !keys.includes(key))).toEqual([]);
      }
    };
    await Promise.all([churn(), read(), read(), list()]);
    expect((await node.packStats(never())).packs).toBeLessThan(30);
    await crashAndReopen();
    expect(await kindsOf(kept)).toEqual(kept.map(() => 'bytes'));
  });
});

async function fillUp(full: FolderStorageNode, size: number): Promise<void> {
  for (let count = 0; count < 4000; count += 1) {
    const isFull = await full.put(batchOf([someShard({ size })]), never()).then(
      () => false,
      () => true,
    );
    if (isFull) return;
  }
}

function times(count: number, kind: string): string[] {
  return Array.from({ length: count }, () => kind);
}

async function treeOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true });
  const lines = await Promise.all(
    entries.map(async (name) => {
      const { size, mtimeMs, ino } = await stat(join(directory, name));
      return name === 'probe.temp'
        ? ''
        : `${name} ${ino} ${name.includes('.') ? `${size} ${name === 'node.lock' ? '' : mtimeMs}` : ''}`;
    }),
  );
  return lines.toSorted();
}
