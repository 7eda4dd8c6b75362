import { Body, Controller, Delete, Get, Head, HttpCode, Param, Patch, Put, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import { Access } from '../http/access.js';
import { Exchange } from '../http/exchange.js';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { requestSignal } from '../http/request-signal.js';
import { FileDto, FileInfoDto, FilePageDto } from './file.dto.js';
import {
  DescribeDelete,
  DescribeDownload,
  DescribeInfo,
  DescribeList,
  DescribePatch,
  DescribeReplace,
  DescribeUpload,
} from './files.openapi.js';
import { ListQueryDto, UpdateFileDto, UploadQueryDto } from './file-requests.dto.js';
import { FileReceiver } from './file-receiver.service.js';
import { FileSender } from './file-sender.service.js';
import { listedPrefix, reachOf, targetOf } from './owner-of.js';
import { RecordsService } from './records.service.js';

/** `/files`: the API of the storage. Bodies stream; only PATCH has a parsed one. Most uploads and downloads take the way of {@link DirectFiles}. */
@ApiTags('files')
@Controller('files')
@Access('by-method')
export class FilesController {
  constructor(
    private readonly config: AppConfig,
    private readonly receiver: FileReceiver,
    private readonly sender: FileSender,
    private readonly records: RecordsService,
  ) {}

  @Put()
  @HttpCode(201)
  @DescribeUpload()
  async upload(@Query() query: UploadQueryDto, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.receiver.receive(new Exchange(request, response), { name: query.name });
  }

  @Put(':id')
  @DescribeReplace()
  async replace(
    @Param('id', ParseFileId) id: FileId,
    @Query() query: UploadQueryDto,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    await this.receiver.receive(new Exchange(request, response), { name: query.name, replaces: id });
  }

  @Get(['', 'list'])
  @DescribeList()
  async list(
    @Query() query: ListQueryDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<FilePageDto> {
    const { page_files_default, page_files_max } = this.config.limits;
    const order = query.order ?? 'name';
    const limit = query.limit === undefined ? page_files_default : Number(query.limit);
    if (limit < 1 || limit > page_files_max)
      throw new DomainError('invalid-request', `limit must be from 1 to ${page_files_max}`);
    const reach = reachOf(request);
    const prefix = listedPrefix(query.prefix ?? '', reach);
    if (prefix !== '' && !order.endsWith('name'))
      throw new DomainError('invalid-request', 'prefix goes with the orders name and -name only');
    const cursor = query.cursor === undefined ? {} : { cursor: Buffer.from(query.cursor, 'base64url') };
    const { owner } = reach;
    return new FilePageDto(await this.records.list({ owner, order, limit, prefix, ...cursor }, requestSignal(request, response)));
  }

  @Get(':id/info')
  @DescribeInfo()
  async info(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<FileInfoDto> {
    const { report, ...stored } = await this.records.info(targetOf(id, request), requestSignal(request, response));
    return new FileInfoDto(stored, report);
  }

  @Head(':id')
  @DescribeDownload('HEAD')
  async head(@Param('id', ParseFileId) id: FileId, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.sender.send(id, new Exchange(request, response));
  }

  @Get(':id')
  @DescribeDownload('GET')
  async download(@Param('id', ParseFileId) id: FileId, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.sender.send(id, new Exchange(request, response));
  }

  @Patch(':id')
  @DescribePatch()
  async update(
    @Param('id', ParseFileId) id: FileId,
    @Body() changes: UpdateFileDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<FileDto> {
    const signal = requestSignal(request, response);
    const file = new FileDto(await this.records.update(targetOf(id, request), changes, request.headers, signal));
    response.setHeader('ETag', file.etag);
    return file;
  }

  @Delete(':id')
  @HttpCode(204)
  @DescribeDelete()
  async remove(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    await this.records.remove(targetOf(id, request), request.headers, requestSignal(request, response));
  }
}
