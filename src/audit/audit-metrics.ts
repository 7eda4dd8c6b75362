import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Registry } from 'prom-client';
import { FileAuditLog } from './file.audit-log.js';

/** Prometheus' view of the audit log. */
@Injectable()
export class AuditMetrics {
  constructor(registry: Registry, log: FileAuditLog) {
    const registers = [registry];
    const counter = (name: string, help: string, value: () => number): void => {
      new Counter({
        name,
        help,
        registers,
        collect(): void {
          this.reset();
          this.inc(value());
        },
      });
    };
    counter('dcloud_audit_lines_total', 'Lines of the audit log that are durable', () => log.counts.written);
    counter('dcloud_audit_dropped_total', 'Lines of the audit log that were given up', () => log.counts.dropped);
    new Gauge({
      name: 'dcloud_audit_refused',
      help: '1 while the audit log cannot be written, else 0',
      registers,
      collect(): void {
        this.set(log.counts.isRefused ? 1 : 0);
      },
    });
  }
}
