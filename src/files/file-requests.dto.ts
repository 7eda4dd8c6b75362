import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Matches, MaxLength, ValidateIf } from 'class-validator';
import type { ListOrder } from '../metadata/metadata-store.js';

const ORDERS: readonly ListOrder[] = ['name', '-name', 'createdAt', '-createdAt'];

/** Not seen by the plugin for the API document, where the limit is an integer and has no pattern. */
const IsWholeNumber = (): PropertyDecorator => Matches(/^\d{1,4}$/, { message: 'limit must be a whole number' });

// Swagger UI fills its form with the `example` of a parameter, and these must stay empty there: so their examples are in the descriptions.

/** Query of an upload. */
export class UploadQueryDto {
  @ApiPropertyOptional({ description: 'Name of the file, like `holiday.jpg`; wins over the one in the headers or the form' })
  @IsOptional()
  @IsString()
  readonly name?: string;
}

/** Query of a list. */
export class ListQueryDto {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 1000, default: 100, example: 100, description: 'Files of a page' })
  @IsOptional()
  @IsWholeNumber()
  readonly limit?: string;

  @ApiPropertyOptional({ description: '`nextCursor` of the page before, with the same order and prefix' })
  @IsOptional()
  @Matches(/^[A-Za-z0-9_-]{1,2048}$/, { message: 'cursor must be one that a page gave' })
  readonly cursor?: string;

  @ApiPropertyOptional({ description: 'Only names that begin with it, like `holiday`; with the orders by name' })
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  readonly prefix?: string;

  @ApiPropertyOptional({
    enum: ORDERS,
    default: 'name',
    example: 'name',
    description: '`-` is descending; names by their UTF-8 bytes',
  })
  @IsOptional()
  @IsIn(ORDERS)
  readonly order?: ListOrder;
}

/** What may be changed of a file beside its content. */
export class UpdateFileDto {
  @ApiPropertyOptional({ example: 'holiday.jpg', description: 'The new name' })
  @ValidateIf((body: UpdateFileDto) => body.name !== undefined)
  @IsString()
  readonly name?: string;

  @ApiPropertyOptional({ example: 'image/jpeg', description: 'The new content type' })
  @ValidateIf((body: UpdateFileDto) => body.contentType !== undefined)
  @IsString()
  readonly contentType?: string;
}
