import { Body, Controller, Delete, Get, HttpCode, HttpStatus, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import type { FileId } from '../common/ids.js';
import { Access } from '../http/access.js';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { principalOf } from '../http/principal.js';
import { requestSignal } from '../http/request-signal.js';
import { reportProblem } from '../http/answer-problem.js';
import { ABORTED, noteOf, type NotedPart } from '../http/request-note.js';
import { readNodeHead } from '../sdk/drive-record.js';
import { DriveNodeDto, DriveNodeResultDto, DriveNodeResultsDto, DriveNodesDto, DrivePathDto } from './drive-node.dto.js';
import { ChildrenQueryDto, NodeRecordDto, NodeWishDto, NodeWishesDto } from './drive-requests.dto.js';
import {
  DescribeDriveBody,
  DescribeDriveChange,
  DescribeDriveIfMatch,
  DescribeDriveRead,
  OF_NODES,
  OF_SIGNED,
} from './drive.openapi.js';
import { NodeChanges } from './node-changes.service.js';
import { NodeCreation, type NodeWish } from './node-creation.service.js';
import { NodeReads } from './node-reads.service.js';
import type { PlacedNode } from './placed-node.js';
import { bytesOf } from '../http/sealed-fields.js';

/** The nodes of drives: sealed records, in a tree whose shape the server knows. */
@ApiTags('drive')
@Access('by-method')
@Controller('drive/nodes')
export class DriveNodesController {
  constructor(
    private readonly creation: NodeCreation,
    private readonly reads: NodeReads,
    private readonly changes: NodeChanges,
  ) {}

  @Post()
  @DescribeDriveBody({
    operationId: 'createNode',
    summary: 'Make a folder or a file',
    description: 'The root of the drive is the record whose folder is the account.',
    status: 201,
    done: 'The node; `ETag` is what to send in `If-Match` to change it',
    type: DriveNodeDto,
    problems: [
      ...OF_SIGNED,
      ...(['node-not-found', 'name-taken', 'id-not-issued', 'folder-changed', 'parts-missing', 'precondition-failed'] as const),
    ],
  })
  async create(
    @Body() wish: NodeWishDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveNodeDto> {
    return answer(await this.creation.create(principalOf(request), wishOf(wish), requestSignal(request, response)), response);
  }

  @Post('batch')
  @HttpCode(200)
  @DescribeDriveBody({
    operationId: 'createNodes',
    summary: 'Make several folders or files',
    description: 'Each as if it were sent alone: what is wrong with one is no matter of the others, and stands in its result.',
    status: 200,
    done: 'What became of each',
    type: DriveNodeResultsDto,
    problems: [],
  })
  async createAll(
    @Body() { nodes }: NodeWishesDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveNodeResultsDto> {
    const signal = requestSignal(request, response);
    const wishes = nodes.map(wishOf);
    const note = noteOf(response);
    // For the record of who leaves before it is known what became of them.
    if (note !== undefined) note.parts = wishes.map(({ record }) => ({ id: idIn(record), result: ABORTED }));
    const made = await this.creation.createAll(principalOf(request), wishes, signal);
    const results = made.map(
      (result) =>
        new DriveNodeResultDto(
          result.status === 'fulfilled' ? { node: result.value } : { problem: reportProblem(result.reason) },
        ),
    );
    if (note !== undefined) note.parts = results.map(notedPart);
    signal.throwIfAborted();
    return new DriveNodeResultsDto(results);
  }

  @Get(':id')
  @DescribeDriveRead({
    operationId: 'getDriveNode',
    summary: 'A folder or a file',
    status: 200,
    done: 'The node',
    type: DriveNodeDto,
    problems: OF_NODES,
  })
  async get(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveNodeDto> {
    return answer(await this.reads.see(principalOf(request), id, requestSignal(request, response)), response);
  }

  @Put(':id')
  @DescribeDriveIfMatch()
  @DescribeDriveBody({
    operationId: 'changeNode',
    summary: 'Give a node another name, place or keys',
    status: 200,
    done: 'The node',
    type: DriveNodeDto,
    problems: [
      ...OF_NODES,
      ...OF_SIGNED,
      ...(['name-taken', 'folder-changed', 'folder-in-itself', 'precondition-failed', 'precondition-required'] as const),
    ],
  })
  async change(
    @Param('id', ParseFileId) id: FileId,
    @Body() { record }: NodeRecordDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveNodeDto> {
    const change = { record: bytesOf(record), ifMatch: request.headers['if-match'] };
    const at = { principal: principalOf(request), id };
    return answer(await this.changes.change(at, change, requestSignal(request, response)), response);
  }

  @Delete(':id')
  @HttpCode(204)
  @DescribeDriveIfMatch()
  @DescribeDriveChange({
    operationId: 'deleteNode',
    summary: 'Remove a node, a folder with everything in it',
    description: 'The root takes all that the account keeps in its drive with it.',
    status: 204,
    done: 'It is not there any more; the room of what lay in it becomes free in a while',
    problems: [...OF_NODES, 'precondition-failed', 'precondition-required'],
  })
  async remove(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    const at = { principal: principalOf(request), id };
    await this.changes.remove(at, request.headers['if-match'], requestSignal(request, response));
  }

  @Get(':id/children')
  @DescribeDriveRead({
    operationId: 'listChildren',
    summary: 'What lies in a folder',
    description: 'In no order that means anything.',
    status: 200,
    done: 'A page; of a file none',
    type: DriveNodesDto,
    problems: [...OF_NODES, 'invalid-request', 'invalid-cursor'],
  })
  async children(
    @Param('id', ParseFileId) id: FileId,
    @Query() { limit = CHILDREN_DEFAULT, cursor, nameTag }: ChildrenQueryDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveNodesDto> {
    const query = {
      limit,
      cursor: cursor === undefined ? undefined : bytesOf(cursor),
      nameTag: nameTag === undefined ? undefined : bytesOf(nameTag),
    };
    const at = { principal: principalOf(request), id };
    return new DriveNodesDto(await this.reads.children(at, query, requestSignal(request, response)));
  }

  @Get(':id/path')
  @DescribeDriveRead({
    operationId: 'getNodePath',
    summary: 'The folders above a node, and who may write there',
    status: 200,
    done: 'The way down to it',
    type: DrivePathDto,
    problems: OF_NODES,
  })
  async path(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DrivePathDto> {
    return new DrivePathDto(await this.reads.path(principalOf(request), id, requestSignal(request, response)));
  }
}

const CHILDREN_DEFAULT = 200;

function wishOf({ record, manifest, content, digests }: NodeWishDto): NodeWish {
  return {
    record: bytesOf(record),
    manifest: manifest === undefined ? undefined : bytesOf(manifest),
    content: content === undefined ? undefined : bytesOf(content),
    digests: digests?.map(bytesOf),
  };
}

/** The id of the node in what may be no record. */
function idIn(record: Uint8Array): string | undefined {
  try {
    return readNodeHead(record).nodeId;
  } catch {
    return undefined;
  }
}

function notedPart({ node, problem }: DriveNodeResultDto): NotedPart {
  return { id: node?.id, result: problem?.code ?? String(HttpStatus.CREATED) };
}

/** A node as an answer, with its tag in the head of it. */
function answer(node: PlacedNode, response: Response): DriveNodeDto {
  const dto = new DriveNodeDto(node);
  response.setHeader('ETag', dto.etag);
  return dto;
}
