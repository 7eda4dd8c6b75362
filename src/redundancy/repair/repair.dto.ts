import { ApiProperty } from '@nestjs/swagger';
import type { RepairStatus } from './repair-progress.js';

const COUNT = { type: 'integer', format: 'int64' } as const;
const TIME = { type: 'string', format: 'date-time', nullable: true } as const;

/** What is left to restore. */
export class RepairBacklogDto {
  @ApiProperty({ ...COUNT, example: 1200, description: 'Versions of files' })
  readonly versions: number;

  @ApiProperty({ ...COUNT, example: 1258291200, description: 'Sealed bytes, about' })
  readonly bytes: number;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    example: 0,
    description: 'How many more nodes the one survives that is next: the weakest come first',
  })
  readonly survivesLeast: number | null;

  constructor({ versions, bytes, survivesLeast }: RepairStatus['backlog']) {
    this.versions = versions;
    this.bytes = bytes;
    this.survivesLeast = survivesLeast ?? null;
  }
}

/** What was restored since the repair began. */
export class RepairDoneDto {
  @ApiProperty({ ...COUNT, example: 300, description: 'Versions of files that are whole again' })
  readonly versions: number;

  @ApiProperty({ ...COUNT, example: 300, description: 'Shards written' })
  readonly shards: number;

  @ApiProperty({ ...COUNT, example: 314572800, description: 'Their sealed bytes' })
  readonly bytes: number;

  constructor({ versions, shards, bytes }: RepairStatus['done']) {
    this.versions = versions;
    this.shards = shards;
    this.bytes = bytes;
  }
}

/** The repair as it is at this moment. */
export class RepairDto {
  @ApiProperty({
    enum: ['idle', 'waiting', 'running'],
    example: 'running',
    description: '`waiting`: something is left that cannot be restored now; `reason` says why',
  })
  readonly state: RepairStatus['state'];

  @ApiProperty({
    type: 'string',
    nullable: true,
    example: null,
    description: 'Why it waits, or for how long before it begins',
  })
  readonly reason: string | null;

  @ApiProperty({ type: () => RepairBacklogDto, description: 'What is left' })
  readonly backlog: RepairBacklogDto;

  @ApiProperty({ type: () => RepairDoneDto, description: 'What this repair, or the last one, has done' })
  readonly done: RepairDoneDto;

  @ApiProperty({ ...COUNT, example: 52428800, description: 'Of this repair, or the last one' })
  readonly bytesPerSecond: number;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    example: 18,
    description: 'Seconds that it will still take; null if that is not known',
  })
  readonly etaSeconds: number | null;

  @ApiProperty({
    type: 'number',
    example: 1,
    description: 'How many times slower it goes than it could, for the sake of requests',
  })
  readonly heldBack: number;

  @ApiProperty({ ...TIME, example: '2026-11-22T12:00:00.000Z', description: 'When it began' })
  readonly startedAt: string | null;

  @ApiProperty({ ...TIME, example: null, description: 'When it ended' })
  readonly endedAt: string | null;

  @ApiProperty({ type: 'string', nullable: true, example: null, description: 'What went wrong last' })
  readonly lastError: string | null;

  constructor(status: RepairStatus, heldBack: number) {
    this.state = status.state;
    this.reason = status.reason ?? null;
    this.backlog = new RepairBacklogDto(status.backlog);
    this.done = new RepairDoneDto(status.done);
    this.bytesPerSecond = status.bytesPerSecond;
    this.etaSeconds = status.etaSeconds ?? null;
    this.heldBack = heldBack;
    this.startedAt = timeOf(status.startedAt);
    this.endedAt = timeOf(status.endedAt);
    this.lastError = status.lastError ?? null;
  }
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
