import { Body, Controller, Get, Param, Put, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import type { FileId } from '../common/ids.js';
import { Access } from '../http/access.js';
import { etagOf } from '../http/conditional.js';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { principalOf } from '../http/principal.js';
import { requestSignal } from '../http/request-signal.js';
import { DescribeDriveBody, DescribeDriveRead, OF_NODES } from './drive.openapi.js';
import { LinksService } from './links.service.js';
import { bytesOf } from '../http/sealed-fields.js';
import { SharedNodes } from './shared-nodes.service.js';
import { SharingChangeDto } from './sharing-requests.dto.js';
import { NodeSharingDto, SharedNodesDto } from './sharing.dto.js';
import { SharingService } from './sharing.service.js';

/** Who else sees and writes what is in a drive. */
@ApiTags('drive')
@Access('by-method')
@Controller('drive')
export class SharingController {
  constructor(
    private readonly sharing: SharingService,
    private readonly links: LinksService,
    private readonly nodes: SharedNodes,
  ) {}

  @Get('nodes/:id/sharing')
  @DescribeDriveRead({
    operationId: 'getSharing',
    summary: 'How a node is shared',
    description: 'For its owner alone.',
    status: 200,
    done: 'The list of writers, all grants and all links',
    type: NodeSharingDto,
    problems: OF_NODES,
  })
  async get(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<NodeSharingDto> {
    const signal = requestSignal(request, response);
    const seen = await this.sharing.own(principalOf(request), id, signal);
    const shares = await this.sharing.get(seen, signal);
    if (shares !== undefined) response.setHeader('ETag', etagOf(shares.version));
    return new NodeSharingDto(shares, await this.links.of(seen, signal));
  }

  @Put('nodes/:id/sharing')
  @ApiHeader({
    name: 'If-Match',
    required: false,
    description: 'The `etag` of what this replaces; absent: it was never shared',
    example: '"0194…"',
  })
  @DescribeDriveBody({
    operationId: 'putSharing',
    summary: 'Say how a node is shared',
    description: 'All of it at once: a grant that is not in it is over.',
    status: 200,
    done: 'How it is shared now',
    type: NodeSharingDto,
    problems: [
      ...OF_NODES,
      ...(['invalid-record', 'identity-outdated', 'folder-changed', 'sharing-limit'] as const),
      ...(['precondition-failed', 'precondition-required'] as const),
    ],
  })
  async put(
    @Param('id', ParseFileId) id: FileId,
    @Body() { writers, grants }: SharingChangeDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<NodeSharingDto> {
    const [principal, signal] = [principalOf(request), requestSignal(request, response)];
    const seen = await this.sharing.own(principal, id, signal);
    const wish = { writers: bytesOf(writers), grants: grants.map(bytesOf), ifMatch: request.headers['if-match'] };
    const shares = await this.sharing.put({ principal, id }, wish, signal);
    response.setHeader('ETag', etagOf(shares.version));
    return new NodeSharingDto(shares, await this.links.of(seen, signal));
  }

  @Get('shared')
  @DescribeDriveRead({
    operationId: 'listShared',
    summary: 'What others share with the account',
    status: 200,
    done: 'The nodes and their grants, at most 1,000',
    type: SharedNodesDto,
    problems: [],
  })
  async shared(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<SharedNodesDto> {
    return new SharedNodesDto(await this.nodes.list(principalOf(request), requestSignal(request, response)));
  }
}
