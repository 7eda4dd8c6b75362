import { ApiProperty } from '@nestjs/swagger';
import { etagOf } from '../http/conditional.js';
import type { FilePage, FileRecord, StoredFile } from '../metadata/metadata-store.js';
import type { LayoutReport } from '../redundancy/survival.js';

const EXAMPLE_ID = '01920000-0000-7000-8000-000000000001';
const EXAMPLE_VERSION = '01920000-0000-7000-8000-000000000002';

/** What is known of a file. */
export class FileDto {
  @ApiProperty({ format: 'uuid', example: EXAMPLE_ID, description: 'UUIDv7 that never changes' })
  readonly id: string;

  @ApiProperty({ example: 'holiday.jpg', description: 'Any Unicode, at most 1,024 bytes; several files may have the same' })
  readonly name: string;

  @ApiProperty({ type: 'integer', format: 'int64', example: 48213, description: 'Bytes' })
  readonly size: number;

  @ApiProperty({ example: 'image/jpeg', description: 'As it came with the upload' })
  readonly contentType: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE_VERSION, description: 'Changes with the content' })
  readonly versionId: string;

  @ApiProperty({ example: `"${EXAMPLE_VERSION}"`, description: 'For If-Match and If-None-Match' })
  readonly etag: string;

  @ApiProperty({ format: 'date-time', example: '2026-11-22T12:00:00.000Z', description: 'When it was first stored' })
  readonly createdAt: string;

  @ApiProperty({
    format: 'date-time',
    example: '2026-11-22T12:00:00.000Z',
    description: 'When content, name or type last changed',
  })
  readonly updatedAt: string;

  constructor(file: FileRecord) {
    this.id = file.id;
    this.name = file.name;
    this.size = file.size;
    this.contentType = file.contentType;
    this.versionId = file.versionId;
    this.etag = etagOf(file.versionId);
    this.createdAt = new Date(file.createdAt).toISOString();
    this.updatedAt = file.updatedAt === file.createdAt ? this.createdAt : new Date(file.updatedAt).toISOString();
  }
}

/** One page of files. */
export class FilePageDto {
  @ApiProperty({ type: () => [FileDto], description: 'In the order that was asked for' })
  readonly items: readonly FileDto[];

  @ApiProperty({
    type: 'string',
    nullable: true,
    example: 'aG9saWRheS5qcGc',
    description: 'Give it as `cursor` to get the next page; null on the last one',
  })
  readonly nextCursor: string | null;

  constructor(page: FilePage) {
    this.items = page.files.map((file) => new FileDto(file));
    this.nextCursor = page.nextCursor === undefined ? null : Buffer.from(page.nextCursor).toString('base64url');
  }
}

/** How much of a file lies on one node. */
export class NodeShareDto {
  @ApiProperty({ type: 'integer', example: 1, description: 'Its number' })
  readonly node!: number;

  @ApiProperty({ type: 'integer', format: 'int64', example: 1, description: 'How many of the file lie there' })
  readonly shards!: number;

  @ApiProperty({ type: 'integer', format: 'int64', example: 48245, description: 'Sealed bytes' })
  readonly bytes!: number;
}

/** The nodes of one stripe. */
export class StripePlaceDto {
  @ApiProperty({ type: 'integer', format: 'int64', example: 0, description: 'Its place in the file, from 0' })
  readonly stripe!: number;

  @ApiProperty({
    type: 'array',
    items: { type: 'integer' },
    example: [1, 2],
    description: 'By the index of the shard in the stripe',
  })
  readonly nodes!: readonly number[];
}

/** How a file is stored. */
export class LayoutDto {
  @ApiProperty({ enum: ['replicate', 'erasure'], example: 'replicate', description: 'Copies, or data and parity' })
  readonly scheme: string;

  @ApiProperty({ type: 'integer', example: 1, description: 'Data shards of each stripe' })
  readonly k: number;

  @ApiProperty({ type: 'integer', example: 1, description: 'Further shards of each stripe: nodes that may be lost' })
  readonly m: number;

  @ApiProperty({
    type: 'integer',
    format: 'int64',
    example: 48245,
    description: 'Bytes of the sealed file, of which the slices are cut',
  })
  readonly sealedSize: number;

  @ApiProperty({ type: 'integer', example: 1048576, description: 'Bytes of a slice; the last one may be shorter' })
  readonly sizePerSlice: number;

  @ApiProperty({ type: 'integer', format: 'int64', example: 1, description: 'How many; each is stored on k + m nodes' })
  readonly stripes: number;

  @ApiProperty({ type: () => [NodeShareDto], description: 'How much lies where' })
  readonly nodes: readonly NodeShareDto[];

  @ApiProperty({ type: () => [StripePlaceDto], description: 'The first 1,000 stripes' })
  readonly places: readonly StripePlaceDto[];

  constructor({ manifest }: StoredFile, report: LayoutReport) {
    this.scheme = manifest.k === 1 ? 'replicate' : 'erasure';
    this.k = manifest.k;
    this.m = manifest.m;
    this.sealedSize = manifest.sealedSize;
    this.sizePerSlice = manifest.sliceBytes;
    this.stripes = report.stripes;
    this.nodes = manifest.usage;
    this.places = report.places;
  }
}

/** A file's record with where it lies and what it survives. */
export class FileInfoDto extends FileDto {
  @ApiProperty({ type: () => LayoutDto, description: 'Where it lies' })
  readonly layout: LayoutDto;

  @ApiProperty({
    type: 'integer',
    example: 1,
    description: 'How many more nodes may be lost at this moment; -1: it cannot be read now',
  })
  readonly survives: number;

  constructor(stored: StoredFile, report: LayoutReport) {
    super(stored.file);
    this.layout = new LayoutDto(stored, report);
    this.survives = report.survives;
  }
}
