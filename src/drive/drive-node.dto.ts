import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { timeOfId } from '../common/ids.js';
import { etagOf } from '../http/conditional.js';
import type { Problem } from '../http/problem.js';
import { ProblemDto } from '../http/problem.dto.js';
import type { ChildrenPage, NodePath } from './node-reads.service.js';
import type { PlacedNode } from './placed-node.js';
import { textOf } from '../http/sealed-fields.js';
import { decodeNode, type CurrentContent } from './stored-node.js';

const BYTES = { type: 'string', example: 'AQIDBA' } as const;
const ID = { type: 'string', format: 'uuid', example: '01920000-0000-7000-8000-000000000003' } as const;

@ApiSchema({ name: 'DriveContent' })
export class DriveContentDto {
  @ApiProperty({ type: 'integer', example: 1, description: 'From 1' })
  readonly revision: number;
  @ApiProperty(ID)
  readonly revisionId: string;
  @ApiProperty({ ...BYTES, nullable: true, description: 'As its writer signed it; null if it has more than 4 KiB' })
  readonly manifest: string | null;
  @ApiProperty({ type: 'boolean', example: true, description: 'Whether the whole content lies in its revision' })
  readonly inlined: boolean;

  constructor({ revision, revisionId, manifest, isInlined }: CurrentContent) {
    this.revision = revision;
    this.revisionId = revisionId;
    this.manifest = manifest === undefined ? null : textOf(manifest);
    this.inlined = isInlined;
  }
}

@ApiSchema({ name: 'DriveNode' })
export class DriveNodeDto {
  @ApiProperty(ID)
  readonly id: string;
  @ApiProperty({ ...ID, description: 'The account whose tree it lies in' })
  readonly owner: string;
  @ApiProperty({ ...BYTES, description: 'As its writer signed it' })
  readonly record: string;
  @ApiProperty({ type: DriveContentDto, nullable: true, description: 'The newest content; null for folders' })
  readonly content: DriveContentDto | null;
  @ApiProperty({ type: 'string', format: 'date-time', example: '2026-11-25T12:00:00.000Z' })
  readonly updatedAt: string;
  @ApiProperty({ type: 'string', example: '"0194…"', description: 'For `If-Match`' })
  readonly etag: string;

  constructor({ account, document }: PlacedNode) {
    const { record, content } = decodeNode(document.bytes);
    this.id = document.id;
    this.owner = account;
    this.record = textOf(record);
    this.content = content === undefined ? null : new DriveContentDto(content);
    this.updatedAt = new Date(timeOfId(document.revision)).toISOString();
    this.etag = etagOf(document.revision);
  }
}

@ApiSchema({ name: 'DriveNodes' })
export class DriveNodesDto {
  @ApiProperty({ type: [DriveNodeDto] })
  readonly items: readonly DriveNodeDto[];
  @ApiProperty({ type: 'string', nullable: true, example: 'AWEvYg', description: 'For the next page; null on the last one' })
  readonly nextCursor: string | null;

  constructor({ nodes, nextCursor }: ChildrenPage) {
    this.items = nodes.map((node) => new DriveNodeDto(node));
    this.nextCursor = nextCursor === undefined ? null : textOf(nextCursor);
  }
}

@ApiSchema({ name: 'DriveNodeResult' })
export class DriveNodeResultDto {
  @ApiProperty({ type: DriveNodeDto, nullable: true, description: 'The node; null if it was not made' })
  readonly node: DriveNodeDto | null;
  @ApiProperty({ type: ProblemDto, nullable: true, description: 'Why it was not made; null if it was' })
  readonly problem: ProblemDto | null;

  constructor(result: { readonly node: PlacedNode } | { readonly problem: Problem }) {
    this.node = 'node' in result ? new DriveNodeDto(result.node) : null;
    this.problem = 'problem' in result ? result.problem : null;
  }
}

@ApiSchema({ name: 'DriveNodeResults' })
export class DriveNodeResultsDto {
  @ApiProperty({ type: [DriveNodeResultDto], description: 'One for each node that was sent, in the same order' })
  readonly results: readonly DriveNodeResultDto[];

  constructor(results: readonly DriveNodeResultDto[]) {
    this.results = results;
  }
}

@ApiSchema({ name: 'WritersOfNode' })
export class WritersOfNodeDto {
  @ApiProperty(ID)
  readonly nodeId: string;
  @ApiProperty({ ...BYTES, description: 'The newest list of writers, as the owner signed it' })
  readonly list: string;

  constructor({ nodeId, list }: NodePath['lists'][number]) {
    this.nodeId = nodeId;
    this.list = textOf(list);
  }
}

@ApiSchema({ name: 'DrivePath' })
export class DrivePathDto {
  @ApiProperty({ type: [DriveNodeDto], description: 'From the topmost node that the caller may see down to this one' })
  readonly nodes: readonly DriveNodeDto[];
  @ApiProperty({ type: [WritersOfNodeDto], description: 'Of these nodes and of the folders above them, the topmost first' })
  readonly writers: readonly WritersOfNodeDto[];

  constructor({ nodes, lists }: NodePath) {
    this.nodes = nodes.map((node) => new DriveNodeDto(node));
    this.writers = lists.map((list) => new WritersOfNodeDto(list));
  }
}

@ApiSchema({ name: 'DriveIds' })
export class DriveIdsDto {
  @ApiProperty({ type: [String], example: ['01920000-0000-7000-8000-000000000003'], description: 'Each for one use' })
  readonly ids: readonly string[];

  constructor(ids: readonly string[]) {
    this.ids = ids;
  }
}
