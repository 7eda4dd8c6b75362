import { ApiProperty } from '@nestjs/swagger';
import type { FileRecord } from '../metadata/metadata-store.js';
import type { ScheduleStatus } from './backup-schedule.service.js';

/** A backup on the nodes. */
export class KeptBackupDto {
  @ApiProperty({ format: 'date-time', example: '2026-01-31T02:00:00.000Z' })
  readonly createdAt: string;

  @ApiProperty({ type: 'integer', minimum: 0, example: 1258291, description: 'Its bytes, before they are sealed' })
  readonly size: number;

  constructor({ createdAt, size }: FileRecord) {
    this.createdAt = new Date(createdAt).toISOString();
    this.size = size;
  }
}

export class BackupsDto {
  @ApiProperty({ type: 'integer', minimum: 0, example: 86400, description: 'Seconds between two of them; 0: none are made' })
  readonly interval: number;

  @ApiProperty({
    type: 'string',
    nullable: true,
    example: null,
    description: 'The code of the error of which the last one failed; null: it did not',
  })
  readonly failure: string | null;

  @ApiProperty({ type: [KeptBackupDto], description: 'Those that there are, the newest first' })
  readonly kept: readonly KeptBackupDto[];

  constructor(interval: number, { failure }: ScheduleStatus, kept: readonly FileRecord[]) {
    this.interval = interval;
    this.failure = failure ?? null;
    this.kept = kept.map((file) => new KeptBackupDto(file));
  }
}
