import { type DynamicModule, Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { LiveConfig } from '../config/live-config.js';
import type { ClusterId } from '../common/ids.js';
import { Admission } from '../files/admission.js';
import { BodyReader } from '../files/body-reader.js';
import { ProberService } from '../health/prober.service.js';
import { MetricsModule } from '../http/metrics.module.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { loadCodec } from '../redundancy/load-codec.js';
import { SliceReader } from '../redundancy/slice-reader.js';
import { StripeCodec } from '../redundancy/stripe-codec.js';
import { DelegatedReader } from './delegated-reader.js';
import { DelegatedWriter } from './delegated-writer.js';
import { DelegationWorkers } from './delegation-workers.js';
import { Delegations } from './delegations.service.js';
import { type DeskCalls, GatewayDesk } from './gateway-desk.js';
import { KeyRingCopy } from './key-ring-copy.js';

/** What a peer knows and has, of which its reading is made. */
export interface DelegationParts {
  readonly live: LiveConfig;
  /** All nodes of the cluster, as this process reaches them. */
  readonly registry: NodeRegistry;
  readonly desk: DeskCalls;
  /** Undefined as long as it is not known which cluster this is. */
  readonly clusterId: () => ClusterId | undefined;
}

/** What a process that is not the gateway does for its clients itself. */
@Module({})
export class DelegationModule {
  static forRoot({ live, registry, desk, clusterId }: DelegationParts): DynamicModule {
    const config = live.current;
    return {
      module: DelegationModule,
      imports: [MetricsModule],
      providers: [
        { provide: AppConfig, useValue: config },
        { provide: LiveConfig, useValue: live },
        { provide: NodeRegistry, useValue: registry },
        { provide: GatewayDesk, useValue: new GatewayDesk(desk) },
        { provide: StripeCodec, useFactory: loadCodec },
        { provide: DelegationWorkers, useFactory: workers, inject: [StripeCodec, GatewayDesk] },
        Admission,
        ProberService,
        Delegations,
      ],
    };

    function workers(codec: StripeCodec, gateway: GatewayDesk): DelegationWorkers {
      const slices = new SliceReader(live, {
        registry,
        codec,
        layouts: { readLayout: (versionId, page, signal) => gateway.calls.layout(versionId, page, signal) },
        onDamage: (node, shard, { kind }) => gateway.report({ node, shard, kind }),
      });
      const keys = new KeyRingCopy(config.key_ring ?? '', clusterId);
      const writer = new DelegatedWriter({ live, registry, codec });
      return new DelegationWorkers(keys, gateway, new DelegatedReader(new BodyReader(slices)), writer);
    }
  }
}
