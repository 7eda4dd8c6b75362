import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { etagOf } from '../http/conditional.js';
import { DriveNodeDto } from './drive-node.dto.js';
import type { KeptLink } from './link-documents.js';
import type { OpenedLink } from './link-opening.service.js';
import { textOf } from '../http/sealed-fields.js';
import type { GrantedNode } from './shared-nodes.service.js';
import type { NodeShares } from './sharing.service.js';

const BYTES = { type: 'string', example: 'AQIDBA' } as const;
const ID = { type: 'string', format: 'uuid', example: '01920000-0000-7000-8000-000000000004' } as const;
const TIME = { type: 'string', format: 'date-time', example: '2026-11-25T12:00:00.000Z' } as const;

@ApiSchema({ name: 'DriveLink' })
export class DriveLinkDto {
  @ApiProperty(ID)
  readonly linkId: string;
  @ApiProperty({ ...BYTES, description: 'As the owner sealed it' })
  readonly link: string;
  @ApiProperty({ ...TIME, nullable: true, description: 'null: it does not end by itself' })
  readonly expiresAt: string | null;
  @ApiProperty({ type: 'integer', nullable: true, example: 5, description: 'null: any number' })
  readonly usesLeft: number | null;
  @ApiProperty(TIME)
  readonly createdAt: string;

  constructor({ linkId, link, expiresAt, usesMax, uses, createdAt }: KeptLink) {
    this.linkId = linkId;
    this.link = textOf(link);
    this.expiresAt = expiresAt === undefined ? null : new Date(expiresAt).toISOString();
    this.usesLeft = usesMax === undefined ? null : Math.max(0, usesMax - uses);
    this.createdAt = new Date(createdAt).toISOString();
  }
}

@ApiSchema({ name: 'OpenedLink' })
export class OpenedLinkDto {
  @ApiProperty({ ...BYTES, description: 'As the owner sealed it' })
  readonly link: string;
  @ApiProperty({ type: 'string', example: 'dcl_…', description: 'For `Authorization: Bearer`; kept nowhere' })
  readonly credential: string;
  @ApiProperty({ ...TIME, description: 'When the credential is over' })
  readonly expiresAt: string;

  constructor({ link, text, expiresAt }: OpenedLink) {
    this.link = textOf(link);
    this.credential = text;
    this.expiresAt = new Date(expiresAt).toISOString();
  }
}

@ApiSchema({ name: 'NodeSharing' })
export class NodeSharingDto {
  @ApiProperty({ ...BYTES, nullable: true, description: 'The newest list of writers; null: it was never shared' })
  readonly writers: string | null;
  @ApiProperty({ type: [String], example: ['AQIDBA'], description: 'All grants, as the owner signed them' })
  readonly grants: readonly string[];
  @ApiProperty({ type: [DriveLinkDto], description: 'Those that are over, too' })
  readonly links: readonly DriveLinkDto[];
  @ApiProperty({ type: 'string', nullable: true, example: '"0194…"', description: 'For `If-Match`; null: send none' })
  readonly etag: string | null;

  constructor(shares: NodeShares | undefined, links: readonly KeptLink[]) {
    this.writers = shares === undefined ? null : textOf(shares.writers);
    this.grants = shares?.grants.map(textOf) ?? [];
    this.links = links.map((link) => new DriveLinkDto(link));
    this.etag = shares === undefined ? null : etagOf(shares.version);
  }
}

@ApiSchema({ name: 'SharedNode' })
export class SharedNodeDto {
  @ApiProperty({ type: DriveNodeDto })
  readonly node: DriveNodeDto;
  @ApiProperty({ ...BYTES, description: 'As the owner signed it' })
  readonly grant: string;
  @ApiProperty({ ...ID, description: 'The account whose tree it lies in' })
  readonly owner: string;

  constructor({ node, grant }: GrantedNode) {
    this.node = new DriveNodeDto(node);
    this.grant = textOf(grant);
    this.owner = node.account;
  }
}

@ApiSchema({ name: 'SharedNodes' })
export class SharedNodesDto {
  @ApiProperty({ type: [SharedNodeDto] })
  readonly items: readonly SharedNodeDto[];

  constructor(nodes: readonly GrantedNode[]) {
    this.items = nodes.map((node) => new SharedNodeDto(node));
  }
}
