import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { ClusterId, NodeId, VersionId } from '../src/common/ids.ts';
import type { FolderStorageNode as Driver } from '../src/nodes/folder/folder.storage-node.ts';
import type { Shard } from '../src/nodes/storage-node.ts';

/*
 * What packs cost and give: the time to open a node of a million packed shards, the memory of each, and the speed of batches of small
 * shards on the driver itself. Run by hand after a build: `node --expose-gc bench/node-open.ts [shards]`.
 */
const dist = new URL('../dist/', import.meta.url);
const load = async (path: string): Promise<unknown> => import(new URL(path, dist).href);
const { newId } = (await load('common/ids.js')) as typeof import('../src/common/ids.ts');
const { LIMITS } = (await load('config/limits.js')) as typeof import('../src/config/limits.ts');
const { FolderStorageNode } = (await load(
  'nodes/folder/folder.storage-node.js',
)) as typeof import('../src/nodes/folder/folder.storage-node.ts');

const SHARD_BYTES = 1024;
const BATCH = 512;
const SHARDS_OF_VERSION = 65_536;
const AT_ONCE = 4;

type Figures = Readonly<Record<string, number>>;

async function main(count: number): Promise<Figures> {
  const parent = await mkdtemp(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'dcloud-bench-'));
  const options = {
    directory: join(parent, 'node_1'),
    number: 1,
    clusterId: newId<ClusterId>(),
    nodeId: newId<NodeId>(),
    bytesFreeMin: 0,
    packBelow: 65_536,
    limits: LIMITS,
  };
  try {
    const figures = await fill(await FolderStorageNode.create(options, never()), count);
    const withSidecars = openElsewhere(options);
    const packs = join(options.directory, 'packs');
    for (const name of await readdir(packs)) if (name.endsWith('.index')) await unlink(join(packs, name));
    const without = openElsewhere(options);
    return {
      ...figures,
      open_ms_with_sidecars: withSidecars.ms,
      open_ms_without_sidecars: without.ms,
      bytes_of_memory_per_shard: Math.round(withSidecars.bytes / count),
      rss_bytes_per_shard: Math.round(withSidecars.rss / count),
      longest_stall_ms: withSidecars.stallMs,
      list_per_second: withSidecars.listPerSecond,
    };
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

async function fill(node: Driver, count: number): Promise<Figures> {
  const batches = batchesOf(count);
  const cpu = process.cpuUsage();
  let begin = performance.now();
  await inParallel(batches, (shards) => node.put({ shards, records: [] }, never()));
  const putSeconds = (performance.now() - begin) / 1000;
  const putCpu = process.cpuUsage(cpu);
  const cpuAfterPut = process.cpuUsage();
  begin = performance.now();
  await inParallel(batches, async (shards) => {
    for (const answer of await node.get(shards, never())) if (!(answer instanceof Uint8Array)) throw answer;
  });
  const getSeconds = (performance.now() - begin) / 1000;
  const getCpu = process.cpuUsage(cpuAfterPut);
  await node.close();
  return {
    put_cpu_us_per_shard: round((putCpu.user + putCpu.system) / count),
    get_cpu_us_per_shard: round((getCpu.user + getCpu.system) / count),
    put_shards_per_second: Math.round(count / putSeconds),
    put_us_per_shard: round((1e6 * putSeconds) / count),
    get_shards_per_second: Math.round(count / getSeconds),
    get_us_per_shard: round((1e6 * getSeconds) / count),
  };
}

type Options = ConstructorParameters<typeof Driver>[0];
type Opened = Awaited<ReturnType<typeof openAndMeasure>>;

/** In a process of its own, so that nothing of what filled the node counts. */
function openElsewhere(options: Options): Opened {
  const args = ['--expose-gc', '--disable-warning=ExperimentalWarning', import.meta.filename, '--open', JSON.stringify(options)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Opened;
}

async function openAndMeasure(options: Options) {
  const before = memory();
  const node = new FolderStorageNode(options);
  const stalls = watchStalls();
  const begin = performance.now();
  await node.open(never());
  const ms = Math.round(performance.now() - begin);
  const stallMs = stalls();
  const after = memory();
  const listBegin = performance.now();
  let listed = 0;
  for await (const id of node.list(never())) listed += id.index >= 0 ? 1 : 0;
  const listPerSecond = Math.round(listed / ((performance.now() - listBegin) / 1000));
  await node.close();
  return { ms, bytes: after.used - before.used, rss: after.rss - before.rss, stallMs, listPerSecond };
}

/** The longest time for which the event loop was kept, in milliseconds, until it is called. */
function watchStalls(): () => number {
  let last = performance.now();
  let longest = 0;
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  return () => {
    clearInterval(timer);
    return round(longest);
  };
}

function memory(): { readonly used: number; readonly rss: number } {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers, external, rss } = process.memoryUsage();
  return { used: heapUsed + Math.max(external, arrayBuffers), rss };
}

function batchesOf(count: number): Shard[][] {
  const bytes = new Uint8Array(SHARD_BYTES).map((_, at) => (at * 7919) % 251);
  const checksum = crc32(bytes);
  const batches: Shard[][] = [];
  let versionId = newId<VersionId>();
  for (let from = 0; from < count; from += BATCH) {
    if (from % SHARDS_OF_VERSION === 0) versionId = newId<VersionId>();
    batches.push(
      Array.from({ length: Math.min(BATCH, count - from) }, (_, at) => ({
        versionId,
        stripe: (from % SHARDS_OF_VERSION) + at,
        index: 0,
        k: 1,
        m: 1,
        bytes,
        checksum,
      })),
    );
  }
  return batches;
}

async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function never(): AbortSignal {
  return new AbortController().signal;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

if (process.argv[2] === '--open') console.log(JSON.stringify(await openAndMeasure(JSON.parse(process.argv[3] ?? '') as Options)));
else console.log(JSON.stringify(await main(Number(process.argv[2] ?? 1_000_000)), null, 2));
