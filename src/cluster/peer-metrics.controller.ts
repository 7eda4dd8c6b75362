import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { GatewayWatch } from './gateway-watch.js';

/** Prometheus' view of the process of a peer; what it needs to know of the nodes it asks the gateway. */
@ApiExcludeController()
@Controller('metrics')
export class PeerMetricsController {
  constructor(
    private readonly metrics: Registry,
    watch: GatewayWatch,
  ) {
    collectDefaultMetrics({ register: metrics });
    new Gauge({
      name: 'dcloud_gateway_reachable',
      help: '1 if this peer can pass requests on, else 0',
      registers: [metrics],
      collect(): void {
        this.set(watch.problem() === undefined ? 1 : 0);
      },
    });
  }

  @Get()
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  read(): Promise<string> {
    return this.metrics.metrics();
  }
}
