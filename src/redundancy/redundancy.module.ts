import { Module } from '@nestjs/common';
import { MetadataModule } from '../metadata/metadata.module.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { NodesModule } from '../nodes/nodes.module.js';
import { Placement } from '../placement/placement.js';
import { PlacementModule } from '../placement/placement.module.js';
import { CollectorService } from './collector.service.js';
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
      useFactory: (registry: NodeRegistry, placement: Placement, metadata: MetadataStore) =>
        new RecordStore({ registry, placement, metadata }),
      inject: [NodeRegistry, Placement, MetadataStore],
    },
  ],
  exports: [CollectorService, MoverService, RedundancyService, RecordStore],
})
export class RedundancyModule {}
