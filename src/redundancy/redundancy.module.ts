import { Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { MetricsModule } from '../http/metrics.module.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { NodesModule } from '../nodes/nodes.module.js';
import { Placement } from '../placement/placement.js';
import { PlacementModule } from '../placement/placement.module.js';
import { CollectorService } from './collector.service.js';
import { loadCodec } from './load-codec.js';
import { NodeWriter } from './node-writer.js';
import { RecordStore } from './record-store.js';
import { DamageLog } from './repair/damage-log.js';
import { MoverService } from './repair/mover.service.js';
import { RepairMetrics } from './repair/repair-metrics.js';
import { RepairController } from './repair/repair.controller.js';
import { RepairService } from './repair/repair.service.js';
import { ScrubService } from './repair/scrub.service.js';
import { RedundancyService } from './redundancy.service.js';
import { StripeCodec } from './stripe-codec.js';

@Module({
  imports: [PlacementModule, NodesModule, MetadataModule, MetricsModule],
  controllers: [RepairController],
  providers: [
    CollectorService,
    DamageLog,
    MoverService,
    RedundancyService,
    { provide: StripeCodec, useFactory: loadCodec },
    RepairMetrics,
    RepairService,
    ScrubService,
    {
      provide: RecordStore,
      useFactory: (config: AppConfig, registry: NodeRegistry, placement: Placement, metadata: MetadataStore) => {
        const writer = new NodeWriter(registry, config.limits.write_slow_ms_min);
        return new RecordStore({ registry, placement, metadata, writer });
      },
      inject: [AppConfig, NodeRegistry, Placement, MetadataStore],
    },
  ],
  exports: [CollectorService, MoverService, RecordStore, RedundancyService, RepairService],
})
export class RedundancyModule {
  constructor(redundancy: RedundancyService, movers: MoverService, damages: DamageLog) {
    // Who reads shards meets those that are damaged; the log tells the repair of them.
    redundancy.tellDamageTo((node, shard, error) => damages.report(node, shard, error));
    movers.tellDamageTo((node, shard, error) => damages.report(node, shard, error));
  }
}
