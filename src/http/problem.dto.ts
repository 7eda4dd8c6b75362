import { ApiProperty } from '@nestjs/swagger';
import { ERRORS } from '../common/errors.js';

/** An error (RFC 9457). */
export class ProblemDto {
  @ApiProperty({ format: 'uri-reference', example: 'urn:dcloud:problem:file-not-found', description: 'The kind of error' })
  readonly type!: string;

  @ApiProperty({ example: ERRORS['file-not-found'].title })
  readonly title!: string;

  @ApiProperty({ type: 'integer', example: 404 })
  readonly status!: number;

  @ApiProperty({
    example: 'file-not-found',
    description: `Stable, for programs: ${Object.entries(ERRORS)
      .filter(([, { status }]) => status !== null)
      .map(([code]) => code)
      .join(', ')}`,
  })
  readonly code!: string;

  @ApiProperty({ example: 'no file has this id', description: 'What was wrong this time, for people' })
  readonly detail!: string;
}
