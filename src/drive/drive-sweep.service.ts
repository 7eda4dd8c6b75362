import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { AccountDirectory } from '../auth/account-directory.js';
import type { AccountId } from '../auth/account.js';
import { DriveSweep, type SweepCounts } from './drive-sweep.js';

/** Walks over all drives at the start and from time to time, one after the other. Nobody waits for it. */
@Injectable()
export class DriveSweepService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(DriveSweepService.name);
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly accounts: AccountDirectory,
    private readonly sweep: DriveSweep,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.begin(), this.accounts.config.limits.drive_sweep_interval_ms);
    this.begin();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.running;
  }

  private begin(): void {
    if (this.stopping.signal.aborted) return;
    this.running ??= this.run().finally(() => (this.running = undefined));
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    const sum: SweepCounts = { orphans: 0, removed: 0, failed: 0 };
    try {
      await this.accounts.load(signal);
      for (const { id } of this.accounts.list()) await this.account(id, sum, signal);
    } catch (error) {
      if (!signal.aborted) this.logger.warn({ err: error }, 'the walk over the drives is left to the next time');
    }
    if (sum.orphans + sum.removed + sum.failed > 0) this.logger.log({ ...sum }, 'removed what nobody needed from the drives');
  }

  private async account(id: AccountId, sum: SweepCounts, signal: AbortSignal): Promise<void> {
    const onFailure = (error: unknown): void =>
      this.logger.warn({ err: error }, 'something in a drive could not be looked at and is left as it is');
    try {
      const { orphans, removed, failed } = await this.sweep.sweep(id, onFailure, signal);
      sum.orphans += orphans;
      sum.removed += removed;
      sum.failed += failed;
    } catch (error) {
      signal.throwIfAborted();
      sum.failed += 1;
      onFailure(error);
    }
  }
}
