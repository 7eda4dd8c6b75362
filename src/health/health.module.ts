import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { MetricsModule } from '../http/metrics.module.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { NodesModule } from '../nodes/nodes.module.js';
import { HealthController } from './health.controller.js';
import { MetricsController } from './metrics.controller.js';
import { NodesController } from './nodes.controller.js';
import { ProberService } from './prober.service.js';
import { ReadinessService } from './readiness.service.js';

@Module({
  imports: [TerminusModule.forRoot({ errorLogStyle: 'json', logger: false }), NodesModule, MetadataModule, MetricsModule],
  controllers: [HealthController, NodesController, MetricsController],
  providers: [ProberService, ReadinessService],
})
export class HealthModule {}
