import { Injectable } from '@nestjs/common';
import { Registry } from 'prom-client';
import { counterOf, gaugeOf } from '../http/metric-readers.js';
import { FileAuditLog } from './file.audit-log.js';

const LINES = { name: 'dcloud_audit_lines_total', help: 'Lines of the audit log that are durable' };
const DROPPED = { name: 'dcloud_audit_dropped_total', help: 'Lines of the audit log that were given up' };
const REFUSED = { name: 'dcloud_audit_refused', help: '1 while the audit log cannot be written, else 0' };

/** Prometheus' view of the audit log. */
@Injectable()
export class AuditMetrics {
  constructor(registry: Registry, log: FileAuditLog) {
    counterOf(registry, LINES, () => log.counts.written);
    counterOf(registry, DROPPED, () => log.counts.dropped);
    gaugeOf(registry, REFUSED, () => (log.counts.isRefused ? 1 : 0));
  }
}
