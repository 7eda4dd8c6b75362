import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Matches, MaxLength, ValidateIf } from 'class-validator';
import type { ListOrder } from '../metadata/metadata-store.js';

const ORDERS: readonly ListOrder[] = ['name', '-name', 'createdAt', '-createdAt'];

/** Query of an upload. */
export class UploadQueryDto {
  @ApiPropertyOptional({ example: 'holiday.jpg', description: 'Name of the file; wins over the one in the headers or the form' })
  @IsOptional()
  @IsString()
  readonly name?: string;
}

/** Query of a list. */
export class ListQueryDto {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 1000, default: 100, example: 100 })
  @IsOptional()
  @Matches(/^\d{1,4}$/, { message: 'limit must be a whole number' })
  readonly limit?: string;

  @ApiPropertyOptional({ description: '`nextCursor` of the page before, with the same order and prefix' })
  @IsOptional()
  @Matches(/^[A-Za-z0-9_-]{1,2048}$/, { message: 'cursor must be one that a page gave' })
  readonly cursor?: string;

  @ApiPropertyOptional({ example: 'holiday', description: 'Only names that begin with it; with the orders by name' })
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  readonly prefix?: string;

  @ApiPropertyOptional({ enum: ORDERS, default: 'name', description: '`-` is descending; names by their UTF-8 bytes' })
  @IsOptional()
  @IsIn(ORDERS)
  readonly order?: ListOrder;
}

/** What may be changed of a file beside its content. */
export class UpdateFileDto {
  @ApiPropertyOptional({ example: 'holiday.jpg' })
  @ValidateIf((body: UpdateFileDto) => body.name !== undefined)
  @IsString()
  readonly name?: string;

  @ApiPropertyOptional({ example: 'image/jpeg' })
  @ValidateIf((body: UpdateFileDto) => body.contentType !== undefined)
  @IsString()
  readonly contentType?: string;
}
