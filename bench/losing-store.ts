import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PeerCluster } from '../test/support/peer-cluster.ts';
import { atExit } from './kit/at-exit.ts';
import { fill } from './kit/servers.ts';
import { MiB } from './kit/sizes.ts';
import { put } from './requests.ts';
import { cpuSeconds, peakMiB, startProduct } from './subject.ts';

const NODES = 4;
const LOST = 4;
const FILE_BYTES = 4 * MiB;
/** Files of a folder that are copied at once, as many as a repair has on its way. */
const COPIES = 8;
const REPAIR_MS_MAX = 600_000;

/** A store that loses a node. */
export interface LosingStore {
  readonly port: number;
  /** The folder of the node that is lost. */
  readonly folder: string;
  /** Where there is room on the same disk. */
  readonly directory: string;
  readonly lose: () => Promise<void>;
  /** Seconds of processor time of all processes that are left. */
  readonly cpuSeconds: () => number;
  /** Highest resident memory of the gateway, in MiB. */
  readonly peakMiB: () => number;
  readonly end: () => Promise<void>;
}

/** A repair as the API tells of it. */
export interface Repair {
  readonly state: string;
  readonly done: { readonly bytes: number; readonly versions: number };
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

const CONFIG = {
  redundancy_count: 1,
  repair_after: 0,
  log_level: 'error',
  limits: { repair_bytes_per_second: 0, small_cache_bytes: 0 },
};

/** The nodes are folders of one process. */
export async function losingFolders(base: string): Promise<LosingStore> {
  const { storage, ...product } = await startProduct(base, { ...CONFIG, node_count: NODES });
  const folder = join(storage, `node_${LOST}`);
  return { ...product, folder, directory: storage, lose: () => rename(folder, `${folder}-away`) };
}

/** The nodes are processes, and the lost one is killed. */
export async function losingPeers(base: string): Promise<LosingStore> {
  const directory = await mkdtemp(join(base, 'dcloud-bench-'));
  const cluster = await PeerCluster.start({ nodes: NODES, redundancy: 1, config: CONFIG, directory });
  const all = Array.from({ length: NODES }, (_, at) => cluster.process(at + 1));
  const forget = atExit({
    pids: () =>
      all.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null).map(({ pid }) => pid as number),
    directory,
  });
  const left = Array.from({ length: NODES }, (_, at) => at + 1).filter((i) => i !== LOST);
  return {
    port: Number(new URL(cluster.url(1)).port),
    folder: cluster.nodeFolder(LOST),
    directory,
    lose: () => cluster.kill(LOST),
    cpuSeconds: () => left.reduce((sum, i) => sum + cpuSeconds(cluster.process(i).pid as number), 0),
    peakMiB: () => peakMiB(cluster.process(1).pid as number),
    end: async () => {
      await cluster.remove();
      await rm(directory, { recursive: true, force: true });
      forget();
    },
  };
}

/** Stores files of 4 MiB until each node has so many bytes. */
export async function fillNodes({ port }: LosingStore, bytes: number): Promise<void> {
  const operations = Math.ceil((bytes * NODES) / 2 / FILE_BYTES);
  await fill({ port }, { clients: 4, operations }, () => put(randomBytes(FILE_BYTES)));
}

/**
 * Copies what lies on the node that will be lost, each file synced; once. Returns bytes and seconds. The copy goes with the store: a file system
 * that has just removed so much is busy with it for a while, and what follows would be measured with it.
 */
export function plainCopyOf({ folder, directory }: LosingStore): Promise<{ bytes: number; seconds: number }> {
  return plainCopy(join(folder, 'shards'), join(directory, 'plain-copy'));
}

async function plainCopy(from: string, to: string): Promise<{ bytes: number; seconds: number }> {
  await mkdir(to, { recursive: true });
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const began = performance.now();
  let [next, bytes] = [0, 0];
  const copyNext = async (): Promise<void> => {
    while (next < files.length) {
      const at = next++;
      const entry = files[at];
      if (entry === undefined) return;
      const content = await readFile(join(entry.parentPath, entry.name));
      const target = await open(join(to, String(at)), 'w');
      await target.write(content);
      await target.datasync();
      await target.close();
      bytes += content.length;
    }
  };
  await Promise.all(Array.from({ length: COPIES }, copyNext));
  return { bytes, seconds: (performance.now() - began) / 1000 };
}

export async function repairOf(port: number): Promise<Repair> {
  return (await (await fetch(`http://127.0.0.1:${port}/repair`)).json()) as Repair;
}

/** Resolves when a repair has run that began after `before` was looked at; `noteBegin` is called when it begins. */
export async function repaired(port: number, before: Repair, noteBegin: () => void): Promise<void> {
  const deadline = performance.now() + REPAIR_MS_MAX;
  for (let hasBegun = false; performance.now() < deadline;) {
    const { state, startedAt } = await repairOf(port);
    // What requests feel of the loss of the node itself, until it is known to be down, is not what they feel of the repair.
    const isOfThis = startedAt !== before.startedAt;
    if (!hasBegun && isOfThis) noteBegin();
    hasBegun ||= isOfThis;
    if (hasBegun && state !== 'running') return;
    await sleep(50);
  }
  throw new Error(`nothing was repaired within ${REPAIR_MS_MAX} ms`);
}
