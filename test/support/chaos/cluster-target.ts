import { mkdir, realpath, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestDisk } from '../disks.ts';
import { PeerCluster } from '../peer-cluster.ts';
import type { PostgresServer } from '../postgres.ts';
import { ChaosTarget, type Cost, type Deed, type DeedKind } from './chaos-target.ts';
import { ClusterLinks } from './cluster-links.ts';
import { type Plant, preloaded, setClock } from './preloads.ts';
import type { Random } from '../crash/random.ts';

const UP_MS_MAX = 30_000;
const WHOLE_MS_MAX = 120_000;
const TAKE_OVER_MS_MAX = 30_000;

export interface ClusterTargetOptions {
  readonly nodes: number;
  readonly redundancy: number;
  readonly directory: string;
  readonly random: Random;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly deeds?: Readonly<Partial<Record<DeedKind, number>>>;
  readonly plant?: Plant | undefined;
  /** Has the index, so that a peer takes over by itself when the gateway is gone; ended with the rest. Without it a person has to. */
  readonly database?: PostgresServer | undefined;
  /** Each node has a disk of its own, in memory, of so many megabytes; none where this machine allows no mounts. */
  readonly diskMegabytes?: number;
}

interface Parts {
  readonly cluster: PeerCluster;
  readonly links: ClusterLinks;
  readonly disks: ReadonlyMap<number, TestDisk>;
}

type Acts = Partial<Record<DeedKind, () => Promise<unknown>>>;

/** A cluster of real processes on loopback, with a proxy on each link between two of them. Clients go to the processes themselves. */
export class ClusterTarget extends ChaosTarget {
  /** The node of the process that has the index, where that only changes by a deed. */
  private holder = 1;
  private readonly options: ClusterTargetOptions;
  private readonly cluster: PeerCluster;
  private readonly links: ClusterLinks;
  /** By number; empty: the nodes lie on the disk of the others. */
  private readonly disks: ReadonlyMap<number, TestDisk>;
  private readonly told: number[];

  private constructor(options: ClusterTargetOptions, { cluster, links, disks }: Parts) {
    super();
    this.options = options;
    this.cluster = cluster;
    this.links = links;
    this.disks = disks;
    this.told = Array.from({ length: options.nodes }, () => 0);
  }

  static async start(options: ClusterTargetOptions): Promise<ClusterTarget> {
    const { nodes, redundancy, directory, random, plant, database } = options;
    const url = await database?.createDatabase();
    const config = { ...options.config, ...(url !== undefined && { takeover_after: 3, metadata: { driver: 'postgres', url } }) };
    const links = await ClusterLinks.open(nodes, random);
    const disks = await makeDisks(options);
    try {
      const cluster = await PeerCluster.start({
        nodes,
        redundancy,
        config,
        directory,
        environment: (node) => preloaded(clockOf(directory, node), plant),
        prepare: (node, folder) => onDisk(disks.get(node), folder),
        peersAs: (node, origin, asker) => links.origin({ asker, node }, origin),
      });
      return new ClusterTarget(options, { cluster, links, disks });
    } catch (error) {
      await links.close();
      for (const disk of disks.values()) await disk.remove();
      throw error;
    }
  }

  get gateway(): number {
    return this.options.database === undefined ? this.holder : 0;
  }

  get nodes(): number {
    return this.options.nodes;
  }

  get redundancy(): number {
    return this.options.redundancy;
  }

  get deeds(): Readonly<Partial<Record<DeedKind, number>>> {
    const fill = this.disks.size > 0 ? { fill: 2 } : {};
    const ofGateway = this.options.database === undefined ? { 'take-over': 1 } : { database: 3 };
    return this.options.deeds ?? { kill: 4, stop: 1, freeze: 4, cut: 6, skew: 1, ...ofGateway, ...fill };
  }

  urls(): readonly string[] {
    return this.numbers().map((node) => this.cluster.url(node));
  }

  urlsWithout(away: ReadonlySet<number>): readonly string[] {
    return this.numbers()
      .filter((node) => !away.has(node))
      .map((node) => this.cluster.url(node));
  }

  folders(): readonly string[] {
    return this.numbers().map((node) => this.cluster.nodeFolder(node));
  }

  cost({ kind }: Deed): Cost {
    if (kind === 'database') return 'none';
    // Whose clock is far off is not believed by the others.
    return kind === 'take-over' ? 'alone' : 'node';
  }

  async begin(deed: Deed): Promise<void> {
    const { cluster } = this;
    const { database } = this.options;
    const { node, fault = { isSilent: true } } = deed;
    const acts: Acts = {
      kill: () => cluster.kill(node),
      stop: () => cluster.stop(node),
      freeze: async () => cluster.freeze(node),
      cut: async () => this.links.spoil(node, { fault, direction: deed.direction, gateway: this.gateway || undefined }),
      skew: () => setClock(clockOf(this.options.directory, node), deed.offsetMs ?? 0),
      fill: async () => this.disks.get(node)?.fill(),
      empty: () => this.empty(node),
      database: async () => (deed.isFrozen === true ? database?.signal('SIGSTOP') : await database?.kill()),
      'take-over': () => this.takeOver(deed),
    };
    await act(acts, deed);
  }

  async end(deed: Deed): Promise<void> {
    const { node } = deed;
    const { database } = this.options;
    const back = async (): Promise<void> => {
      if (deed.isFrozen === true) await thaw();
      else if (deed.isEmptied === true) {
        await this.cluster.restart(node);
        await this.replace(node);
      } else await this.restart(node);
    };
    const thaw = async (): Promise<void> => {
      this.cluster.thaw(node);
      await this.untilUp(node);
    };
    const acts: Acts = {
      kill: () => this.restart(node),
      stop: () => this.restart(node),
      freeze: thaw,
      cut: async () => {
        this.links.heal(node);
        await this.untilUp(node);
      },
      skew: async () => {
        await setClock(clockOf(this.options.directory, node), 0);
        await this.untilUp(node);
      },
      fill: async () => {
        await this.disks.get(node)?.free();
        await this.untilUp(node);
      },
      empty: () => this.replace(node),
      database: async () => (deed.isFrozen === true ? database?.signal('SIGCONT') : await database?.run()),
      'take-over': back,
    };
    await act(acts, deed);
  }

  async untilWhole(): Promise<void> {
    for (const node of this.numbers()) await this.untilUp(node);
  }

  takeLogs(): string {
    return this.numbers()
      .map((node) => {
        const logs = this.cluster.logs(node).slice(this.told[node - 1]);
        this.told[node - 1] = (this.told[node - 1] ?? 0) + logs.length;
        return logs.replaceAll(/^/gm, `node ${node}: `);
      })
      .join('\n');
  }

  async remove(): Promise<void> {
    try {
      await this.cluster.remove();
    } finally {
      await this.links.close();
      for (const disk of this.disks.values()) await disk.remove();
      await this.options.database?.dispose();
    }
  }

  private numbers(): readonly number[] {
    return Array.from({ length: this.nodes }, (_, at) => at + 1);
  }

  private async restart(node: number): Promise<void> {
    await this.cluster.restart(node);
    await this.untilUp(node);
  }

  private untilUp(node: number): Promise<void> {
    return this.cluster.untilNode(node, 'up', UP_MS_MAX);
  }

  /** A disk that died: all that the node kept is gone. */
  private async empty(node: number): Promise<void> {
    const folder = this.cluster.nodeFolder(node);
    // Its process goes on, and may write something while it is removed.
    await rm(await realpath(folder), { recursive: true, maxRetries: 10 });
    await rm(folder, { force: true }); // the link to its disk, if it has one
  }

  /** An empty disk takes its place, at the word of the operator, and repair fills it. */
  private async replace(node: number): Promise<void> {
    const folder = this.cluster.nodeFolder(node);
    const disk = this.disks.get(node);
    if (disk === undefined) await mkdir(folder, { recursive: true });
    else await onDisk(disk, folder);
    const base = `${this.cluster.url(this.holder)}/nodes/${node}`;
    await until(`node ${node} is not replaced`, async () => (await fetch(`${base}/replace`, { method: 'POST' })).status === 202);
    await this.untilUp(node);
    const isWhole = async (): Promise<boolean> =>
      ((await (await fetch(base)).json()) as { readonly restoring?: unknown }).restoring === undefined;
    await until(`node ${node} is not restored`, isWhole);
  }

  /** As an operator does it: again, if it is refused because not all that is needed is there yet, and at last by force. */
  private async takeOver({ node, heir = 0, isFrozen, isEmptied }: Deed): Promise<void> {
    if (isFrozen === true) this.cluster.freeze(node);
    else await this.cluster.kill(node);
    if (isEmptied === true) {
      await this.empty(node);
      await rm(this.cluster.storage(node), { recursive: true });
      await mkdir(this.cluster.storage(node));
    }
    const deadline = Date.now() + TAKE_OVER_MS_MAX;
    for (;;) {
      try {
        await this.cluster.takeOver(heir);
        break;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await sleep(500);
      }
    }
    this.holder = heir;
  }
}

/** Asks until it is so; errors on the way count as not yet. */
async function until(otherwise: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WHOLE_MS_MAX;
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`${otherwise} after ${WHOLE_MS_MAX} ms`);
    await sleep(200);
  }
}

async function makeDisks({ nodes, diskMegabytes }: ClusterTargetOptions): Promise<ReadonlyMap<number, TestDisk>> {
  const disks = new Map<number, TestDisk>();
  for (let node = 1; node <= nodes && diskMegabytes !== undefined; node += 1) {
    const disk = await TestDisk.inMemory(diskMegabytes);
    if (disk === undefined) break;
    disks.set(node, disk);
  }
  return disks;
}

/** Has a node's folder lie on a disk, if there is one. */
async function onDisk(disk: TestDisk | undefined, folder: string): Promise<void> {
  if (disk === undefined) return;
  const place = join(disk.path, 'node');
  await mkdir(place);
  await symlink(place, folder);
}

async function act(acts: Acts, { kind }: Deed): Promise<void> {
  const does = acts[kind];
  if (does === undefined) throw new Error(`nobody can ${kind} a peer`);
  await does();
}

function clockOf(directory: string, node: number): string {
  return join(directory, `clock_${node}`);
}
