import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { mapOrdered } from '../common/map-ordered.js';
import { AppConfig } from '../config/app-config.js';
import type { GarbageVersion, MetadataStore } from '../metadata/metadata-store.js';
import { Collector } from './collector.js';
import { RecordStore } from './record-store.js';
import { VersionHolds } from './version-holds.js';
import type { Stray } from './write-ledger.js';

/** Garbage versions that are deleted at once. */
const WIDTH = 16;
/** A walk over the nodes is worth it when so many versions have become garbage since the last one ... */
const RETIRED_LEAST = 100;
/** ... and there are no more than this many shards for each of them: so the walk costs each of them as much, at the most. */
const SHARDS_FOR_EACH = 16;

/**
 * Runs the {@link Collector}: for what has just become garbage at once; on a timer for all that is left, because a node was away or a
 * download still read it; and its walk over the nodes at the start and on a timer of its own.
 */
@Injectable()
export class CollectorService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly holds = new VersionHolds();
  private readonly logger = new Logger(CollectorService.name);
  private readonly stopping = new AbortController();
  private readonly collector: Collector;
  private readonly running = new Map<'collect' | 'sweep', Promise<void>>();
  private queue: GarbageVersion[] = [];
  private isSweepWanted = false;
  /** Versions that have become garbage since the last walk began. */
  private retired = 0;
  private timers: NodeJS.Timeout[] = [];

  private reconcile: (fileId: FileId) => Promise<void> = () => Promise.reject(new Error('nobody can seal records yet'));

  constructor(
    private readonly config: AppConfig,
    readonly records: RecordStore,
  ) {
    const { registry, metadata } = records.parts;
    this.collector = new Collector({
      registry,
      metadata,
      records,
      holds: this.holds,
      graceMs: config.limits.orphan_grace_ms,
      runBegan: Date.now(),
      reconcile: (fileId) => this.reconcile(fileId),
      onAhead: (node, revision) =>
        this.logger.error({ node, revision }, 'a node knows of changes that the index does not: nothing on it is cleaned up'),
    });
  }

  get metadata(): MetadataStore {
    return this.records.parts.metadata;
  }

  async onApplicationBootstrap(): Promise<void> {
    const { collect_interval_ms, sweep_interval_ms } = this.config.limits;
    await this.refuseOldIndex();
    const settled = await this.collector.settle(this.stopping.signal);
    if (settled > 0) this.logger.log({ records: settled }, 'took back on the nodes what a crash had cut short');
    for (const { node, shards } of await this.metadata.usage(this.stopping.signal))
      this.records.parts.placement.restore(node, shards);
    const collectAll = (): void => this.run('collect', (signal) => this.collectAll(signal));
    const sweep = (): void => this.run('sweep', (signal) => this.sweep(signal));
    this.timers = [setInterval(collectAll, collect_interval_ms), setInterval(sweep, sweep_interval_ms)];
    collectAll();
    sweep();
  }

  /** @param reconcile see `CollectorParts.reconcile`; this module knows no keys */
  reconcileBy(reconcile: (fileId: FileId) => Promise<void>): void {
    this.reconcile = reconcile;
  }

  /** Puts what the index says of a file on the nodes anew, as the newest that there is. @throws DomainError if that cannot be done now */
  reconcileFile(fileId: FileId): Promise<void> {
    return this.reconcile(fileId);
  }

  /** See {@link Collector.clear}. */
  clear(node: number, signal: AbortSignal): Promise<number> {
    return this.collector.clear(node, signal);
  }

  /** Walks over the nodes now, and once more if that is under way: one that was away may have what it should not, and been passed already. */
  sweepSoon(): void {
    this.isSweepWanted = true;
    this.run('sweep', (signal) => this.sweep(signal));
  }

  /** Takes note of shards that may lie where they should not; they are looked at with the next walk over all garbage. */
  addStrays(strays: readonly Stray[]): void {
    this.collector.addStrays(strays);
  }

  /** Deletes a version that has just become garbage, soon. What cannot be deleted now is left to the timer. */
  collectSoon(garbage: GarbageVersion): void {
    this.queue.push(garbage);
    this.retired += 1;
    this.run('collect', (signal) => this.collectQueue(signal));
  }

  /** By now no request is under way any more. */
  async onApplicationShutdown(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    this.stopping.abort();
    await Promise.all(this.running.values());
    await this.records.noteSettled(AbortSignal.timeout(this.config.limits.shutdown_ms_max));
  }

  /** An index from an old copy would take every file that came since for an orphan, and serve those that were deleted. */
  private async refuseOldIndex(): Promise<void> {
    const { registry } = this.records.parts;
    const ceiling = await this.metadata.revisionCeiling(this.stopping.signal);
    const ahead = registry.nodes.filter(({ number }) => (registry.status(number).capacity?.newestRevision ?? 0) > ceiling);
    if (ahead.length === 0) return;
    const nodes = ahead.map(({ number }) => number).join(', ');
    throw new DomainError(
      'index-behind',
      `it does not know of changes that node ${nodes} keeps: put a newer copy in its place, or run "dcloud rebuild-index"`,
    );
  }

  /** One of a kind at a time; who comes meanwhile has put his work where the one under way finds it, or comes again with the timer. */
  private run(kind: 'collect' | 'sweep', work: (signal: AbortSignal) => Promise<void>): void {
    const { signal } = this.stopping;
    if (signal.aborted || this.running.has(kind)) return;
    const guarded = work(signal)
      .catch((error: unknown) => {
        if (!signal.aborted) this.logger.error({ err: error }, 'the collector failed and will try again');
      })
      .finally(() => {
        this.running.delete(kind);
        if (this.isSweepWanted) this.sweepSoon();
      });
    this.running.set(kind, guarded);
  }

  private async collectAll(signal: AbortSignal): Promise<void> {
    await this.records.noteSettled(signal);
    await this.collector.deleteStrays(signal);
    await this.collector.collect(signal);
    await this.collectQueue(signal);
    if (this.isWalkWorthIt) this.sweepSoon();
  }

  /** Tombstones go with a walk only: when many files were deleted, they do not wait for the hour. */
  private get isWalkWorthIt(): boolean {
    const shards = [...this.records.parts.placement.all().values()].reduce((sum, files) => sum + files, 0);
    return this.retired >= RETIRED_LEAST && this.retired * SHARDS_FOR_EACH >= shards;
  }

  private async collectQueue(signal: AbortSignal): Promise<void> {
    while (this.queue.length > 0) {
      const garbage = this.queue;
      this.queue = [];
      await Array.fromAsync(mapOrdered(garbage, WIDTH, (version) => this.collector.collectVersion(version, signal)));
    }
  }

  private async sweep(signal: AbortSignal): Promise<void> {
    this.isSweepWanted = false;
    this.retired = 0;
    const swept = await this.collector.sweep(signal);
    if (swept > 0) this.logger.log({ swept }, 'deleted what a crash or a failed node had left behind');
  }
}
