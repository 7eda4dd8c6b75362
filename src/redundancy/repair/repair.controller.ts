import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { RepairDto } from './repair.dto.js';
import { DescribeRepair, DescribeScrub, DescribeStartScrub } from './repair.openapi.js';
import { RepairService } from './repair.service.js';
import { ScrubDto } from './scrub.dto.js';
import { ScrubService } from './scrub.service.js';

/** What restores and proves the stored by itself. */
@ApiTags('repair')
@Controller()
export class RepairController {
  constructor(
    private readonly repairs: RepairService,
    private readonly scrubs: ScrubService,
  ) {}

  @Get('repair')
  @DescribeRepair()
  repair(): RepairDto {
    return new RepairDto(this.repairs.status(), this.repairs.pace.heldBack);
  }

  @Get('scrub')
  @DescribeScrub()
  scrub(): ScrubDto {
    return new ScrubDto(this.scrubs.status());
  }

  @Post('scrub')
  @HttpCode(202)
  @DescribeStartScrub()
  async startScrub(): Promise<ScrubDto> {
    await this.scrubs.start();
    return new ScrubDto(this.scrubs.status());
  }
}
