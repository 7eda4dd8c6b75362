import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { IsInt, IsISO8601, IsOptional, IsUUID, Max, Min } from 'class-validator';
import { SealedField, SealedFields } from '../http/sealed-fields.js';
import { GRANTS_MAX } from './sharing-rules.js';

const KiB = 1024;
const LIST_BYTES_MAX = 128 * KiB;
const GRANT_BYTES_MAX = 1536;
const LINK_BYTES_MAX = 8 * KiB;
const HASH_BYTES = 32;
const PROOF_BYTES_MAX = 64;
const USES_MAX = 1_000_000_000;

@ApiSchema({ name: 'SharingChange' })
export class SharingChangeDto {
  @SealedField({ description: 'The list of writers, as the owner signed it', bytesMax: LIST_BYTES_MAX })
  readonly writers!: string;

  @SealedFields({ description: 'All grants that there are to be', bytesMax: GRANT_BYTES_MAX, countMax: GRANTS_MAX })
  readonly grants!: readonly string[];
}

@ApiSchema({ name: 'LinkWish' })
export class LinkWishDto {
  @ApiProperty({
    type: 'string',
    format: 'uuid',
    example: '01920000-0000-7000-8000-000000000004',
    description: 'One of `POST /drive/ids`',
  })
  @IsUUID()
  readonly linkId!: string;

  @SealedField({ description: 'What the link opens, sealed', bytesMax: LINK_BYTES_MAX })
  readonly link!: string;

  @SealedField({ description: 'SHA-256 of what whoever opens it has to show', bytesMax: HASH_BYTES })
  readonly proofHash!: string;

  @ApiPropertyOptional({
    type: 'string',
    format: 'date-time',
    nullable: true,
    example: '2027-01-01T00:00:00Z',
    description: 'By the clock of the server; absent or null: it does not end by itself',
  })
  @IsOptional()
  @IsISO8601({ strict: true })
  readonly expiresAt?: string | null;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: USES_MAX,
    nullable: true,
    example: 5,
    description: 'Absent or null: any number',
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(USES_MAX)
  readonly usesMax?: number | null;
}

@ApiSchema({ name: 'LinkProof' })
export class LinkProofDto {
  @SealedField({
    description: 'Derived of the secret of the link, of which the server learns nothing',
    bytesMax: PROOF_BYTES_MAX,
  })
  readonly proof!: string;
}
