import { Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { MetricsModule } from '../http/metrics.module.js';
import { AuditLog } from './audit-log.js';
import { AuditMetrics } from './audit-metrics.js';
import { auditPathOf } from './audit-path.js';
import { AuditTrail } from './audit-trail.service.js';
import { FileAuditLog } from './file.audit-log.js';

@Module({
  imports: [MetricsModule],
  providers: [
    { provide: FileAuditLog, useFactory: openLog, inject: [AppConfig] },
    { provide: AuditLog, useExisting: FileAuditLog },
    AuditMetrics,
    AuditTrail,
  ],
  exports: [AuditLog, AuditTrail],
})
export class AuditModule {}

/** Nothing is made before the first line. */
function openLog(config: AppConfig): FileAuditLog {
  const {
    audit_file_bytes_max: fileBytesMax,
    audit_files_max: filesMax,
    audit_lines_waiting_max: linesWaitingMax,
  } = config.limits;
  return new FileAuditLog({ path: auditPathOf(config), fileBytesMax, filesMax, linesWaitingMax });
}
