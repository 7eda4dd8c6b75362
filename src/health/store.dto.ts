import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { AlignmentProgress, DrainProgress, StuckFiles } from '../nodes/store-view.js';

/** Files that have to stay where they are until somebody does something about them. */
export class StuckFilesDto {
  @ApiProperty({ type: 'integer', example: 1, description: 'How many' })
  readonly files: number;

  @ApiProperty({ format: 'uuid', example: '0192f3a4-5b6c-7d8e-9f01-23456789abcd', description: 'The id of one of them' })
  readonly fileId: string;

  @ApiProperty({ example: 'a page of its layout is lost: nobody can tell where that part of it lies', description: 'Why' })
  readonly reason: string;

  constructor({ files, fileId, reason }: StuckFiles) {
    this.files = files;
    this.fileId = fileId;
    this.reason = reason;
  }
}

/** How far a node that drains has come; what is left of files is in `files` and `bytes`. */
export class DrainDto {
  @ApiProperty({ type: 'integer', example: 12, description: 'Records of files that are still said to lie on it' })
  readonly records: number;

  @ApiProperty({ type: 'integer', nullable: true, example: 30, description: 'Seconds until it is empty, from the speed so far' })
  readonly etaSeconds: number | null;

  @ApiProperty({ example: false, description: 'True if nothing is left on it: then it may be removed' })
  readonly done: boolean;

  @ApiPropertyOptional({ type: () => StuckFilesDto, description: 'Files that keep it from being done; absent if there are none' })
  readonly stuck?: StuckFilesDto;

  constructor({ records, etaSeconds, isDone, stuck }: DrainProgress) {
    this.records = records;
    this.etaSeconds = etaSeconds ?? null;
    this.done = isDone;
    if (stuck !== undefined) this.stuck = new StuckFilesDto(stuck);
  }
}

/** Files that are being brought to where the nodes and `redundancy_count` want them. */
export class AlignmentDto {
  @ApiProperty({ type: 'integer', example: 1200, description: 'Files that are left' })
  readonly files: number;

  @ApiProperty({ type: 'integer', format: 'int64', example: 12582912, description: 'Bytes of their shards' })
  readonly bytes: number;

  @ApiProperty({ type: 'integer', nullable: true, example: 60, description: 'Seconds until none is left, from the speed so far' })
  readonly etaSeconds: number | null;

  @ApiProperty({ type: 'integer', example: 0, description: 'Files with which it failed the last time; they are tried again' })
  readonly failed: number;

  @ApiPropertyOptional({
    type: () => StuckFilesDto,
    description: 'Those of them with which trying again does not help; absent if there are none',
  })
  readonly stuck?: StuckFilesDto;

  constructor({ files, bytes, etaSeconds, failed, stuck }: AlignmentProgress) {
    this.files = files;
    this.bytes = bytes;
    this.etaSeconds = etaSeconds ?? null;
    this.failed = failed;
    if (stuck !== undefined) this.stuck = new StuckFilesDto(stuck);
  }
}
