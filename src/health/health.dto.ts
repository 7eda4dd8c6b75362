import { ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';

/** What was found of one thing that the server needs. */
export class CheckDto {
  @ApiProperty({ enum: ['up', 'degraded', 'down'], example: 'up', description: 'How it is' })
  readonly status!: string;

  @ApiPropertyOptional({ type: 'integer', example: 4, description: 'Nodes that are up' })
  readonly up?: number;

  @ApiPropertyOptional({ type: 'integer', example: 2, description: 'Nodes that must be up' })
  readonly needed?: number;

  @ApiPropertyOptional({ example: 'the index cannot be written', description: 'Why it is not up' })
  readonly reason?: string;
}

const CHECKS = {
  type: 'object',
  additionalProperties: { $ref: getSchemaPath(CheckDto) },
} as const;
const UP = { index: { status: 'up' }, nodes: { status: 'up', up: 4, needed: 2 } };

/** State of the server, in the format of Terminus. */
export class HealthDto {
  @ApiProperty({ enum: ['ok', 'degraded', 'error', 'shutting_down'], example: 'ok', description: 'All in one word' })
  readonly status!: string;

  @ApiProperty({ ...CHECKS, nullable: true, example: UP, description: 'The checks that are well' })
  readonly info!: Record<string, CheckDto> | null;

  @ApiProperty({ ...CHECKS, nullable: true, example: {}, description: 'The checks that are not' })
  readonly error!: Record<string, CheckDto> | null;

  @ApiProperty({ ...CHECKS, example: UP, description: 'All checks' })
  readonly details!: Record<string, CheckDto>;
}
