import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { NodeUsage } from '../metadata/metadata-store.js';
import type { ClusterView } from '../nodes/cluster-view.js';
import type { StoreView } from '../nodes/store-view.js';
import { AlignmentDto, DrainDto } from './store.dto.js';
import type { NodeState, NodeStatus } from '../nodes/node-registry.js';

/** What is known beside the states of the nodes. */
export interface NodeViews {
  readonly store: StoreView;
  /** Absent: there is no cluster to speak of. */
  readonly cluster: ClusterView | undefined;
}

export const NODE_STATES: readonly NodeState[] = ['up', 'suspect', 'down', 'draining', 'full'];

/** What is known of a node beside its state. */
export interface NodeFacts {
  readonly usage: NodeUsage | undefined;
  readonly provenAt: number | undefined;
}

/** A storage node as it is at this moment. */
export class NodeDto {
  @ApiProperty({ type: 'integer', example: 1, description: 'Its number, from 1' })
  readonly node: number;

  @ApiProperty({ example: 'node_1', description: 'That of its folder' })
  readonly name: string;

  @ApiProperty({ enum: NODE_STATES, example: 'up', description: 'Only a node that is up takes new files' })
  readonly state: NodeState;

  @ApiProperty({ format: 'date-time', example: '2026-11-22T12:00:00.000Z', description: 'When it came into this state' })
  readonly since: string;

  @ApiProperty({ type: 'integer', format: 'int64', example: 12, description: 'Shards of files that lie on it' })
  readonly files: number;

  @ApiProperty({ type: 'integer', format: 'int64', example: 12582912, description: 'Their sealed bytes' })
  readonly bytes: number;

  @ApiProperty({
    type: 'integer',
    format: 'int64',
    nullable: true,
    example: 1000000000,
    description: 'Free on its disk; null before the first probe',
  })
  readonly bytesFree: number | null;

  @ApiProperty({ type: 'integer', format: 'int64', nullable: true, example: 2000000000, description: 'Size of its disk' })
  readonly bytesTotal: number | null;

  @ApiProperty({
    type: 'number',
    nullable: true,
    example: 1.5,
    description: 'Moving mean of the time of a call; null before the first',
  })
  readonly latencyMs: number | null;

  @ApiProperty({
    type: 'number',
    nullable: true,
    example: 4.2,
    description: 'Time within which 95 of 100 of the last reads ended; null before the first',
  })
  readonly latencyP95Ms: number | null;

  @ApiProperty({ type: 'string', nullable: true, example: 'the folder is missing', description: 'Why it was last not up' })
  readonly lastError: string | null;

  @ApiPropertyOptional({
    format: 'uri',
    example: 'http://127.0.0.1:5001',
    description: 'Where its process is, in a cluster of peers',
  })
  readonly peer?: string;

  @ApiPropertyOptional({
    example: 'node_count is 5 there and 4 here',
    description: 'Why the process there is not taken for this node: it is of another cluster, or has another configuration',
  })
  readonly disagreement?: string;

  @ApiPropertyOptional({ type: () => DrainDto, description: 'Only of a node that is being emptied' })
  readonly drain?: DrainDto;

  @ApiPropertyOptional({
    example: true,
    description:
      'True while what an empty disk does not have, which took the place of a lost one, is being restored; else absent',
  })
  readonly restoring?: boolean;

  @ApiProperty({
    type: 'string',
    format: 'date-time',
    nullable: true,
    example: '2026-11-20T03:00:00.000Z',
    description:
      'Since when every shard and record on it is known to be as it was put, or was mended; null before the first scrub',
  })
  readonly provenAt: string | null;

  constructor(status: NodeStatus, { usage, provenAt }: NodeFacts, { cluster, store }: NodeViews) {
    this.node = status.number;
    this.name = `node_${status.number}`;
    this.state = status.state;
    this.since = new Date(status.since).toISOString();
    this.files = usage?.shards ?? 0;
    this.bytes = usage?.bytes ?? 0;
    this.bytesFree = status.capacity?.bytesFree ?? null;
    this.bytesTotal = status.capacity?.bytesTotal ?? null;
    this.latencyMs = rounded(status.latencyMs);
    this.latencyP95Ms = rounded(status.latencyP95Ms);
    this.lastError = status.lastError ?? null;
    Object.assign(this, cluster?.describe(status.number));
    Object.assign(this, describeChange(status, store));
    this.provenAt = provenAt === undefined ? null : new Date(provenAt).toISOString();
  }
}

/** What is being done with a node, without what does not apply. */
function describeChange({ number: node, isRestoring }: NodeStatus, { drains }: StoreView): Pick<NodeDto, 'drain' | 'restoring'> {
  const drain = drains.get(node);
  return { ...(drain === undefined ? {} : { drain: new DrainDto(drain) }), ...(isRestoring ? { restoring: true } : {}) };
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 100) / 100;
}

/** All storage nodes. */
export class NodesDto {
  @ApiProperty({ type: () => [NodeDto], description: 'By number' })
  readonly nodes: readonly NodeDto[];

  @ApiPropertyOptional({
    type: 'integer',
    example: 1,
    description: 'The node whose process holds the index, in a cluster of peers',
  })
  readonly gateway?: number;

  @ApiPropertyOptional({ type: 'integer', example: 2, description: 'The node whose process took this request, and passed it on' })
  readonly servedBy?: number;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    example: 1,
    description:
      'How many more nodes may be lost without losing a file: that of the worst one; -1 if one cannot be read in full now; null before it was looked at',
  })
  readonly survives: number | null;

  @ApiProperty({
    type: 'string',
    format: 'uuid',
    nullable: true,
    example: '0192f3a4-5b6c-7d8e-9f01-23456789abcd',
    description: 'The id of a file that survives no more than that; null if there is none',
  })
  readonly worstFile: string | null;

  @ApiProperty({
    type: 'string',
    format: 'date-time',
    nullable: true,
    example: '2026-11-22T12:00:00.000Z',
    description: 'When that was looked at',
  })
  readonly survivesAt: string | null;

  @ApiPropertyOptional({
    type: () => AlignmentDto,
    description:
      'Only while there are such files: after a change of redundancy_count, while a node is emptied, and after one was replaced',
  })
  readonly alignment?: AlignmentDto;

  constructor(nodes: readonly NodeDto[], { cluster, store }: NodeViews, servedBy?: number) {
    this.nodes = nodes;
    const { survival } = store;
    this.survives = survival?.survives ?? null;
    this.worstFile = survival?.fileId ?? null;
    this.survivesAt = survival === undefined ? null : new Date(survival.at).toISOString();
    if (store.alignment !== undefined) this.alignment = new AlignmentDto(store.alignment);
    if (cluster === undefined) return;
    this.gateway = cluster.gateway;
    this.servedBy = servedBy ?? cluster.gateway;
  }
}
