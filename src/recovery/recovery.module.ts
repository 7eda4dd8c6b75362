import { type DynamicModule, Module } from '@nestjs/common';
import { BackupWriter } from '../backup/backup-writer.js';
import type { AppConfig } from '../config/app-config.js';
import { ConfigModule } from '../config/config.module.js';
import { CryptoModule } from '../crypto/crypto.module.js';
import type { ClusterParts } from '../nodes/cluster-parts.js';
import { NodeSourceModule } from '../nodes/node-source.module.js';
import { RecordsModule } from '../records/records.module.js';
import { BackupAtRest } from './backup-at-rest.service.js';
import { RebuildService } from './rebuild.service.js';
import { RestoreCrypto, RestoreService } from './restore.service.js';
import { VerifyService } from './verify.service.js';

/** What the command line does to a store at rest. It takes the lock of the storage, so no server runs meanwhile. */
@Module({})
export class RecoveryModule {
  /** @param cluster what a process that is one of several knows of the others; absent: all nodes are folders of this one */
  static forRoot(config: AppConfig, cluster?: Omit<ClusterParts, 'live'>): DynamicModule {
    return {
      module: RecoveryModule,
      imports: [ConfigModule.forRoot(config, cluster), NodeSourceModule.forRoot(cluster?.source), CryptoModule, RecordsModule],
      providers: [BackupAtRest, BackupWriter, RebuildService, RestoreCrypto, RestoreService, VerifyService],
    };
  }
}
