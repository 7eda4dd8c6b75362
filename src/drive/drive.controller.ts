import { Body, Controller, Get, Header, Param, Post, Put, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Access } from '../http/access.js';
import { etagOf } from '../http/conditional.js';
import { principalOf } from '../http/principal.js';
import { requestSignal } from '../http/request-signal.js';
import { DriveCallers } from './drive-callers.js';
import { DriveIdsDto, DriveNodeDto } from './drive-node.dto.js';
import { IdsWishDto, VaultChangeDto } from './drive-requests.dto.js';
import { DescribeDriveBody, DescribeDriveRead } from './drive.openapi.js';
import { NodeIds } from './node-ids.js';
import { NodeReads } from './node-reads.service.js';
import { ParseVaultName } from './parse-vault-name.pipe.js';
import { bytesOf } from '../http/sealed-fields.js';
import { VaultItemDto } from './vault.dto.js';
import { VAULT_NAMES, VaultService, type VaultItem, type VaultName } from './vault.service.js';

const VAULT_NAME = ApiParam({ name: 'name', enum: VAULT_NAMES, description: 'What of' });

/** What an account has beside its tree. */
@ApiTags('drive')
@Access('by-method')
@Controller('drive')
export class DriveController {
  constructor(
    private readonly callers: DriveCallers,
    private readonly ids: NodeIds,
    private readonly reads: NodeReads,
    private readonly vault: VaultService,
  ) {}

  @Post('ids')
  @DescribeDriveBody({
    operationId: 'takeIds',
    summary: 'Take ids for nodes and links that are to be made',
    description: 'Each for one use by this account within an hour. They are gone when the server restarts.',
    status: 201,
    done: 'The ids',
    type: DriveIdsDto,
    problems: [],
  })
  takeIds(@Body() { count }: IdsWishDto, @Req() request: Request): DriveIdsDto {
    return new DriveIdsDto(this.ids.issue(this.callers.accountOf(principalOf(request)), count));
  }

  @Get('root')
  @DescribeDriveRead({
    operationId: 'getDriveRoot',
    summary: 'The root folder of the own drive',
    status: 200,
    done: 'The node',
    type: DriveNodeDto,
    problems: ['node-not-found'],
  })
  async root(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<DriveNodeDto> {
    const root = new DriveNodeDto(await this.reads.root(principalOf(request), requestSignal(request, response)));
    response.setHeader('ETag', root.etag);
    return root;
  }

  @Get('vault/:name')
  @Header('Cache-Control', 'no-store')
  @VAULT_NAME
  @DescribeDriveRead({
    operationId: 'getVaultItem',
    summary: 'What the own clients keep for each other, sealed',
    status: 200,
    done: 'The bytes; `ETag` is what to send in `If-Match` to replace them',
    type: VaultItemDto,
    problems: ['vault-not-found'],
  })
  async getVault(
    @Param('name', ParseVaultName) name: VaultName,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<VaultItemDto> {
    return answer(await this.vault.get(principalOf(request), name, requestSignal(request, response)), response);
  }

  @Put('vault/:name')
  @VAULT_NAME
  @ApiHeader({ name: 'If-Match', required: false, description: 'The `ETag` of what this replaces' })
  @ApiHeader({ name: 'If-None-Match', required: false, description: '`*`: for the first' })
  @DescribeDriveBody({
    operationId: 'putVaultItem',
    summary: 'Replace what the own clients keep for each other',
    status: 200,
    done: 'It is replaced; `ETag` is the new one',
    type: VaultItemDto,
    problems: ['vault-not-found', 'precondition-required', 'precondition-failed'],
  })
  async putVault(
    @Param('name', ParseVaultName) name: VaultName,
    @Body() { bytes, revision }: VaultChangeDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<VaultItemDto> {
    const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
    const change = { name, bytes: bytesOf(bytes), revision, ifMatch, ifNoneMatch };
    return answer(await this.vault.put(principalOf(request), change, requestSignal(request, response)), response);
  }
}

function answer(item: VaultItem, response: Response): VaultItemDto {
  response.setHeader('ETag', etagOf(item.version));
  return new VaultItemDto(item);
}
