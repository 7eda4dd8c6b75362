import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { MigrationDto, MigrationWishDto } from './migration.dto.js';
import { DescribeMigration, DescribeStartMigration } from './migration.openapi.js';
import { MigrationService } from './migration.service.js';

/** Where the index is. */
@ApiTags('index')
@Controller('metadata/migration')
export class MigrationController {
  constructor(private readonly service: MigrationService) {}

  @Post()
  @HttpCode(202)
  @DescribeStartMigration()
  start(@Body() { from, to, url }: MigrationWishDto): MigrationDto {
    this.service.start({ from, to, url });
    return new MigrationDto(this.service.status);
  }

  @Get()
  @DescribeMigration()
  status(): MigrationDto {
    return new MigrationDto(this.service.status);
  }
}
