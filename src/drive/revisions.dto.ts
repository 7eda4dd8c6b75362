import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, Max, Min } from 'class-validator';
import { CONTENT, DIGESTS, MANIFEST } from './drive-requests.dto.js';
import type { RevisionPage } from './revision-reads.service.js';
import { OptionalSealedField, OptionalSealedFields, SealedField, textOf } from '../http/sealed-fields.js';
import { contentBytes, type StoredRevision } from './stored-revision.js';

const PAGE_REVISIONS_MAX = 100;
const BYTES = { type: 'string', example: 'AQIDBA' } as const;

@ApiSchema({ name: 'RevisionWish' })
export class RevisionWishDto {
  @SealedField(MANIFEST)
  readonly manifest!: string;

  @OptionalSealedField(CONTENT)
  readonly content?: string;

  @OptionalSealedFields(DIGESTS)
  readonly digests?: readonly string[];
}

export class RevisionsQueryDto {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: PAGE_REVISIONS_MAX, default: PAGE_REVISIONS_MAX })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(PAGE_REVISIONS_MAX)
  readonly limit?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    description: 'Only revisions below this one: `nextBefore` of the page before',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  readonly before?: number;
}

@ApiSchema({ name: 'DriveRevision' })
export class DriveRevisionDto {
  @ApiProperty({ type: 'integer', example: 1 })
  readonly revision: number;
  @ApiProperty({ type: 'string', format: 'uuid', example: '01920000-0000-7000-8000-000000000004' })
  readonly revisionId: string;
  @ApiProperty({ ...BYTES, description: 'As its writer signed it' })
  readonly manifest: string;
  @ApiProperty({ type: 'integer', example: 16_777_216, description: 'Of the sealed content' })
  readonly bytes: number;
  @ApiProperty({ type: 'string', format: 'date-time', example: '2026-11-25T12:00:00.000Z' })
  readonly createdAt: string;

  constructor({ revision, revisionId, manifest, content, createdAt }: StoredRevision) {
    this.revision = revision;
    this.revisionId = revisionId;
    this.manifest = textOf(manifest);
    this.bytes = contentBytes(content);
    this.createdAt = new Date(createdAt).toISOString();
  }
}

@ApiSchema({ name: 'DriveRevisionContent' })
export class DriveRevisionContentDto extends DriveRevisionDto {
  @ApiProperty({ ...BYTES, nullable: true, description: 'The whole sealed content, if it came with its manifest' })
  readonly content: string | null;

  constructor(stored: StoredRevision) {
    super(stored);
    this.content = 'inline' in stored.content ? textOf(stored.content.inline) : null;
  }
}

@ApiSchema({ name: 'DriveRevisions' })
export class DriveRevisionsDto {
  @ApiProperty({ type: [DriveRevisionDto], description: 'The newest first' })
  readonly items: readonly DriveRevisionDto[];
  @ApiProperty({ type: 'integer', nullable: true, example: 17, description: '`before` of the next page; null on the last one' })
  readonly nextBefore: number | null;

  constructor({ revisions, nextBefore }: RevisionPage) {
    this.items = revisions.map((stored) => new DriveRevisionDto(stored));
    this.nextBefore = nextBefore ?? null;
  }
}
