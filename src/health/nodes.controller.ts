import { Controller, Get, Optional, Param, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { DomainError } from '../common/errors.js';
import { requestSignal } from '../http/request-signal.js';
import { forwarderOf } from '../http/forwarded.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { ClusterView } from '../nodes/cluster-view.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { DescribeNode, DescribeNodes } from './health.openapi.js';
import { NodeDto, NodesDto } from './node.dto.js';

/** What the nodes are doing. */
@ApiTags('nodes')
@Controller('nodes')
export class NodesController {
  constructor(
    private readonly registry: NodeRegistry,
    private readonly metadata: MetadataStore,
    @Optional() private readonly cluster?: ClusterView,
  ) {}

  @Get()
  @DescribeNodes()
  async list(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<NodesDto> {
    const nodes = await this.describe(requestSignal(request, response));
    return new NodesDto(nodes, this.cluster, forwarderOf(request));
  }

  @Get(':node')
  @DescribeNode()
  async get(
    @Param('node') number: string,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<NodeDto> {
    const nodes = await this.describe(requestSignal(request, response));
    const found = nodes.find(({ node }) => String(node) === number);
    if (found === undefined) throw new DomainError('node-not-found', `the nodes are numbered from 1 to ${nodes.length}`);
    return found;
  }

  private async describe(signal: AbortSignal): Promise<readonly NodeDto[]> {
    const usage = new Map((await this.metadata.usage(signal)).map((entry) => [entry.node, entry]));
    return this.registry.nodes.map(({ number }) => new NodeDto(this.registry.status(number), usage.get(number), this.cluster));
  }
}
