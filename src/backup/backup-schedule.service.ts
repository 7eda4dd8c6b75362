import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { errorCode } from '../common/errors.js';
import { AppConfig } from '../config/app-config.js';
import { BackupService } from './backup.service.js';
import { KeptBackups } from './kept-backups.js';

/** What a timer of Node.js can hold. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Of the backups on the nodes. Times are milliseconds since 1970. */
export interface ScheduleStatus {
  /** When the newest one was made; undefined: there is none. */
  readonly lastAt: number | undefined;
  /** The code of what the last attempt failed of; undefined: it did not, or there was none. */
  readonly failure: string | undefined;
  readonly failures: number;
}

/** Writes a backup to the nodes from time to time, and removes those that are too many. Nobody waits for it, and what fails is tried again, that alone. */
@Injectable()
export class BackupSchedule implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(BackupSchedule.name);
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private lastAt: number | undefined;
  private failure: string | undefined;
  private failures = 0;
  /** When the next one is due, by the clock of the process; undefined: it is not known yet when the newest one was made. */
  private dueAt: number | undefined;
  /** Whether one was made and those that are too many were not removed since. */
  private isToPrune = false;

  constructor(
    private readonly config: AppConfig,
    private readonly service: BackupService,
    private readonly kept: KeptBackups,
  ) {}

  get status(): ScheduleStatus {
    const { lastAt, failure, failures } = this;
    return { lastAt, failure, failures };
  }

  onApplicationBootstrap(): void {
    this.running = this.run();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await this.running;
  }

  private get intervalMs(): number {
    return this.config.backup_interval * 1000;
  }

  private runIn(ms: number): void {
    if (this.intervalMs === 0 || this.stopping.signal.aborted) return;
    const wait = Math.max(0, Math.min(ms, TIMER_MS_MAX));
    this.timer = setTimeout(() => {
      this.running = this.run();
    }, wait);
  }

  /** Does what is to be done now. Each step that ends is not done again because a later one fails. */
  private async run(): Promise<void> {
    const { signal } = this.stopping;
    try {
      this.dueAt ??= await this.begin(signal);
      if (this.intervalMs > 0 && this.dueAt <= performance.now()) await this.make(signal);
      if (this.isToPrune) await this.kept.prune(this.config.limits.backups_kept_max, signal);
      this.isToPrune = false;
      this.failure = undefined;
      this.runIn(this.dueAt - performance.now());
    } catch (error) {
      this.fail(error);
    }
  }

  /** The newest one tells when the next is due, also after a restart. */
  private async begin(signal: AbortSignal): Promise<number> {
    this.lastAt = (await this.kept.list(signal))[0]?.createdAt;
    return performance.now() + (this.lastAt === undefined ? 0 : this.lastAt + this.intervalMs - Date.now());
  }

  private async make(signal: AbortSignal): Promise<void> {
    const backup = await this.service.make(signal);
    try {
      const { createdAt, size } = await this.kept.add(backup.file, signal);
      this.lastAt = createdAt;
      this.dueAt = performance.now() + this.intervalMs;
      this.isToPrune = true;
      this.logger.log({ bytes: size }, 'a backup was written to the nodes');
    } finally {
      await backup.close();
    }
  }

  private fail(error: unknown): void {
    if (this.stopping.signal.aborted) return;
    this.failure = errorCode(error) ?? 'internal';
    this.failures += 1;
    this.logger.error(
      { err: error },
      'a backup could not be written to the nodes, or an old one not be removed; it is tried again',
    );
    this.runIn(Math.min(this.config.limits.backup_retry_ms, this.intervalMs));
  }
}
