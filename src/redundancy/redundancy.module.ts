import { Module } from '@nestjs/common';
import { MetadataModule } from '../metadata/metadata.module.js';
import { NodesModule } from '../nodes/nodes.module.js';
import { PlacementModule } from '../placement/placement.module.js';
import { CollectorService } from './collector.service.js';
import { RedundancyService } from './redundancy.service.js';

@Module({
  imports: [PlacementModule, NodesModule, MetadataModule],
  providers: [CollectorService, RedundancyService],
  exports: [RedundancyService],
})
export class RedundancyModule {}
