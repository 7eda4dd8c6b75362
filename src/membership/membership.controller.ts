import { Controller, Delete, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { requestSignal } from '../http/request-signal.js';
import { MemberDto, RebalanceDto, ReloadDto } from './membership.dto.js';
import {
  DescribeCancelDrain,
  DescribeDrain,
  DescribeRebalance,
  DescribeReload,
  DescribeRemove,
  DescribeReplace,
  DescribeStartRebalance,
} from './membership.openapi.js';
import { MembershipService } from './membership.service.js';
import { RebalanceService } from './rebalance.service.js';
import { ReloadService } from './reload.service.js';

/** Which nodes there are, and what lies where. */
@ApiTags('nodes')
@Controller()
export class MembershipController {
  constructor(
    private readonly service: MembershipService,
    private readonly rebalances: RebalanceService,
    private readonly reloads: ReloadService,
  ) {}

  @Post('nodes/:node/drain')
  @HttpCode(202)
  @DescribeDrain()
  async drain(
    @Param('node') node: string,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<MemberDto> {
    await this.service.drain(numberOf(node), requestSignal(request, response));
    return new MemberDto(numberOf(node), 'draining');
  }

  @Delete('nodes/:node/drain')
  @HttpCode(204)
  @DescribeCancelDrain()
  cancelDrain(@Param('node') node: string): Promise<void> {
    return this.service.cancelDrain(numberOf(node));
  }

  @Delete('nodes/:node')
  @HttpCode(204)
  @DescribeRemove()
  remove(@Param('node') node: string, @Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<void> {
    return this.service.remove(numberOf(node), requestSignal(request, response));
  }

  @Post('nodes/:node/replace')
  @HttpCode(202)
  @DescribeReplace()
  async replace(@Param('node') node: string): Promise<MemberDto> {
    await this.service.replace(numberOf(node));
    return new MemberDto(numberOf(node), 'active');
  }

  @Post('rebalance')
  @HttpCode(202)
  @DescribeStartRebalance()
  rebalance(): RebalanceDto {
    this.rebalances.start();
    return new RebalanceDto(this.rebalances.status);
  }

  @Get('rebalance')
  @DescribeRebalance()
  rebalanceStatus(): RebalanceDto {
    return new RebalanceDto(this.rebalances.status);
  }

  @Post('reload')
  @HttpCode(200)
  @DescribeReload()
  async reload(): Promise<ReloadDto> {
    return new ReloadDto(await this.reloads.reload());
  }
}

/** What is no number is that of no node. */
function numberOf(text: string): number {
  return /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
}
