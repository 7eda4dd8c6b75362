import { Body, Controller, Delete, Header, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import type { FileId } from '../common/ids.js';
import { Access } from '../http/access.js';
import { clientOf } from '../http/forwarded.js';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { principalOf } from '../http/principal.js';
import { requestSignal } from '../http/request-signal.js';
import { DescribeDriveBody, DescribeDriveChange, DescribeDriveOpen, OF_NODES } from './drive.openapi.js';
import { LinkOpening } from './link-opening.service.js';
import { LinksService } from './links.service.js';
import { bytesOf } from '../http/sealed-fields.js';
import { LinkProofDto, LinkWishDto } from './sharing-requests.dto.js';
import { DriveLinkDto, OpenedLinkDto } from './sharing.dto.js';
import { SharingService } from './sharing.service.js';

/** Links: whoever has one sees a node without an account, as often and as long as its owner wants. */
@ApiTags('drive')
@Access('by-method')
@Controller('drive')
export class LinksController {
  constructor(
    private readonly links: LinksService,
    private readonly opening: LinkOpening,
    private readonly sharing: SharingService,
  ) {}

  @Post('nodes/:id/links')
  @DescribeDriveBody({
    operationId: 'createLink',
    summary: 'Make a link to a node',
    description: 'For its owner alone.',
    status: 201,
    done: 'The link as it is kept',
    type: DriveLinkDto,
    problems: [...OF_NODES, 'invalid-record', 'id-not-issued', 'folder-changed', 'sharing-limit'],
  })
  async create(
    @Param('id', ParseFileId) id: FileId,
    @Body() { linkId, link, proofHash, expiresAt, usesMax }: LinkWishDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DriveLinkDto> {
    const signal = requestSignal(request, response);
    const seen = await this.sharing.own(principalOf(request), id, signal);
    const wish = {
      linkId: linkId.toLowerCase() as FileId,
      link: bytesOf(link),
      proofHash: bytesOf(proofHash),
      expiresAt: typeof expiresAt === 'string' ? Date.parse(expiresAt) : undefined,
      usesMax: usesMax ?? undefined,
    };
    return new DriveLinkDto(await this.links.make(seen, wish, signal));
  }

  @Delete('links/:id')
  @HttpCode(204)
  @DescribeDriveChange({
    operationId: 'deleteLink',
    summary: 'End a link',
    status: 204,
    done: 'Nobody opens it any more, and whoever did reads nothing more by it',
    problems: ['invalid-id', 'link-not-found'],
  })
  async remove(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    await this.links.remove(principalOf(request), id, requestSignal(request, response));
  }

  @Post('links/:id/open')
  @HttpCode(200)
  @Access('open')
  @Header('Cache-Control', 'no-store')
  @DescribeDriveOpen({
    operationId: 'openLink',
    summary: 'Open a link',
    description:
      'Needs no account. An unknown link and a wrong proof are one answer. The credential reads the node and what is below it, for an hour at most.',
    status: 200,
    done: 'What the link has, and a credential',
    type: OpenedLinkDto,
    problems: ['invalid-id', 'link-not-found', 'link-expired'],
  })
  async open(
    @Param('id', ParseFileId) linkId: FileId,
    @Body() { proof }: LinkProofDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<OpenedLinkDto> {
    const shown = { linkId, proof: bytesOf(proof), address: clientOf(request).address };
    return new OpenedLinkDto(await this.opening.open(shown, requestSignal(request, response)));
  }
}
