import { Controller, Get, Optional, Param, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { DomainError } from '../common/errors.js';
import { Access } from '../http/access.js';
import { requestSignal } from '../http/request-signal.js';
import { forwarderOf } from '../http/forwarded.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { ClusterView } from '../nodes/cluster-view.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { StoreView } from '../nodes/store-view.js';
import { DescribeNode, DescribeNodes } from './health.openapi.js';
import { NodeDto, NodesDto, type NodeViews } from './node.dto.js';

/** What the nodes are doing. */
@ApiTags('nodes')
@Controller('nodes')
@Access('read')
export class NodesController {
  constructor(
    private readonly registry: NodeRegistry,
    private readonly metadata: MetadataStore,
    private readonly store: StoreView,
    @Optional() private readonly cluster?: ClusterView,
  ) {}

  @Get()
  @DescribeNodes()
  async list(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<NodesDto> {
    const nodes = await this.describe(requestSignal(request, response));
    return new NodesDto(nodes, this.views, forwarderOf(request));
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
    if (found === undefined) throw new DomainError('node-not-found', `the nodes are ${nodes.map(({ node }) => node).join(', ')}`);
    return found;
  }

  private get views(): NodeViews {
    return { store: this.store, cluster: this.cluster };
  }

  private async describe(signal: AbortSignal): Promise<readonly NodeDto[]> {
    const usage = new Map((await this.metadata.usage(signal)).map((entry) => [entry.node, entry]));
    const numbers = this.registry.nodes.map(({ number }) => number).sort((one, other) => one - other);
    return Promise.all(
      numbers.map(async (number) => {
        const provenAt = await this.metadata.provenAt(number, signal);
        return new NodeDto(this.registry.status(number), { usage: usage.get(number), provenAt }, this.views);
      }),
    );
  }
}
