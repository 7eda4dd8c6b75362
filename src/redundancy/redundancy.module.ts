import { Module } from '@nestjs/common';
import { MetricsModule } from '../http/metrics.module.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { NodesModule } from '../nodes/nodes.module.js';
import { Placement } from '../placement/placement.js';
import { PlacementModule } from '../placement/placement.module.js';
import { CollectorService } from './collector.service.js';
import { RecordStore } from './record-store.js';
import { DamageLog } from './repair/damage-log.js';
import { MoverService } from './repair/mover.service.js';
import { RepairMetrics } from './repair/repair-metrics.js';
import { RepairController } from './repair/repair.controller.js';
import { RepairService } from './repair/repair.service.js';
import { ScrubService } from './repair/scrub.service.js';
import { RedundancyService } from './redundancy.service.js';

@Module({
  imports: [PlacementModule, NodesModule, MetadataModule, MetricsModule],
  controllers: [RepairController],
  providers: [
    CollectorService,
    DamageLog,
    MoverService,
    RedundancyService,
    RepairMetrics,
    RepairService,
    ScrubService,
    {
      provide: RecordStore,
      useFactory: (registry: NodeRegistry, placement: Placement, metadata: MetadataStore) =>
        new RecordStore({ registry, placement, metadata }),
      inject: [NodeRegistry, Placement, MetadataStore],
    },
  ],
  exports: [MoverService, RecordStore, RedundancyService, RepairService],
})
export class RedundancyModule {
  constructor(redundancy: RedundancyService, movers: MoverService, damages: DamageLog) {
    // Who reads shards meets those that are damaged; the log tells the repair of them.
    redundancy.tellDamageTo((node, shard, error) => damages.report(node, shard, error));
    movers.tellDamageTo((node, shard, error) => damages.report(node, shard, error));
  }
}
