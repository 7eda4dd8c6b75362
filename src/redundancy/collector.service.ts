import { BeforeApplicationShutdown, Injectable, Logger, OnApplicationBootstrap } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { Placement } from '../placement/placement.js';
import { Collector } from './collector.js';
import { VersionHolds } from './version-holds.js';
import type { Stray } from './write-ledger.js';

/** Runs the {@link Collector}: at once when there is something to delete, again for nodes that were away, and its walk on a schedule. */
@Injectable()
export class CollectorService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly holds = new VersionHolds();
  private readonly logger = new Logger(CollectorService.name);
  private readonly stopping = new AbortController();
  private readonly collector: Collector;
  private running: Promise<void> | undefined;
  private isKicked = false;
  private timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly config: AppConfig,
    readonly metadata: MetadataStore,
    registry: NodeRegistry,
    private readonly placement: Placement,
  ) {
    this.collector = new Collector({ registry, metadata, holds: this.holds });
  }

  async onApplicationBootstrap(): Promise<void> {
    const { collect_interval_ms, sweep_interval_ms } = this.config.limits;
    for (const { node, shards } of await this.metadata.usage(this.stopping.signal)) this.placement.restore(node, shards);
    this.timers = [setInterval(() => this.kick(), collect_interval_ms), setInterval(() => this.run(true), sweep_interval_ms)];
    this.run(true);
  }

  /** Collects soon: at once, or again when the run under way is done. */
  kick(strays: readonly Stray[] = []): void {
    this.collector.addStrays(strays);
    this.run(false);
  }

  async beforeApplicationShutdown(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    this.stopping.abort();
    await this.running;
  }

  private run(withSweep: boolean): void {
    if (this.stopping.signal.aborted) return;
    if (this.running !== undefined) {
      this.isKicked = true;
      return;
    }
    this.running = this.work(withSweep).finally(() => {
      this.running = undefined;
      if (!this.isKicked) return;
      this.isKicked = false;
      this.run(false);
    });
  }

  private async work(withSweep: boolean): Promise<void> {
    const { signal } = this.stopping;
    try {
      await this.collector.collect(signal);
      const swept = withSweep ? await this.collector.sweep(signal) : 0;
      if (swept > 0) this.logger.log({ swept }, 'deleted what a crash or a failed node had left behind');
    } catch (error) {
      if (!signal.aborted) this.logger.error({ err: error }, 'the collector failed and will try again');
    }
  }
}
