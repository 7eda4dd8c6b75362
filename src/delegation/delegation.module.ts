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

/** The reading of bodies in a process that is not the gateway. */
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
        { provide: KeyRingCopy, useValue: new KeyRingCopy(config.key_ring ?? '', clusterId) },
        { provide: StripeCodec, useFactory: loadCodec },
        { provide: BodyReader, useFactory: bodyReader, inject: [StripeCodec, GatewayDesk] },
        Admission,
        ProberService,
        DelegatedReader,
      ],
    };

    function bodyReader(codec: StripeCodec, gateway: GatewayDesk): BodyReader {
      const slices = new SliceReader(live, {
        registry,
        codec,
        layouts: { readLayout: (versionId, page, signal) => gateway.calls.layout(versionId, page, signal) },
        onDamage: (node, shard, { kind }) => gateway.report({ node, shard, kind }),
      });
      return new BodyReader(slices);
    }
  }
}
