import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { NodeUsage } from '../metadata/metadata-store.js';
import type { ClusterView } from '../nodes/cluster-view.js';
import type { NodeState, NodeStatus } from '../nodes/node-registry.js';

export const NODE_STATES: readonly NodeState[] = ['up', 'suspect', 'down', 'draining', 'full'];

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

  constructor(status: NodeStatus, usage: NodeUsage | undefined, cluster?: ClusterView) {
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
  }
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

  constructor(nodes: readonly NodeDto[], cluster?: ClusterView, servedBy?: number) {
    this.nodes = nodes;
    if (cluster === undefined) return;
    this.gateway = cluster.gateway;
    this.servedBy = servedBy ?? cluster.gateway;
  }
}
