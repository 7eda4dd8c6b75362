import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { DomainError } from '../common/errors.js';
import { type FileId, parseId } from '../common/ids.js';
import { Access } from '../http/access.js';
import { Exchange } from '../http/exchange.js';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { principalOf } from '../http/principal.js';
import { requestSignal } from '../http/request-signal.js';
import { DescribePartBody, DescribePartNumber } from './content.openapi.js';
import { PARTS_MAX } from './drive-requests.dto.js';
import { DescribeDriveBody, DescribeDriveChange, DescribeDriveRead } from './drive.openapi.js';
import { ParseNumber } from './parse-number.pipe.js';
import { PartReceiver } from './part-receiver.service.js';
import { DriveUploadDto, DriveUploadStateDto, UploadPartDto, UploadWishDto } from './uploads.dto.js';
import { UploadsService, type UploadTarget } from './uploads.service.js';

/** Contents of files on their way in, part by part. Only the begin of an upload has a parsed body. */
@ApiTags('drive')
@Access('by-method')
@Controller('drive/uploads')
export class DriveUploadsController {
  constructor(
    private readonly uploads: UploadsService,
    private readonly receiver: PartReceiver,
  ) {}

  @Post()
  @DescribeDriveBody({
    operationId: 'beginUpload',
    summary: 'Begin to upload a content',
    description:
      'Of a new file, whose id is in the answer, or the next one of a file. `POST /drive/nodes` or its revisions end it.',
    status: 201,
    done: 'The upload',
    type: DriveUploadDto,
    problems: ['node-not-found'],
  })
  async begin(
    @Body() wish: UploadWishDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveUploadDto> {
    const signal = requestSignal(request, response);
    return new DriveUploadDto(await this.uploads.begin(principalOf(request), targetOf(wish), signal));
  }

  @Get(':id')
  @DescribeDriveRead({
    operationId: 'getUpload',
    summary: 'What has arrived of an upload',
    status: 200,
    done: 'The parts',
    type: DriveUploadStateDto,
    problems: ['invalid-id', 'upload-not-found', 'node-not-found'],
  })
  async get(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveUploadStateDto> {
    return new DriveUploadStateDto(await this.uploads.state(principalOf(request), id, requestSignal(request, response)));
  }

  @Put(':id/parts/:part')
  @DescribePartNumber()
  @DescribePartBody()
  @DescribeDriveChange({
    operationId: 'uploadPart',
    summary: 'Upload a sealed part',
    description: 'Answers when it is durable. Of several for one number that counts which was begun last.',
    status: 200,
    done: 'It is there',
    type: UploadPartDto,
    problems: [
      'invalid-id',
      'invalid-request',
      'invalid-content-type',
      'invalid-digest',
      'incomplete-body',
      'body-too-large',
      'upload-not-found',
      'node-not-found',
      'too-busy',
    ],
  })
  async put(
    @Param('id', ParseFileId) id: FileId,
    @Param('part', new ParseNumber(0, PARTS_MAX - 1)) part: number,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UploadPartDto> {
    return new UploadPartDto(await this.receiver.receive(new Exchange(request, response), id, part));
  }

  @Delete(':id')
  @HttpCode(204)
  @DescribeDriveChange({
    operationId: 'deleteUpload',
    summary: 'Give up an upload',
    status: 204,
    done: 'It is not there any more, and its parts neither',
    problems: ['invalid-id', 'upload-not-found'],
  })
  async remove(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    await this.uploads.remove(principalOf(request), id, requestSignal(request, response));
  }
}

function targetOf({ parentId, nodeId }: UploadWishDto): UploadTarget {
  const parent = parentId === undefined ? undefined : parseId<FileId>(parentId);
  const node = nodeId === undefined ? undefined : parseId<FileId>(nodeId);
  if (parent !== undefined && node === undefined) return { parentId: parent };
  if (node !== undefined && parent === undefined) return { nodeId: node };
  throw new DomainError('invalid-request', 'either parentId or nodeId');
}
