import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { inBackground } from '../nodes/background-work.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { CollectorService } from '../redundancy/collector.service.js';
import type { MovePolicy } from '../redundancy/repair/move-plan.js';
import { MoverService } from '../redundancy/repair/mover.service.js';
import { Balance, type BalanceMove, type Counts, evenTargets, movesLeft } from './balance.js';
import { Membership } from './membership.js';
import { WorkProgress } from './work-progress.js';

/**
 * How a rebalance stands. `waiting`: it was under way when the process ended, and goes on when the nodes are there. `uneven`: what is left could
 * not be moved, for want of nodes that can take it or of files that can be read.
 */
export type RebalanceState = 'never' | 'waiting' | 'running' | 'even' | 'uneven' | 'cancelled' | 'failed';

export interface RebalanceStatus {
  readonly state: RebalanceState;
  /** Shards moved since this process began with it, and those that are still to be moved. */
  readonly moved: number;
  readonly left: number;
  readonly etaSeconds: number | undefined;
  /** Milliseconds since 1970. */
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
}

/**
 * Makes all nodes equally full, with the fewest moves, when somebody asks for it: a new node takes what comes, but nothing that is there. That it
 * was asked for is in the map until it has ended, so that a restart, or a takeover, goes on with it; what is left to do, the counts tell.
 */
@Injectable()
export class RebalanceService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(RebalanceService.name);
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private progress: WorkProgress | undefined;
  private current: Omit<RebalanceStatus, 'left' | 'etaSeconds'> = {
    state: 'never',
    moved: 0,
    startedAt: undefined,
    endedAt: undefined,
  };

  constructor(
    private readonly movers: MoverService,
    private readonly collector: CollectorService,
    private readonly membership: Membership,
  ) {}

  get status(): RebalanceStatus {
    const isRunning = this.current.state === 'running';
    const left = movesLeft(this.counts());
    return { ...this.current, left, etaSeconds: isRunning ? this.progress?.etaSeconds : undefined };
  }

  /** Goes on with one that was under way. */
  onApplicationBootstrap(): void {
    const { cluster, live } = this.membership;
    const { rebalancing } = cluster.map;
    if (rebalancing === undefined) return;
    this.current = { ...this.current, state: 'waiting', startedAt: rebalancing };
    const { limits, repair_after: lostAfter } = live.current;
    const lostAt = this.registry.now() + lostAfter * 1000;
    this.timer = setInterval(() => {
      if (!this.areAllThere() && this.registry.now() < lostAt) return;
      this.logger.log('the rebalance goes on that was under way');
      this.begin(rebalancing);
    }, limits.probe_interval_ms);
  }

  /** Begins, if none is under way. */
  start(): void {
    if (this.running !== undefined || this.stopping.signal.aborted) return;
    const now = Date.now();
    this.membership.cluster.noteRebalance(now);
    this.begin(now);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.running;
  }

  private begin(startedAt: number): void {
    clearInterval(this.timer);
    this.current = { state: 'running', moved: 0, startedAt, endedAt: undefined };
    this.progress = new WorkProgress({ files: movesLeft(this.counts()), bytes: 0 });
    this.running = inBackground(() => this.run(this.stopping.signal))
      .catch((error: unknown): RebalanceState => {
        if (!this.stopping.signal.aborted) this.logger.error({ err: error }, 'the rebalance failed');
        return 'failed';
      })
      .then((state) => this.end(state))
      .finally(() => (this.running = undefined));
  }

  private end(state: RebalanceState): void {
    // The next run of the program goes on.
    if (this.stopping.signal.aborted) return;
    this.current = { ...this.current, state, endedAt: Date.now() };
    this.logger.log({ state, moved: this.current.moved }, 'the rebalance ended');
    try {
      this.membership.cluster.noteRebalance(undefined);
    } catch (error) {
      this.logger.error({ err: error }, 'that the rebalance ended could not be noted: a restart begins it again');
    }
  }

  /** After a start the nodes come one by one, and each that comes ends a rebalance over the others. */
  private areAllThere(): boolean {
    return this.membership.active.every(
      (node) => this.registry.has(node) && !['suspect', 'down'].includes(this.registry.state(node)),
    );
  }

  private get registry(): NodeRegistry {
    return this.membership.registry;
  }

  private get metadata(): MetadataStore {
    return this.collector.metadata;
  }

  /** Of the nodes that take part: those that take files. What is in flight counts. */
  private counts(): Counts {
    const { placement } = this.collector.records.parts;
    return new Map(this.registry.writable().map((node) => [node, placement.files(node)]));
  }

  /** Walks over all files until nothing is left to move, or a walk moved nothing. */
  private async run(signal: AbortSignal): Promise<RebalanceState> {
    const nodes = this.registry.writable().join();
    for (let before = -1; before < this.current.moved;) {
      before = this.current.moved;
      for await (const { manifest } of this.metadata.files(signal)) {
        // What was planned for other nodes is not what is wanted now.
        if (this.registry.writable().join() !== nodes) return 'cancelled';
        const balance = new Balance(this.counts());
        if (balance.isEven) return 'even';
        if (!manifest.usage.some(({ node }) => balance.isAbove(node))) continue;
        const { shards } = await this.movers.mover.move(manifest.versionId, this.policy(balance), signal);
        this.current = { ...this.current, moved: this.current.moved + shards };
        for (let at = 0; at < shards; at += 1) this.progress?.done(0);
      }
    }
    return movesLeft(this.counts()) === 0 ? 'even' : 'uneven';
  }

  /** For one version: what to move is planned stripe by stripe; where to, is chosen among those below their targets, the emptiest first. */
  private policy(balance: Balance): MovePolicy {
    const { placement } = this.collector.records.parts;
    const targets = evenTargets(this.counts());
    let planned: { readonly stripe: number; readonly moves: readonly BalanceMove[] } = { stripe: -1, moves: [] };
    return {
      decide: ({ stripe, index }, row) => {
        if (planned.stripe !== stripe) planned = { stripe, moves: balance.plan(row) };
        return planned.moves.some((move) => move.index === index) ? 'move' : 'keep';
      },
      mayTake: (node) => placement.files(node) < (targets.get(node) ?? 0),
    };
  }
}
