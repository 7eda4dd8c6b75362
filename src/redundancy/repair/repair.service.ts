import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { ByteBudget } from '../../common/byte-budget.js';
import { mapOrdered } from '../../common/map-ordered.js';
import { AppConfig } from '../../config/app-config.js';
import type { MetadataStore } from '../../metadata/metadata-store.js';
import { inBackground } from '../../nodes/background-work.js';
import type { NodeRegistry } from '../../nodes/node-registry.js';
import { CollectorService } from '../collector.service.js';
import { AwayNodes } from './away-nodes.js';
import { CLOCK } from './byte-rate.js';
import { DamageLog } from './damage-log.js';
import { MoverService } from './mover.service.js';
import { Pace } from './pace.js';
import { RepairProgress, type RepairStatus } from './repair-progress.js';
import { findBacklog, type RepairBacklog, type RepairItem } from './repair-queue.js';
import { type RepairReport, VersionRepair } from './version-repair.js';

/** Memory for what is on its way between nodes. */
const BYTES_IN_FLIGHT = 64 * 1024 * 1024;
/** Versions under way at once, if they are small: most of their time they wait for syncs, which they share. */
const WIDTH = 64;
/** What a version costs besides its shards. */
const VERSION_BYTES = 64 * 1024;
/** Pauses before what could not be done is tried again while nothing else has changed: the first is twice as long, the others grow. */
const RETRY_MS = 1000;
const RETRY_MS_MOST = 60_000;
/** While a node is lost, an upload that had put shards on it before may be committed later. */
const LOOK_AGAIN_MS = 30_000;
/** The foreground is what was asked for within this time. */
const OF_LATE_MS = 2000;

/**
 * Restores by itself what was lost: it looks at the nodes each second, and at once when damage was noted. What there is to do is derived from the
 * index and the states of the nodes, so that it goes on after a restart where it was.
 */
@Injectable()
export class RepairService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly progress = new RepairProgress();
  readonly pace: Pace;
  private readonly logger = new Logger(RepairService.name);
  private readonly stopping = new AbortController();
  private readonly away: AwayNodes;
  private readonly versions: VersionRepair;
  private readonly budget = new ByteBudget(BYTES_IN_FLIGHT);
  private readonly lag = monitorEventLoopDelay({ resolution: 10 });
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private retryAt = 0;
  private retryMs = RETRY_MS;
  private triedIn = '';
  private hasDamage = true;
  /** Nodes for which all was done, as far as it could be. */
  private settledFor = '';
  private lookAgainAt = 0;
  private awayBefore: ReadonlySet<number> = new Set();

  constructor(
    private readonly config: AppConfig,
    private readonly collector: CollectorService,
    movers: MoverService,
    damages: DamageLog,
  ) {
    const { registry } = this;
    this.away = new AwayNodes(registry, config.repair_after * 1000);
    this.versions = new VersionRepair({
      registry,
      metadata: this.metadata,
      mover: movers.mover,
      away: this.away,
      reconcile: (fileId) => collector.reconcileFile(fileId),
    });
    this.pace = new Pace({
      bytesPerSecond: () => config.limits.repair_bytes_per_second,
      foregroundMs: () => registry.foreground.latencyMs(performance.now(), OF_LATE_MS),
      foregroundSinceMs: (since) => registry.foreground.latencySinceMs(since),
      loopLagMs: () => this.loopLagMs(),
      clock: CLOCK,
    });
    movers.paceBy((bytes, signal) => this.pace.enter(bytes, signal));
    damages.tell(() => this.wake());
  }

  private get registry(): NodeRegistry {
    return this.collector.records.parts.registry;
  }

  private get metadata(): MetadataStore {
    return this.collector.metadata;
  }

  onApplicationBootstrap(): void {
    this.lag.enable();
    this.timer = setInterval(() => this.look(), this.config.limits.probe_interval_ms);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.lag.disable();
    this.stopping.abort();
    await this.running;
  }

  status(): RepairStatus {
    const status = this.progress.status();
    if (status.state !== 'idle') return status;
    const waits = this.registry.nodes.map(({ number }) => ({ number, ms: this.away.waitMs(number) ?? 0 }));
    const next = waits.filter(({ ms }) => ms > 0).sort((a, b) => a.ms - b.ms)[0];
    if (next === undefined)
      return this.isSettled ? status : { ...status, state: 'waiting', reason: 'it is looked for what has to be restored' };
    const seconds = Math.ceil(next.ms / 1000);
    return { ...status, state: 'waiting', reason: `node ${next.number} is down, and counts as lost in ${seconds} s` };
  }

  /** True if all was done for the nodes that are lost now and the damage that is known, or there was nothing to do. */
  private get isSettled(): boolean {
    return !this.hasDamage && this.goneKey() === this.settledFor;
  }

  /** There is something to do. */
  wake(): void {
    this.hasDamage = true;
    this.look();
  }

  /** Begins a repair if there may be a reason and none is under way. */
  private look(): void {
    if (this.running !== undefined || this.stopping.signal.aborted) return;
    this.sweepReturned();
    if (this.isDue()) {
      this.running = inBackground(() => this.run(this.stopping.signal))
        .catch((error: unknown) => this.fail(error))
        .finally(() => (this.running = undefined));
    } else this.pace.observeQuiet();
  }

  private isDue(): boolean {
    if (Date.now() < this.retryAt && this.situation() === this.triedIn) return false;
    const key = this.goneKey();
    return this.hasDamage || key !== this.settledFor || (key !== '' && Date.now() >= this.lookAgainAt);
  }

  /** What decides about what can be done: when it changes, it is tried again at once. */
  private situation(): string {
    return `${this.goneKey()}/${this.registry.writable().join()}/${this.registry.reachable().join()}`;
  }

  private goneKey(): string {
    return this.away.all().join();
  }

  /** A node that was lost and is back has what was restored elsewhere meanwhile, and lacks deletions. */
  private sweepReturned(): void {
    const now = new Set(this.away.all());
    if ([...this.awayBefore].some((node) => !now.has(node))) this.collector.sweepSoon();
    this.awayBefore = now;
  }

  private async run(signal: AbortSignal): Promise<void> {
    this.hasDamage = false;
    this.triedIn = this.situation();
    const key = this.goneKey();
    const isGone = (node: number): boolean => this.away.isAway(node);
    const looksAtAll = key !== '' && key !== this.settledFor;
    const backlog = await findBacklog(this.metadata, { isGone, looksAtAll, writable: this.registry.writable().length }, signal);
    const isWhole = await this.restore(backlog, signal);
    const areBuried = await this.restoreTombstones(signal);
    if (!isWhole || !areBuried || backlog.isPartial) {
      this.hasDamage = true;
      // What did not fit does not wait for what cannot be done.
      const goesOn = backlog.isPartial && this.progress.status().done.versions > 0;
      this.postpone(goesOn || (isWhole && areBuried));
      return;
    }
    this.postpone(true);
    this.settledFor = key;
    this.lookAgainAt = Date.now() + LOOK_AGAIN_MS;
  }

  /** What fails again and again is tried less and less often: to find it takes a look at every file. */
  private postpone(isWhole: boolean): void {
    this.retryMs = isWhole ? RETRY_MS : Math.min(RETRY_MS_MOST, this.retryMs * 2);
    this.retryAt = isWhole ? 0 : Date.now() + this.retryMs;
  }

  /** False if something is left to do. */
  private async restore(backlog: RepairBacklog, signal: AbortSignal): Promise<boolean> {
    const { progress } = this;
    if (backlog.items.length === 0) {
      progress.settle();
      return true;
    }
    progress.begin(backlog);
    const { versions, bytes } = backlog;
    this.logger.log({ versions, bytes, nodes: this.away.all() }, 'repair begins');
    let [unplaced, unread, failed] = [0, 0, 0];
    const repairs = mapOrdered(backlog.items, WIDTH, async (item) => {
      const report = await this.repairOne(item, signal);
      unplaced += report?.unplaced ?? 0;
      unread += report?.unread ?? 0;
      if (report?.isDone !== true) failed += 1;
    });
    await Array.fromAsync(repairs);
    progress.end(reasonOf({ unplaced, unread, failed }));
    const { done, reason, lastError } = progress.status();
    if (failed === 0) this.logger.log({ ...done }, 'repair ended');
    else this.logger.warn({ ...done, left: failed, reason, lastError }, 'repair could not restore everything and will try again');
    return failed === 0;
  }

  private async repairOne(item: RepairItem, signal: AbortSignal): Promise<RepairReport | undefined> {
    signal.throwIfAborted();
    // Two batches of each version are on their way at once.
    const batches = 2 * Math.max(this.config.limits.batch_bytes, item.stripeBytes);
    const giveBack = await this.budget.take(VERSION_BYTES + Math.min(batches, item.bytesHeld), signal);
    try {
      const report = await this.versions.repair(item, signal);
      this.progress.took(item, report);
      return report;
    } catch (error) {
      if (signal.aborted) throw error;
      this.progress.failed(error);
      return undefined;
    } finally {
      giveBack();
    }
  }

  /** Tombstones are records of their own: those that lay on lost nodes are put on others. False if that did not go. */
  private async restoreTombstones(signal: AbortSignal): Promise<boolean> {
    if (this.away.all().length === 0) return true;
    let isWhole = true;
    for await (const { fileId, nodes } of this.metadata.tombstones(signal)) {
      if (!nodes.some((node) => this.away.isAway(node))) continue;
      try {
        await this.collector.reconcileFile(fileId);
      } catch (error) {
        this.progress.failed(error);
        isWhole = false;
      }
    }
    return isWhole;
  }

  private loopLagMs(): number {
    const lag = this.lag.mean / 1e6 - 10;
    this.lag.reset();
    return Number.isFinite(lag) ? Math.max(0, lag) : 0;
  }

  private fail(error: unknown): void {
    if (this.stopping.signal.aborted) return;
    this.progress.failed(error);
    this.progress.end('it failed and will try again');
    this.hasDamage = true;
    this.postpone(false);
    this.logger.error({ err: error }, 'repair failed and will try again');
  }
}

function reasonOf({
  unplaced,
  unread,
  failed,
}: {
  readonly unplaced: number;
  readonly unread: number;
  readonly failed: number;
}): string | undefined {
  if (unplaced > 0) return 'there are too few nodes that can take the copies that are missing';
  if (unread > 0) return 'too few copies of some stripes can be read now';
  return failed > 0 ? 'something could not be restored: lastError says why' : undefined;
}
