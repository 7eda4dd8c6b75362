import { Injectable } from '@nestjs/common';
import { Registry } from 'prom-client';
import { counterOf, gaugeOf } from '../../http/metric-readers.js';
import { RepairService } from './repair.service.js';
import { ScrubService } from './scrub.service.js';

/** Prometheus' view of repair and scrub. */
@Injectable()
export class RepairMetrics {
  constructor(registry: Registry, repairs: RepairService, scrubs: ScrubService) {
    const gauge = (name: string, help: string, value: () => number): void => gaugeOf(registry, { name, help }, value);
    const counter = (name: string, help: string, value: () => number): void => counterOf(registry, { name, help }, value);
    gauge('dcloud_repair_running', '1 while something is being restored, else 0', () =>
      repairs.status().state === 'running' ? 1 : 0,
    );
    gauge('dcloud_repair_backlog_versions', 'Versions of files that are to be restored', () => repairs.status().backlog.versions);
    gauge('dcloud_repair_backlog_bytes', 'Their sealed bytes, about', () => repairs.status().backlog.bytes);
    counter('dcloud_repair_bytes_total', 'Bytes of shards that were restored', () => repairs.progress.total.bytes);
    counter('dcloud_repair_shards_total', 'Shards that were restored', () => repairs.progress.total.shards);
    counter('dcloud_repair_failures_total', 'Attempts to restore a version that failed', () => repairs.progress.total.failures);
    gauge('dcloud_scrub_running', '1 while a scrub is under way, else 0', () => (scrubs.status().state === 'running' ? 1 : 0));
    gauge(
      'dcloud_scrub_damaged',
      'Shards and records that this scrub, or the last one, found bad',
      () => scrubs.status().damaged,
    );
  }
}
