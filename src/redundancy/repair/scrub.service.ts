import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import type { FileId } from '../../common/ids.js';
import type { Damage, MetadataStore, ScrubNote } from '../../metadata/metadata-store.js';
import { inBackground } from '../../nodes/background-work.js';
import { CollectorService } from '../collector.service.js';
import { DamageLog } from './damage-log.js';
import { ByteRate, CLOCK } from './byte-rate.js';
import { nextScrubAt, scrubRate } from './scrub-schedule.js';
import { ScrubPass, type ScrubCounts } from './scrub-pass.js';

/** What a scrub says of itself. Times are milliseconds since 1970. */
export interface ScrubStatus extends ScrubCounts {
  readonly state: 'idle' | 'running';
  readonly kind: 'scheduled' | 'asked-for' | undefined;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly nextAt: number | undefined;
  readonly lastError: string | undefined;
}

/** How often it is looked whether a scrub is due, and noted how far it has come. */
const LOOK_MS = 60_000;
/** A start has enough to do without a scrub. */
const AFTER_START_MS = 600_000;

/**
 * Proves every shard and record once in an interval, evenly spread over it, and whenever it is asked to. What it finds is noted, and repair mends
 * it. When each node was proven last is kept in the index; the next scheduled pass begins when the oldest proof is as old as the interval.
 */
@Injectable()
export class ScrubService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ScrubService.name);
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running:
    { readonly done: Promise<void>; readonly kind: ScrubStatus['kind']; readonly cancel: AbortController } | undefined;
  private pass: ScrubPass | undefined;
  private startedAt: number | undefined;
  private endedAt: number | undefined;
  private nextAt: number | undefined;
  private lastError: string | undefined;
  private scheduledRate = 1;
  private readonly notBefore = Date.now() + AFTER_START_MS;

  constructor(
    private readonly config: AppConfig,
    private readonly collector: CollectorService,
    private readonly damages: DamageLog,
  ) {}

  private get metadata(): MetadataStore {
    return this.collector.metadata;
  }

  onApplicationBootstrap(): void {
    const look = (): void => void this.look().catch((error: unknown) => this.fail(error));
    this.timer = setInterval(look, LOOK_MS);
    look();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.running?.done;
  }

  /** Begins a scrub at full speed, unless such a one is under way; one that was scheduled gives way to it. */
  async start(): Promise<void> {
    if (this.running?.kind === 'asked-for' || this.stopping.signal.aborted) return;
    this.running?.cancel.abort();
    await this.running?.done;
    // Another one may have been first.
    if (this.running === undefined) this.begin('asked-for');
  }

  status(): ScrubStatus {
    const { startedAt, endedAt, nextAt, lastError } = this;
    const counts = this.pass?.counts ?? { files: 0, shards: 0, bytes: 0, damaged: 0 };
    const state = this.running === undefined ? 'idle' : 'running';
    return { state, kind: this.running?.kind, ...counts, startedAt, endedAt, nextAt, lastError };
  }

  /** Begins a scheduled scrub when it is due, or goes on with the one that a restart has cut short. */
  private async look(): Promise<void> {
    const { signal } = this.stopping;
    const { scrub_interval_hours: intervalHours, scrub_bytes_per_second: bytesPerSecondMost } = this.config.limits;
    const usage = await this.metadata.usage(signal);
    const bytes = usage.reduce((sum, part) => sum + part.bytes, 0);
    this.scheduledRate = scrubRate(bytes, { intervalHours, bytesPerSecondMost });
    if (this.running !== undefined || signal.aborted) return;
    const nodes = this.collector.records.parts.registry.reachable();
    const proofs = await Promise.all(nodes.map((node) => this.metadata.provenAt(node, signal)));
    const isUnfinished = (await this.metadata.scrubNote(signal)) !== undefined;
    this.nextAt = Math.max(this.notBefore, isUnfinished ? 0 : nextScrubAt(proofs, intervalHours));
    if (Date.now() >= this.nextAt) this.begin('scheduled');
  }

  private begin(kind: NonNullable<ScrubStatus['kind']>): void {
    const cancel = new AbortController();
    const signal = AbortSignal.any([cancel.signal, this.stopping.signal]);
    const done = inBackground(() => this.run(kind, signal))
      .catch((error: unknown) => {
        if (!signal.aborted) this.fail(error);
      })
      .finally(() => {
        this.running = undefined;
        this.endedAt = Date.now();
      });
    this.running = { kind, cancel, done };
  }

  private async run(kind: NonNullable<ScrubStatus['kind']>, signal: AbortSignal): Promise<void> {
    const note = kind === 'scheduled' ? await this.metadata.scrubNote(signal) : undefined;
    const pass = this.makePass(kind, note);
    const began = note?.startedAt ?? Date.now();
    [this.pass, this.startedAt, this.endedAt, this.lastError] = [pass, began, undefined, undefined];
    this.logger.log({ kind, goesOn: note !== undefined }, 'scrub begins');
    let notedAt = Date.now();
    for await (const stored of this.metadata.files(signal)) {
      if (note !== undefined && stored.file.id <= note.after) continue;
      await this.tryOne(pass, () => pass.file(stored, signal), signal);
      if (kind !== 'scheduled' || Date.now() - notedAt < LOOK_MS) continue;
      notedAt = Date.now();
      await this.metadata.noteScrub({ startedAt: began, after: stored.file.id, unproven: [...pass.unproven] }, signal);
    }
    for await (const tombstone of this.metadata.tombstones(signal))
      await this.tryOne(pass, () => pass.tombstone(tombstone, signal), signal);
    await this.finish(pass, began, signal);
  }

  private async finish(pass: ScrubPass, began: number, signal: AbortSignal): Promise<void> {
    const { registry } = this.collector.records.parts;
    // Of a disk that came meanwhile the pass has looked at a part.
    const isNew = (node: number): boolean => (registry.losses.get(node) ?? 0) >= began;
    const proven = registry.reachable().filter((node) => !pass.unproven.has(node) && !isNew(node));
    for (const node of proven) await this.metadata.noteProven(node, began, signal);
    await this.metadata.noteScrub(undefined, signal);
    this.logger.log({ ...pass.counts, proven, ms: Date.now() - began }, 'scrub ended');
  }

  private makePass(kind: NonNullable<ScrubStatus['kind']>, note: ScrubNote | undefined): ScrubPass {
    const { registry } = this.collector.records.parts;
    const { scrub_bytes_per_second: most } = this.config.limits;
    const rate = new ByteRate(CLOCK, () => (kind === 'scheduled' ? this.scheduledRate : most));
    const parts = {
      registry,
      metadata: this.metadata,
      note: (damage: readonly Damage[], signal: AbortSignal) => this.damages.note(damage, signal),
      reconcile: (fileId: FileId) => this.collector.reconcileFile(fileId),
      throttle: (bytes: number, signal: AbortSignal) => rate.take(bytes, signal),
    };
    return new ScrubPass(parts, note?.unproven);
  }

  /** What fails for one file must not keep the others from being looked at; but nothing is proven then. */
  private async tryOne(pass: ScrubPass, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      for (const { number } of this.collector.records.parts.registry.nodes) pass.unproven.add(number);
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.lastError = error instanceof Error ? error.message : String(error);
    this.logger.warn({ err: error }, 'scrub could not look at everything');
  }
}
