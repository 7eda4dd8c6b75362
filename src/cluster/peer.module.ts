import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { LoggerModule } from 'nestjs-pino';
import { loggingOptions } from '../http/logging.js';
import { MetricsModule } from '../http/metrics.module.js';
import { ProblemFilter } from '../http/problem.filter.js';
import { RequestLog } from '../http/request-log.js';
import { GatewayWatch } from './gateway-watch.js';
import { PeerHealthController } from './peer-health.controller.js';
import { PeerMetricsController } from './peer-metrics.controller.js';

/** What a peer answers by itself: no index and no files. */
@Module({})
export class PeerModule {
  /** @param others what it has besides */
  static forRoot(logLevel: string, watch: GatewayWatch, others: ModuleMetadata['imports']): DynamicModule {
    return {
      module: PeerModule,
      imports: [
        MetricsModule,
        TerminusModule.forRoot({ errorLogStyle: 'json', logger: false }),
        LoggerModule.forRoot(loggingOptions(logLevel)),
        ...(others ?? []),
      ],
      controllers: [PeerHealthController, PeerMetricsController],
      providers: [RequestLog, { provide: GatewayWatch, useValue: watch }, { provide: APP_FILTER, useClass: ProblemFilter }],
    };
  }
}
