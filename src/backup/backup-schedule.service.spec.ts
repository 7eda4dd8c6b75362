import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { BackupSchedule, type ScheduleStatus } from './backup-schedule.service.js';
import type { BackupService } from './backup.service.js';
import type { KeptBackups } from './kept-backups.js';

Logger.overrideLogger(false);

const RETRY_MS = 20;

/** What fails, and what was called. */
class World {
  readonly failing = new Set<string>();
  readonly calls: string[] = [];
  status: ScheduleStatus | undefined;

  constructor(private readonly lastMsAgo?: number) {}

  /** Lets the schedule run for a while, and then without what fails. */
  async run(ms: number, config: { readonly backup_interval?: number } = {}): Promise<void> {
    const limits = { backups_kept_max: 3, backup_retry_ms: RETRY_MS };
    const kept = {
      list: () => this.call('list', this.lastMsAgo === undefined ? [] : [{ createdAt: Date.now() - this.lastMsAgo }]),
      add: () => this.call('add', { createdAt: Date.now(), size: 1 }),
      prune: () => this.call('prune', undefined),
    };
    const service = { make: () => this.call('make', { close: () => this.call('close', undefined) }) };
    const schedule = new BackupSchedule(
      { backup_interval: 3600, limits, ...config } as unknown as AppConfig,
      service as unknown as BackupService,
      kept as unknown as KeptBackups,
    );
    schedule.onApplicationBootstrap();
    await sleep(ms);
    this.failing.clear();
    await sleep(ms);
    await schedule.onApplicationShutdown();
    this.status = schedule.status;
  }

  count(name: string): number {
    return this.calls.filter((call) => call === name).length;
  }

  private call<Answer>(name: string, answer: Answer): Promise<Answer> {
    this.calls.push(name);
    return this.failing.has(name) ? Promise.reject(new Error(`${name} failed`)) : Promise.resolve(answer);
  }
}

describe('BackupSchedule', () => {
  it('does not make a backup again because an old one could not be removed', async () => {
    const world = new World();
    world.failing.add('prune');
    await world.run(150);
    expect([world.count('make'), world.count('add'), world.count('close')]).toEqual([1, 1, 1]);
    expect(world.count('prune')).toBeGreaterThan(2);
    expect(world.calls.at(-1)).toBe('prune');
    expect(world.status).toMatchObject({ failure: undefined, failures: world.count('prune') - 1 });
  });

  it('makes the next backup at its time though old ones cannot be removed', async () => {
    const world = new World();
    world.failing.add('prune');
    await world.run(1300, { backup_interval: 1 });
    expect([2, 3]).toContain(world.count('add'));
  });

  it('does not make one before its time because the index was away at the start', async () => {
    const world = new World(1000);
    world.failing.add('list');
    await world.run(150);
    expect(world.count('list')).toBeGreaterThan(2);
    expect([world.count('make'), world.count('prune')]).toEqual([0, 0]);
    expect(world.status?.failure).toBeUndefined();
  });

  it.each(['make', 'add'])('makes it again when it failed (%s)', async (name) => {
    const world = new World();
    world.failing.add(name);
    await world.run(150);
    expect(world.count('make')).toBeGreaterThan(2);
    expect(world.calls.slice(-4)).toEqual(['make', 'add', 'close', 'prune']);
    expect(world.status).toMatchObject({ failure: undefined, lastAt: expect.any(Number) });
  });
});
