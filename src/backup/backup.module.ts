import { Module } from '@nestjs/common';
import { CryptoModule } from '../crypto/crypto.module.js';
import { FilesModule } from '../files/files.module.js';
import { MetricsModule } from '../http/metrics.module.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { BackupMetrics } from './backup-metrics.js';
import { BackupSchedule } from './backup-schedule.service.js';
import { BackupWriter } from './backup-writer.js';
import { BackupController } from './backup.controller.js';
import { BackupService } from './backup.service.js';
import { KeptBackups } from './kept-backups.js';

@Module({
  imports: [CryptoModule, FilesModule, MetadataModule, MetricsModule],
  controllers: [BackupController],
  providers: [BackupMetrics, BackupSchedule, BackupService, BackupWriter, KeptBackups],
})
export class BackupModule {}
