import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { IsOptional, IsUUID } from 'class-validator';
import { textOf } from '../http/sealed-fields.js';
import type { UploadedPart } from './uploads.js';
import type { UploadState } from './uploads.service.js';

const ID = { type: 'string', format: 'uuid', example: '01920000-0000-7000-8000-000000000003' } as const;

@ApiSchema({ name: 'UploadWish' })
export class UploadWishDto {
  @ApiPropertyOptional({ ...ID, description: 'The folder of a new file; either this or `nodeId`' })
  @IsOptional()
  @IsUUID()
  readonly parentId?: string;

  @ApiPropertyOptional({ ...ID, description: 'The file that gets new content' })
  @IsOptional()
  @IsUUID()
  readonly nodeId?: string;
}

@ApiSchema({ name: 'UploadPart' })
export class UploadPartDto {
  @ApiProperty({ type: 'integer', example: 0, description: 'From 0' })
  readonly part: number;
  @ApiProperty({ type: 'integer', example: 16_777_216 })
  readonly bytes: number;
  @ApiProperty({ type: 'string', example: '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU', description: 'SHA-256' })
  readonly digest: string;

  constructor({ part, bytes, digest }: Pick<UploadedPart, 'part' | 'bytes' | 'digest'>) {
    this.part = part;
    this.bytes = bytes;
    this.digest = textOf(digest);
  }
}

@ApiSchema({ name: 'DriveUpload' })
export class DriveUploadDto {
  @ApiProperty({ ...ID, description: 'Becomes the id of the revision' })
  readonly uploadId: string;
  @ApiProperty({ ...ID, description: 'Of the file, also of one that is not there yet' })
  readonly nodeId: string;
  @ApiProperty({
    type: 'string',
    format: 'date-time',
    example: '2026-12-02T12:00:00.000Z',
    description: 'When it is removed, unless a part is added',
  })
  readonly expiresAt: string;

  constructor({ upload: { id, nodeId }, expiresAt }: UploadState) {
    this.uploadId = id;
    this.nodeId = nodeId;
    this.expiresAt = new Date(expiresAt).toISOString();
  }
}

@ApiSchema({ name: 'DriveUploadState' })
export class DriveUploadStateDto extends DriveUploadDto {
  @ApiProperty({ type: [UploadPartDto], description: 'What has arrived, by number' })
  readonly parts: readonly UploadPartDto[];

  constructor(state: UploadState) {
    super(state);
    this.parts = state.parts.map((part) => new UploadPartDto(part));
  }
}
