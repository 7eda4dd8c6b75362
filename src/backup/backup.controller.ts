import { pipeline } from 'node:stream/promises';
import { Controller, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { AppConfig } from '../config/app-config.js';
import { requestSignal } from '../http/request-signal.js';
import { BackupSchedule } from './backup-schedule.service.js';
import { BackupsDto } from './backup.dto.js';
import { DescribeBackups, DescribeMakeBackup } from './backup.openapi.js';
import { BackupService } from './backup.service.js';
import { KeptBackups } from './kept-backups.js';
import { piecesOf } from './open-backup.js';

/** Backups of index and configuration. */
@ApiTags('backup')
@Controller('backup')
export class BackupController {
  constructor(
    private readonly config: AppConfig,
    private readonly service: BackupService,
    private readonly kept: KeptBackups,
    private readonly schedule: BackupSchedule,
  ) {}

  @Post()
  @HttpCode(200)
  @DescribeMakeBackup()
  async make(@Req() request: Request, @Res() response: Response): Promise<void> {
    const signal = requestSignal(request, response);
    const backup = await this.service.make(signal);
    try {
      const { size } = await backup.file.stat();
      response.writeHead(200, {
        'Content-Type': 'application/octet-stream',
        'Content-Length': size,
        'Cache-Control': 'no-store',
      });
      await pipeline(piecesOf(backup.file, 0, signal), response);
    } finally {
      await backup.close();
    }
  }

  @Get()
  @DescribeBackups()
  async status(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<BackupsDto> {
    const kept = await this.kept.list(requestSignal(request, response));
    return new BackupsDto(this.config.backup_interval, this.schedule.status, kept);
  }
}
