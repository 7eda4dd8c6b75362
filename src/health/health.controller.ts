import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { Access } from '../http/access.js';
import { DescribeHealth } from './health.openapi.js';
import { ReadinessService } from './readiness.service.js';

/** For load balancers and supervisors: `live` is "do not restart me", `ready` is "send me requests". */
@ApiTags('health')
@Controller('health')
@Access('open')
export class HealthController {
  constructor(
    private readonly checks: HealthCheckService,
    private readonly readiness: ReadinessService,
  ) {}

  /** Whether files can be stored now: the same as `/health/ready` */
  @Get()
  @DescribeHealth('getHealth')
  health(): Promise<HealthCheckResult> {
    return this.ready();
  }

  /** 200 as long as the process answers */
  @Get('live')
  @DescribeHealth('getLiveness')
  live(): Promise<HealthCheckResult> {
    return this.checks.check([]);
  }

  /** 200 if files can be stored: the index can be written and at least redundancy_count + 1 nodes are up */
  @Get('ready')
  @DescribeHealth('getReadiness')
  ready(): Promise<HealthCheckResult> {
    return this.checks.check([() => this.readiness.index(), () => this.readiness.nodes()]);
  }
}
