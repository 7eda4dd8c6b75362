import { type DynamicModule, Module } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { ConfigModule } from '../config/config.module.js';
import { RecordsModule } from '../records/records.module.js';
import { RebuildService } from './rebuild.service.js';
import { VerifyService } from './verify.service.js';

/** What the command line does to a store at rest. It takes the lock of the storage, so no server runs meanwhile. */
@Module({})
export class RecoveryModule {
  static forRoot(config: AppConfig): DynamicModule {
    return {
      module: RecoveryModule,
      imports: [ConfigModule.forRoot(config), RecordsModule],
      providers: [RebuildService, VerifyService],
    };
  }
}
