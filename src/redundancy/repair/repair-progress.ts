import type { RepairBacklog, RepairItem } from './repair-queue.js';
import type { RepairReport } from './version-repair.js';

/** What repair says of itself. Times are milliseconds since 1970. */
export interface RepairStatus {
  readonly state: 'idle' | 'waiting' | 'running';
  /** Why it does not go on, in words. */
  readonly reason: string | undefined;
  readonly backlog: { readonly versions: number; readonly bytes: number; readonly survivesLeast: number | undefined };
  readonly done: { readonly versions: number; readonly shards: number; readonly bytes: number };
  readonly bytesPerSecond: number;
  readonly etaSeconds: number | undefined;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly lastError: string | undefined;
}

/** Counts what a repair has done and what is left. */
export class RepairProgress {
  private backlog = { versions: 0, bytes: 0 };
  private waitingItems: readonly RepairItem[] = [];
  private taken = 0;
  private done = { versions: 0, shards: 0, bytes: 0 };
  private startedAt: number | undefined;
  private endedAt: number | undefined;
  private lastError: string | undefined;
  /** Over the whole life of the process, for the metrics. */
  readonly total = { shards: 0, bytes: 0, failures: 0 };
  reason: string | undefined;
  isRunning = false;

  constructor(private readonly now: () => number = Date.now) {}

  begin({ items, versions, bytes }: RepairBacklog): void {
    if (!this.isRunning) {
      this.done = { versions: 0, shards: 0, bytes: 0 };
      this.startedAt = this.now();
      this.endedAt = undefined;
    }
    this.isRunning = true;
    this.backlog = { versions, bytes };
    this.waitingItems = items;
    this.taken = 0;
  }

  /** One version is done with, for this time. */
  took({ bytes }: RepairItem, report: RepairReport): void {
    this.taken += 1;
    if (report.isDone) {
      this.backlog = { versions: Math.max(0, this.backlog.versions - 1), bytes: Math.max(0, this.backlog.bytes - bytes) };
      this.done.versions += 1;
    }
    this.done.shards += report.shards;
    this.done.bytes += report.bytes;
    this.total.shards += report.shards;
    this.total.bytes += report.bytes;
  }

  failed(error: unknown): void {
    this.taken += 1;
    this.total.failures += 1;
    this.lastError = error instanceof Error ? error.message : String(error);
  }

  /** Nothing is to be done any more: what was left before is done by others, or has come back by itself. */
  settle(): void {
    this.backlog = { versions: 0, bytes: 0 };
    this.end(undefined);
  }

  end(reason: string | undefined): void {
    this.isRunning = false;
    this.endedAt = this.now();
    this.reason = reason;
    this.waitingItems = [];
  }

  status(): RepairStatus {
    const { startedAt, endedAt, lastError, backlog, done } = this;
    const seconds = startedAt === undefined ? 0 : ((endedAt ?? this.now()) - startedAt) / 1000;
    const bytesPerSecond = seconds === 0 ? 0 : Math.round(done.bytes / seconds);
    const state = this.isRunning ? 'running' : this.reason === undefined ? 'idle' : 'waiting';
    return {
      state,
      reason: this.reason,
      backlog: { ...backlog, survivesLeast: this.waitingItems[this.taken]?.survives },
      done: { ...done },
      bytesPerSecond,
      etaSeconds: this.isRunning && bytesPerSecond > 0 ? Math.ceil(backlog.bytes / bytesPerSecond) : undefined,
      startedAt,
      endedAt,
      lastError,
    };
  }
}
