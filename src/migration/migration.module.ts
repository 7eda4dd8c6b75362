import { type MiddlewareConsumer, Module, type NestModule, RequestMethod } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { jsonBody } from '../http/json-body.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { RedundancyModule } from '../redundancy/redundancy.module.js';
import { MigrationController } from './migration.controller.js';
import { MigrationService } from './migration.service.js';

@Module({
  imports: [MetadataModule, RedundancyModule],
  controllers: [MigrationController],
  providers: [MigrationService],
})
export class MigrationModule implements NestModule {
  constructor(private readonly config: AppConfig) {}

  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply(jsonBody(this.config.limits.json_bytes_max))
      .forRoutes({ path: 'metadata/migration', method: RequestMethod.POST });
  }
}
