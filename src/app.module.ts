import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { LoggerModule } from 'nestjs-pino';
import { AccountsModule } from './accounts/accounts.module.js';
import { AuditModule } from './audit/audit.module.js';
import { AuthModule } from './auth/auth.module.js';
import type { AppConfig } from './config/app-config.js';
import { BackupModule } from './backup/backup.module.js';
import { ConfigModule } from './config/config.module.js';
import type { LiveTls } from './config/live-tls.js';
import type { ClusterParts } from './nodes/cluster-parts.js';
import { NodeSourceModule } from './nodes/node-source.module.js';
import { DriveModule } from './drive/drive.module.js';
import { DocumentsModule } from './documents/documents.module.js';
import { FilesModule } from './files/files.module.js';
import { HealthModule } from './health/health.module.js';
import { MembershipModule } from './membership/membership.module.js';
import { MigrationModule } from './migration/migration.module.js';
import { loggingOptions } from './http/logging.js';
import { ProblemFilter } from './http/problem.filter.js';
import { ScopeGuard } from './http/scope.guard.js';

/** The whole program, put together for one configuration. */
@Module({})
export class AppModule {
  /**
   * @param cluster what a process that is one of several knows of the others; absent: all nodes are folders of this one
   * @param tls of the server of this process
   */
  static forRoot(config: AppConfig, cluster?: ClusterParts, tls?: LiveTls): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(config, cluster, tls),
        NodeSourceModule.forRoot(cluster?.source, cluster?.view),
        LoggerModule.forRoot(loggingOptions(config.log_level)),
        AuditModule,
        AuthModule,
        AccountsModule,
        HealthModule,
        FilesModule,
        DocumentsModule,
        DriveModule,
        MembershipModule,
        BackupModule,
        MigrationModule,
      ],
      providers: [
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_GUARD, useClass: ScopeGuard },
      ],
    };
  }
}
