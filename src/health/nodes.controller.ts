import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { DomainError } from '../common/errors.js';
import { ApiProblems } from '../http/api-problems.js';
import { requestSignal } from '../http/request-signal.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { NodeDto, NodesDto } from './node.dto.js';

/** What the nodes are doing. */
@ApiTags('nodes')
@Controller('nodes')
export class NodesController {
  constructor(
    private readonly registry: NodeRegistry,
    private readonly metadata: MetadataStore,
  ) {}

  @Get()
  @ApiOperation({ operationId: 'listNodes', summary: 'All storage nodes, their states and loads' })
  @ApiResponse({ status: 200, type: NodesDto, description: 'The nodes' })
  async list(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<NodesDto> {
    return new NodesDto(await this.describe(requestSignal(request, response)));
  }

  @Get(':node')
  @ApiOperation({ operationId: 'getNode', summary: 'One storage node' })
  @ApiParam({ name: 'node', type: 'integer', example: 1, description: 'Its number, from 1' })
  @ApiResponse({ status: 200, type: NodeDto, description: 'The node' })
  @ApiProblems({ 404: 'There is no such node' })
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
    return this.registry.nodes.map(({ number }) => new NodeDto(this.registry.status(number), usage.get(number)));
  }
}
