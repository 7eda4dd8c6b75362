import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AppConfig } from '../../src/config/app-config.js';
import { ClusterFile } from '../../src/config/cluster-file.js';
import { LIMITS } from '../../src/config/limits.js';
import { LiveConfig } from '../../src/config/live-config.js';
import { Membership } from '../../src/membership/membership.js';
import { StoreView } from '../../src/nodes/store-view.js';
import type { CollectorService } from '../../src/redundancy/collector.service.js';
import type { MoverService } from '../../src/redundancy/repair/mover.service.js';
import { Cluster, type ClusterShape } from './cluster.js';
import { MEMORY_DISK } from './memory-disk.js';

/** A cluster in memory with a map of its members, for those who move files about. */
export class Members {
  readonly membership: Membership;
  /** The parts of the two services of the program that matter here. */
  readonly collector: CollectorService;
  readonly mover: MoverService;

  private constructor(
    readonly cluster: Cluster,
    private readonly directory: string,
  ) {
    const { nodes, redundancy } = cluster.shape;
    const file = ClusterFile.open(directory, nodes);
    const { records, metadata, holds, mover } = cluster;
    this.membership = new Membership(file, new LiveConfig(this.config(redundancy)), cluster.registry, new StoreView());
    const parts: Partial<CollectorService> = {
      records,
      metadata,
      holds,
      clear: (node, signal) => cluster.collector.clear(node, signal),
      reconcileFile: (id) => cluster.reconcile(id),
    };
    this.collector = parts as CollectorService;
    this.mover = { mover } as MoverService;
  }

  static async make(shape: ClusterShape): Promise<Members> {
    return new Members(await Cluster.make(shape), mkdtempSync(join(MEMORY_DISK, 'dcloud-members-')));
  }

  async remove(): Promise<void> {
    await this.cluster.remove();
    rmSync(this.directory, { recursive: true });
  }

  setRedundancy(redundancy: number): void {
    this.membership.live.replace(this.config(redundancy));
  }

  setRepairAfter(seconds: number): void {
    this.membership.live.replace(this.config(this.cluster.shape.redundancy, seconds));
  }

  drain(node: number): void {
    this.membership.cluster.changeNode(node, (entry) => ({ ...entry, state: 'draining' }));
    this.cluster.registry.setDraining(node, true);
  }

  private config(redundancy: number, repairAfter = 60): AppConfig {
    const config: Partial<AppConfig> = {
      redundancy_count: redundancy,
      peers: [],
      repair_after: repairAfter,
      limits: { ...LIMITS, collect_interval_ms: 20, probe_interval_ms: 20 },
    };
    return config as AppConfig;
  }
}

/** Waits for something that is not told. */
export async function eventually(isSo: () => Promise<boolean> | boolean, msMax = 10_000): Promise<void> {
  for (const deadline = Date.now() + msMax; !(await isSo());) {
    if (Date.now() > deadline) throw new Error(`it is not so after ${msMax} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
