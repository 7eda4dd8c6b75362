import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, MaxLength } from 'class-validator';
import type { MoveProgress } from '../metadata/moving/index-move.js';
import type { Engine } from '../metadata/moving/index-transit.js';
import type { MigrationStatus } from './migration.service.js';

const ENGINES: readonly Engine[] = ['embedded', 'postgres'];
const URL_CHARACTERS_MAX = 4096;

/** From which engine to which the index is to be moved. */
export class MigrationWishDto {
  @ApiProperty({ enum: ENGINES, example: 'postgres', description: 'The engine in use' })
  @IsIn(ENGINES)
  readonly from!: Engine;

  @ApiProperty({ enum: ENGINES, example: 'embedded', description: 'The other one' })
  @IsIn(ENGINES)
  readonly to!: Engine;

  @ApiPropertyOptional({
    type: 'string',
    example: 'postgres://dcloud@127.0.0.1:5432/dcloud',
    description: 'Of the database, with its password, where the configuration has none',
  })
  @IsOptional()
  @IsString()
  @MaxLength(URL_CHARACTERS_MAX)
  readonly url?: string;
}

/** What both sides have of one kind of rows. */
class KindDigestDto {
  @ApiProperty({ example: 'files', description: 'Kind of the rows' })
  readonly kind!: string;

  @ApiProperty({ type: 'integer', example: 1000, description: 'How many there are' })
  readonly count!: number;

  @ApiProperty({ example: 'e3b0c442', description: 'SHA-256 of all of them, in hexadecimal' })
  readonly digest!: string;
}

class MoveProgressDto {
  @ApiProperty({
    enum: ['copying', 'finishing', 'comparing'],
    example: 'copying',
    description: 'While it is `copying`, changes are made',
  })
  readonly phase!: MoveProgress['phase'];

  @ApiProperty({ example: 'files', description: 'Kind of the rows' })
  readonly kind!: string;

  @ApiProperty({ type: 'integer', example: 512, description: 'Rows of this kind that were gone through in this phase' })
  readonly rows!: number;
}

class MigrationFailureDto {
  @ApiProperty({ example: 'storage-unusable', description: 'Code of the error' })
  readonly code!: string;

  @ApiProperty({ example: 'the database cannot be reached', description: 'What happened' })
  readonly detail!: string;
}

/** How the move of the index stands. */
export class MigrationDto {
  @ApiProperty({
    enum: ['none', 'running', 'done', 'failed'],
    example: 'running',
    description: 'Of the last one since the start',
  })
  readonly state: MigrationStatus['state'];

  @ApiProperty({ enum: ENGINES, nullable: true, example: 'embedded', description: 'The engine that it leaves' })
  readonly from: Engine | null;

  @ApiProperty({ enum: ENGINES, nullable: true, example: 'postgres', description: 'The engine that it goes to' })
  readonly to: Engine | null;

  @ApiProperty({ type: MoveProgressDto, nullable: true, description: 'How far it is' })
  readonly progress: MoveProgressDto | null;

  @ApiProperty({ type: 'integer', nullable: true, example: 2000, description: 'Rows that were written' })
  readonly written: number | null;

  @ApiProperty({ type: KindDigestDto, isArray: true, description: 'What was compared, and is the same on both sides' })
  readonly kinds: readonly KindDigestDto[];

  @ApiProperty({ type: MigrationFailureDto, nullable: true, description: 'Why it failed' })
  readonly failure: MigrationFailureDto | null;

  constructor({ state, from, to, progress, result, failure }: MigrationStatus) {
    this.state = state;
    this.from = from ?? null;
    this.to = to ?? null;
    this.progress = progress ?? null;
    this.written = result?.written ?? null;
    this.kinds = result?.kinds ?? [];
    this.failure = failure ?? null;
  }
}
