import { ApiProperty } from '@nestjs/swagger';
import type { AlignmentProgress, DrainProgress } from '../nodes/store-view.js';

/** How far a node that drains has come; what is left of files is in `files` and `bytes`. */
export class DrainDto {
  @ApiProperty({ type: 'integer', example: 12, description: 'Records of files that are still said to lie on it' })
  readonly records: number;

  @ApiProperty({ type: 'integer', nullable: true, example: 30, description: 'Seconds until it is empty, from the speed so far' })
  readonly etaSeconds: number | null;

  @ApiProperty({ example: false, description: 'True if nothing is left on it: then it may be removed' })
  readonly done: boolean;

  constructor({ records, etaSeconds, isDone }: DrainProgress) {
    this.records = records;
    this.etaSeconds = etaSeconds ?? null;
    this.done = isDone;
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

  constructor({ files, bytes, etaSeconds, failed }: AlignmentProgress) {
    this.files = files;
    this.bytes = bytes;
    this.etaSeconds = etaSeconds ?? null;
    this.failed = failed;
  }
}
