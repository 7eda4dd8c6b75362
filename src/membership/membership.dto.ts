import { ApiProperty } from '@nestjs/swagger';
import type { RebalanceState, RebalanceStatus } from './rebalance.service.js';
import type { ReloadReport } from './reload.service.js';

/** A node as the cluster counts it. */
export class MemberDto {
  @ApiProperty({ type: 'integer', example: 2, description: 'Its number, from 1' })
  readonly node: number;

  @ApiProperty({ enum: ['active', 'draining'], example: 'draining', description: '`active`: it takes files' })
  readonly member: 'active' | 'draining';

  constructor(node: number, member: MemberDto['member']) {
    this.node = node;
    this.member = member;
  }
}

const STATES: readonly RebalanceState[] = ['never', 'waiting', 'running', 'even', 'uneven', 'cancelled', 'failed'];

/** How the last rebalance stands. */
export class RebalanceDto {
  @ApiProperty({
    enum: STATES,
    example: 'running',
    description:
      '`waiting`: it was under way before a restart, and goes on when the nodes are there; `even`: no two nodes differ by more than one file; `uneven`: what is left could not be moved now; `cancelled`: the nodes changed meanwhile; `never`: none since the start',
  })
  readonly state: RebalanceState;

  @ApiProperty({ type: 'integer', example: 120, description: 'Shards moved so far, since the last restart' })
  readonly moved: number;

  @ApiProperty({ type: 'integer', example: 380, description: 'Shards that have to be moved until all nodes are even' })
  readonly left: number;

  @ApiProperty({ type: 'integer', nullable: true, example: 12, description: 'Seconds until it ends, from its speed so far' })
  readonly etaSeconds: number | null;

  @ApiProperty({
    type: 'string',
    format: 'date-time',
    nullable: true,
    example: '2026-11-22T12:00:00.000Z',
    description: 'Its begin',
  })
  readonly startedAt: string | null;

  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, example: null, description: 'Its end' })
  readonly endedAt: string | null;

  constructor({ state, moved, left, etaSeconds, startedAt, endedAt }: RebalanceStatus) {
    this.state = state;
    this.moved = moved;
    this.left = left;
    this.etaSeconds = etaSeconds ?? null;
    this.startedAt = timeOf(startedAt);
    this.endedAt = timeOf(endedAt);
  }
}

/** What a reload took over. */
export class ReloadDto {
  @ApiProperty({ type: 'integer', isArray: true, example: [5], description: 'Numbers of the nodes that are new' })
  readonly added: readonly number[];

  @ApiProperty({ type: 'integer', example: 1, description: '`redundancy_count` before' })
  readonly redundancyBefore: number;

  @ApiProperty({ type: 'integer', example: 2, description: '`redundancy_count` from now on' })
  readonly redundancy: number;

  constructor({ added, redundancyBefore, redundancy }: ReloadReport) {
    this.added = added;
    this.redundancyBefore = redundancyBefore;
    this.redundancy = redundancy;
  }
}

function timeOf(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
