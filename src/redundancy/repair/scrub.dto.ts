import { ApiProperty } from '@nestjs/swagger';
import type { ScrubStatus } from './scrub.service.js';

const COUNT = { type: 'integer', format: 'int64' } as const;
const TIME = { type: 'string', format: 'date-time', nullable: true } as const;

/** The scrub that is under way, or the last one since the start of the server. */
export class ScrubDto {
  @ApiProperty({ enum: ['idle', 'running'], example: 'running', description: 'Whether one is under way' })
  readonly state: ScrubStatus['state'];

  @ApiProperty({
    enum: ['scheduled', 'asked-for'],
    type: 'string',
    nullable: true,
    example: 'asked-for',
    description: 'Why it is under way; null if none is',
  })
  readonly kind: 'scheduled' | 'asked-for' | null;

  @ApiProperty({ ...COUNT, example: 1200, description: 'Files looked at' })
  readonly files: number;

  @ApiProperty({ ...COUNT, example: 4800, description: 'Shards looked at' })
  readonly shards: number;

  @ApiProperty({ ...COUNT, example: 4831838208, description: 'Their sealed bytes' })
  readonly bytes: number;

  @ApiProperty({ ...COUNT, example: 0, description: 'Shards and records that were missing or damaged; repair mends them' })
  readonly damaged: number;

  @ApiProperty({ ...TIME, example: '2026-11-22T12:00:00.000Z', description: 'When it began' })
  readonly startedAt: string | null;

  @ApiProperty({ ...TIME, example: null, description: 'When it ended' })
  readonly endedAt: string | null;

  @ApiProperty({ ...TIME, example: '2026-12-20T12:00:00.000Z', description: 'When the next one begins by itself' })
  readonly nextAt: string | null;

  @ApiProperty({ type: 'string', nullable: true, example: null, description: 'Why it could not look at everything' })
  readonly lastError: string | null;

  constructor(status: ScrubStatus) {
    this.state = status.state;
    this.kind = status.kind ?? null;
    this.files = status.files;
    this.shards = status.shards;
    this.bytes = status.bytes;
    this.damaged = status.damaged;
    this.startedAt = timeOf(status.startedAt);
    this.endedAt = timeOf(status.endedAt);
    this.nextAt = timeOf(status.nextAt);
    this.lastError = status.lastError ?? null;
  }
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
