import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsInt,
  IsObject,
  IsOptional,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { OptionalSealedField, OptionalSealedFields, SealedField } from '../http/sealed-fields.js';
import { VAULT_BYTES_MAX } from './vault.service.js';

const KiB = 1024;
export const RECORD_BYTES_MAX = 8 * KiB;
export const MANIFEST_BYTES_MAX = 2 * KiB * KiB;
export const INLINED_BYTES_MAX = 48 * KiB;
export const PARTS_MAX = 16_400;
const DIGEST_BYTES = 32;
const IDS_MAX = 1000;
const PAGE_NODES_MAX = 500;
export const BATCH_NODES_MAX = 32;

export const RECORD = { description: 'Who signed it says where the node lies', bytesMax: RECORD_BYTES_MAX };
export const MANIFEST = { description: 'The manifest of a content', bytesMax: MANIFEST_BYTES_MAX };
export const CONTENT = { description: 'The only part, sealed; absent if the parts were uploaded', bytesMax: INLINED_BYTES_MAX };
export const DIGESTS = {
  description: 'SHA-256 of each sealed part that was uploaded, in order',
  bytesMax: DIGEST_BYTES,
  countMax: PARTS_MAX,
};

@ApiSchema({ name: 'IdsWish' })
export class IdsWishDto {
  @ApiProperty({ type: 'integer', minimum: 1, maximum: IDS_MAX, example: 10 })
  @IsInt()
  @Min(1)
  @Max(IDS_MAX)
  readonly count!: number;
}

@ApiSchema({ name: 'NodeWish' })
export class NodeWishDto {
  @SealedField(RECORD)
  readonly record!: string;

  @OptionalSealedField(MANIFEST)
  readonly manifest?: string;

  @OptionalSealedField(CONTENT)
  readonly content?: string;

  @OptionalSealedFields(DIGESTS)
  readonly digests?: readonly string[];
}

@ApiSchema({ name: 'NodeWishes' })
export class NodeWishesDto {
  @ApiProperty({ type: [NodeWishDto], minItems: 1, maxItems: BATCH_NODES_MAX })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(BATCH_NODES_MAX)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => NodeWishDto)
  readonly nodes!: readonly NodeWishDto[];
}

@ApiSchema({ name: 'NodeRecord' })
export class NodeRecordDto {
  @SealedField(RECORD)
  readonly record!: string;
}

export class ChildrenQueryDto {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: PAGE_NODES_MAX, default: 200 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(PAGE_NODES_MAX)
  readonly limit?: number;

  @ApiPropertyOptional({ description: 'The `nextCursor` of the page before' })
  @IsOptional()
  @Matches(/^[\w-]{1,2048}$/, { message: 'cursor must be one that a page gave' })
  readonly cursor?: string;

  @ApiPropertyOptional({ description: 'Only the node with this name tag: 32 bytes as base64url' })
  @IsOptional()
  @Matches(/^[\w-]{43}$/, { message: 'nameTag must be 32 bytes as base64url' })
  readonly nameTag?: string;
}

@ApiSchema({ name: 'VaultChange' })
export class VaultChangeDto {
  @SealedField({ description: 'As the client sealed it', bytesMax: VAULT_BYTES_MAX })
  readonly bytes!: string;

  @ApiPropertyOptional({ type: 'integer', minimum: 1, example: 1, description: 'One more than before; checked if it is there' })
  @IsOptional()
  @IsInt()
  @Min(1)
  readonly revision?: number;
}
