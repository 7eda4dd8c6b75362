import { Injectable } from '@nestjs/common';
import { Registry } from 'prom-client';
import { counterOf, gaugeOf } from '../http/metric-readers.js';
import { BackupSchedule } from './backup-schedule.service.js';

const LAST = {
  name: 'dcloud_backup_last_timestamp_seconds',
  help: 'When the newest backup on the nodes was made, seconds since 1970; 0 if there is none',
};
const FAILING = { name: 'dcloud_backup_failing', help: '1 if the last backup to the nodes failed, else 0' };
const FAILURES = { name: 'dcloud_backup_failures_total', help: 'Backups to the nodes that failed' };

/** Prometheus' view of the backups on the nodes. */
@Injectable()
export class BackupMetrics {
  constructor(registry: Registry, schedule: BackupSchedule) {
    gaugeOf(registry, LAST, () => (schedule.status.lastAt ?? 0) / 1000);
    gaugeOf(registry, FAILING, () => (schedule.status.failure === undefined ? 0 : 1));
    counterOf(registry, FAILURES, () => schedule.status.failures);
  }
}
