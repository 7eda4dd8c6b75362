import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { MetadataStore } from '../../src/metadata/metadata-store.ts';
import { PeerCluster } from '../../test/support/peer-cluster.ts';
import type { PostgresServer } from '../../test/support/postgres.ts';
import { type EngineName, fillIndex, withEngines } from '../filled-index.ts';
import { atExit } from '../kit/at-exit.ts';
import { fill } from '../kit/servers.ts';
import { KiB, MiB } from '../kit/sizes.ts';
import { runLoad } from '../load.ts';
import { losingPeers, repaired, repairOf } from '../losing-store.ts';
import { get, put } from '../requests.ts';
import { cpuSeconds, startProduct } from '../subject.ts';
import type { InputName } from './inputs.ts';

const NEVER = new AbortController().signal;

const SMALL_BYTES = 4 * KiB;
const LARGE_BYTES = 64 * MiB;
/** Of 1 MiB. */
const DELEGATED_FILES = 200;
const LARGE_FILES = 6;
const PIECE_BYTES = 2 * MiB;
const SMALL_FILES = 4000;
const NODES = 4;
const REDUNDANCY = 1;
const STRIPES = 16_384;
const FULL_PAGE = { stripes: STRIPES, k: 3, m: 1 };
const FULL_PAGE_BYTES = 8 + STRIPES * 4;
const FULL_PAGES = 300;
const ROOT = join(import.meta.dirname, '..', '..');

/** What was measured, under the name that it has among the inputs. */
export type Findings = Partial<Record<InputName, number>>;

export interface MeasurePlace {
  readonly directory: string;
  readonly database: PostgresServer;
  /** In each index. */
  readonly files: number;
}

/** Bytes of index for each file of one stripe, and for each byte of layout that a file has; and how long a walk over all files takes. */
export async function measureIndexes({ files, ...place }: MeasurePlace): Promise<Findings> {
  const found: Findings = {};
  const grown = async (filling: Parameters<typeof fillIndex>[1]): Promise<Map<EngineName, number>> => {
    const bytes = new Map<EngineName, number>();
    await withEngines(place, async (engines) => {
      for (const { name, store, bytesOnDisk } of engines) {
        const before = await bytesOnDisk();
        await fillIndex({ store }, filling);
        bytes.set(name, ((await bytesOnDisk()) - before) / filling.files);
        if (filling.layout === undefined) found[`${name}_walk_us_per_file`] = await walkMicroseconds(store);
      }
    });
    return bytes;
  };
  const [small, large] = [await grown({ files }), await grown({ files: FULL_PAGES, layout: FULL_PAGE })];
  for (const [name, bytes] of small) {
    found[`${name}_index_bytes_per_file`] = Math.round(bytes);
    found[`${name}_index_bytes_per_layout_byte`] = ((large.get(name) ?? NaN) - bytes) / FULL_PAGE_BYTES;
  }
  return found;
}

async function walkMicroseconds(store: MetadataStore): Promise<number> {
  const began = performance.now();
  let files = 0;
  for await (const { file } of store.files(NEVER)) files += file.size > 0 ? 1 : 0;
  return (1000 * (performance.now() - began)) / files;
}

/**
 * Processor time of the gateway's own process in a cluster of processes, of which the others take no part in it: the time of all cores that it
 * uses, for each request and for each MiB of a large body.
 */
export async function measureGateway(base: string): Promise<Findings> {
  const found: Findings = {};
  for (const scheme of ['replicate', 'erasure'] as const) {
    const directory = await mkdtemp(join(base, 'dcloud-bench-'));
    const config = { log_level: 'error', redundancy_scheme: scheme, limits: { small_cache_bytes: 0 } };
    const peers = await PeerCluster.start({ nodes: NODES, redundancy: REDUNDANCY, config, directory });
    const pids = Array.from({ length: NODES }, (_, at) => peers.process(at + 1).pid as number);
    const forget = atExit({ pids: () => pids, directory });
    try {
      const server = { port: Number(new URL(peers.url(1)).port) };
      const spent = async (work: () => Promise<unknown>): Promise<number> => {
        const before = cpuSeconds(pids[0] as number);
        await work();
        return 1000 * (cpuSeconds(pids[0] as number) - before);
      };
      const mebibytes = (LARGE_FILES * LARGE_BYTES) / MiB;
      const piece = randomBytes(PIECE_BYTES);
      const load = { clients: 2, operations: LARGE_FILES };
      let large: string[] = [];
      const putMs = await spent(async () => (large = await fill(server, load, () => put(piece, LARGE_BYTES / PIECE_BYTES))));
      const getMs = await spent(() => runLoad(server.port, load, (at) => get(large[at] ?? '')));
      found[`gateway_cpu_ms_per_mib_put_${scheme}`] = putMs / mebibytes;
      found[`gateway_cpu_ms_per_mib_get_${scheme}`] = getMs / mebibytes;
      if (scheme === 'erasure') continue;
      Object.assign(found, await measureTickets(peers, pids));
      const size = { clients: 64, operations: SMALL_FILES };
      const body = randomBytes(SMALL_BYTES);
      await fill(server, size, () => put(body)); // so that what is measured is warm
      let ids: string[] = [];
      found.gateway_cpu_ms_per_small_put =
        (await spent(async () => (ids = await fill(server, size, () => put(body))))) / SMALL_FILES;
      found.gateway_cpu_ms_per_small_get =
        (await spent(() => runLoad(server.port, size, (at) => get(ids[at] ?? '')))) / SMALL_FILES;
    } finally {
      await peers.remove();
      await rm(directory, { recursive: true, force: true });
      forget();
    }
  }
  return found;
}

/** What the gateway does for a body that a peer moves: its processor time less that of a process that has nothing of it but its node. */
async function measureTickets(peers: PeerCluster, pids: readonly number[]): Promise<Findings> {
  const server = { port: Number(new URL(peers.url(2)).port) };
  const load = { clients: 4, operations: DELEGATED_FILES };
  const each = async (work: () => Promise<unknown>): Promise<number> => {
    const [gateway, bystander] = [pids[0] as number, pids[2] as number];
    const before = cpuSeconds(gateway) - cpuSeconds(bystander);
    await work();
    return (1000 * (cpuSeconds(gateway) - cpuSeconds(bystander) - before)) / DELEGATED_FILES;
  };
  const body = randomBytes(MiB);
  let ids: string[] = [];
  const putAll = async (): Promise<void> => void (ids = await fill(server, load, () => put(body)));
  await putAll(); // so that what is measured is warm
  const putMs = await each(putAll);
  const getMs = await each(() => runLoad(server.port, load, (at) => get(ids[at] ?? '')));
  return { gateway_cpu_ms_per_delegated_put: putMs, gateway_cpu_ms_per_delegated_get: getMs };
}

/** Small files of a lost peer restored in a second, where their number counts and not their bytes. */
export async function measureSmallRepair(base: string): Promise<Findings> {
  const store = await losingPeers(base);
  try {
    const body = randomBytes(SMALL_BYTES);
    await fill(store, { clients: 64, operations: 2 * SMALL_FILES }, () => put(body));
    const before = await repairOf(store.port);
    await store.lose();
    await repaired(store.port, before, () => undefined);
    const { done, startedAt, endedAt } = await repairOf(store.port);
    const seconds = (Date.parse(endedAt ?? '') - Date.parse(startedAt ?? '')) / 1000;
    return { repair_versions_per_second: done.versions / seconds };
  } finally {
    await store.end();
  }
}

/** Records that `dcloud rebuild-index` takes in in a second, and what a small file takes on a node beside its body. */
export async function measureRebuild({ directory, database, files }: MeasurePlace): Promise<Findings> {
  const found: Findings = {};
  for (const name of ['embedded', 'postgres'] as const) {
    const metadata = name === 'embedded' ? {} : { driver: name, url: await database.createDatabase() };
    const server = await startProduct(directory, { metadata, node_count: NODES, redundancy_count: REDUNDANCY });
    try {
      const body = randomBytes(SMALL_BYTES);
      const count = Math.min(files, 5 * SMALL_FILES);
      await runLoad(server.port, { clients: 64, operations: count }, () => put(body));
      await server.stop();
      const copies = count * (REDUNDANCY + 1);
      if (name === 'embedded') found.node_bytes_beside_a_small_body = (await bytesOfPacks(server.storage)) / copies - SMALL_BYTES;
      const empty = rebuildSeconds(join(server.directory, 'config.json'), '--help');
      const whole = rebuildSeconds(join(server.directory, 'config.json'));
      found[`${name}_rebuild_records_per_second`] = copies / (whole - empty);
    } finally {
      await server.end();
    }
  }
  return found;
}

function rebuildSeconds(config: string, ...args: readonly string[]): number {
  const began = performance.now();
  execFileSync(process.execPath, [join(ROOT, 'bin', 'dcloud.mjs'), 'rebuild-index', '--config', config, ...args], {
    stdio: 'pipe',
  });
  return (performance.now() - began) / 1000;
}

async function bytesOfPacks(storage: string): Promise<number> {
  let bytes = 0;
  for (let node = 1; node <= NODES; node += 1) {
    const packs = join(storage, `node_${node}`, 'packs');
    for (const name of await readdir(packs)) if (name !== 'ballast') bytes += (await stat(join(packs, name))).size;
  }
  return bytes;
}
