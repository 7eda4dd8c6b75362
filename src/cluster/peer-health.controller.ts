import { Controller, Get } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { HealthCheckService, HealthIndicatorService, type HealthCheckResult } from '@nestjs/terminus';
import { GatewayWatch } from './gateway-watch.js';

/** The health of a peer: `live` as at the gateway; `ready` if what a client sends here gets to the gateway. */
@ApiExcludeController()
@Controller('health')
export class PeerHealthController {
  constructor(
    private readonly checks: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly watch: GatewayWatch,
  ) {}

  @Get()
  health(): Promise<HealthCheckResult> {
    return this.ready();
  }

  @Get('live')
  live(): Promise<HealthCheckResult> {
    return this.checks.check([]);
  }

  @Get('ready')
  ready(): Promise<HealthCheckResult> {
    return this.checks.check([
      () => {
        const indicator = this.indicators.check('gateway');
        const problem = this.watch.problem();
        return problem === undefined ? indicator.up() : indicator.down({ reason: problem });
      },
    ]);
  }
}
