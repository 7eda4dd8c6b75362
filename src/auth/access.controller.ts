import { Body, Controller, Get, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Access } from '../http/access.js';
import { principalOf } from '../http/principal.js';
import { requestSignal } from '../http/request-signal.js';
import { AccessService } from './access.service.js';
import { InitDto, WhoamiDto } from './account.dto.js';
import { DescribeInit, DescribeWhoami } from './auth.openapi.js';
import { InitializedDto } from './token.dto.js';

/** Becoming known, and being it. */
@ApiTags('accounts')
@Controller()
export class AccessController {
  constructor(private readonly service: AccessService) {}

  @Post('admin/init')
  @Access('open')
  @DescribeInit()
  async init(
    @Body() { name }: InitDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<InitializedDto> {
    const { account, ...token } = await this.service.init(request, name, requestSignal(request, response));
    return new InitializedDto(account, token);
  }

  @Get('whoami')
  @Access('known')
  @DescribeWhoami()
  async whoami(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<WhoamiDto> {
    const { owner, name, scopes, prefix } = principalOf(request);
    const account = this.service.accounts.ofOwner(owner);
    const used = account && (await this.service.use(account, requestSignal(request, response)));
    return new WhoamiDto({ name, scopes: [...scopes], prefix }, used);
  }
}
