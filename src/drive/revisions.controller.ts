import { Body, Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import type { FileId } from '../common/ids.js';
import { Access } from '../http/access.js';
import { Exchange } from '../http/exchange.js';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { principalOf } from '../http/principal.js';
import { requestSignal } from '../http/request-signal.js';
import { DescribeNodeId, DescribePartDownload, DescribePartNumber, DescribeRevisionNumber } from './content.openapi.js';
import { DriveNodeDto } from './drive-node.dto.js';
import { DescribeDriveBody, DescribeDriveIfMatch, DescribeDriveRead, OF_NODES, OF_SIGNED } from './drive.openapi.js';
import { ParsePartTarget } from './parse-part-target.pipe.js';
import { ParseRevision } from './parse-revision.pipe.js';
import { RevisionCommits } from './revision-commits.service.js';
import { type PartTarget, RevisionReads } from './revision-reads.service.js';
import { DriveRevisionContentDto, DriveRevisionsDto, RevisionsQueryDto, RevisionWishDto } from './revisions.dto.js';
import { REVISIONS_KEPT } from './revisions.js';
import { bytesOf } from '../http/sealed-fields.js';

/** The contents of files: what they are made of, and their sealed bytes. */
@ApiTags('drive')
@Access('by-method')
@Controller('drive/nodes/:id/revisions')
export class DriveRevisionsController {
  constructor(
    private readonly commits: RevisionCommits,
    private readonly reads: RevisionReads,
  ) {}

  @Post()
  @DescribeDriveIfMatch()
  @DescribeDriveBody({
    operationId: 'createRevision',
    summary: 'Give a file new content',
    description:
      'What was uploaded under the id of the revision, or `content`, or an older content of the file, whose id the manifest then has.',
    status: 201,
    done: 'The node; `ETag` is what to send in `If-Match` to change it',
    type: DriveNodeDto,
    problems: [...OF_NODES, ...OF_SIGNED, 'parts-missing', 'precondition-failed', 'precondition-required', 'too-busy'],
  })
  async create(
    @Param('id', ParseFileId) nodeId: FileId,
    @Body() { manifest, content, digests }: RevisionWishDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveNodeDto> {
    const wish = {
      nodeId,
      ifMatch: request.headers['if-match'],
      manifest: bytesOf(manifest),
      content: content === undefined ? undefined : bytesOf(content),
      digests: digests?.map(bytesOf),
    };
    const node = new DriveNodeDto(await this.commits.commit(principalOf(request), wish, requestSignal(request, response)));
    response.setHeader('ETag', node.etag);
    return node;
  }

  @Get()
  @DescribeDriveRead({
    operationId: 'listRevisions',
    summary: 'The contents that a file has and had',
    description: 'The newest first; the newest 100 are kept. A page may be shorter than `limit`.',
    status: 200,
    done: 'A page',
    type: DriveRevisionsDto,
    problems: [...OF_NODES, 'invalid-request'],
  })
  async list(
    @Param('id', ParseFileId) id: FileId,
    @Query() { limit = REVISIONS_KEPT, before }: RevisionsQueryDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveRevisionsDto> {
    const signal = requestSignal(request, response);
    return new DriveRevisionsDto(await this.reads.list(principalOf(request), id, { limit, before }, signal));
  }

  @Get(':revision')
  @DescribeRevisionNumber()
  @DescribeDriveRead({
    operationId: 'getRevision',
    summary: 'One content of a file',
    status: 200,
    done: 'It, with all of its bytes if they came with the manifest',
    type: DriveRevisionContentDto,
    problems: [...OF_NODES, 'invalid-request', 'revision-not-found'],
  })
  async get(
    @Param('id', ParseFileId) nodeId: FileId,
    @Param('revision', ParseRevision) revision: number | 'latest',
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveRevisionContentDto> {
    const signal = requestSignal(request, response);
    const { read } = await this.reads.find(principalOf(request), { nodeId, revision }, signal);
    return new DriveRevisionContentDto(read);
  }

  @Get(':revision/parts/:part')
  @DescribeNodeId()
  @DescribeRevisionNumber()
  @DescribePartNumber()
  @DescribePartDownload()
  async part(@Param(ParsePartTarget) target: PartTarget, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.reads.send(new Exchange(request, response), target);
  }
}
