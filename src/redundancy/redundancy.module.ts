import { Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { NodesModule } from '../nodes/nodes.module.js';
import { Placement } from '../placement/placement.js';
import { PlacementModule } from '../placement/placement.module.js';
import { CollectorService } from './collector.service.js';
import { NodeWriter } from './node-writer.js';
import { RecordStore } from './record-store.js';
import { MoverService } from './repair/mover.service.js';
import { RedundancyService } from './redundancy.service.js';

@Module({
  imports: [PlacementModule, NodesModule, MetadataModule],
  providers: [
    CollectorService,
    MoverService,
    RedundancyService,
    {
      provide: RecordStore,
      useFactory: (config: AppConfig, registry: NodeRegistry, placement: Placement, metadata: MetadataStore) => {
        const writer = new NodeWriter(registry, config.limits.write_slow_ms_min);
        return new RecordStore({ registry, placement, metadata, writer });
      },
      inject: [AppConfig, NodeRegistry, Placement, MetadataStore],
    },
  ],
  exports: [MoverService, RedundancyService, RecordStore],
})
export class RedundancyModule {}
