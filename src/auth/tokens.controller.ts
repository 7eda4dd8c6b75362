import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { Access } from '../http/access.js';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { principalOf } from '../http/principal.js';
import { requestSignal } from '../http/request-signal.js';
import { AccessService } from './access.service.js';
import type { AccountId } from './account.js';
import { DescribeCreateToken, DescribeRevokeToken, DescribeTokens } from './auth.openapi.js';
import { MadeTokenDto, TokenWishDto, TokenQueryDto, TokensDto } from './token.dto.js';

/** Credentials of programs. */
@ApiTags('accounts')
@Controller('tokens')
@Access('by-method')
export class TokensController {
  constructor(private readonly service: AccessService) {}

  @Post()
  @DescribeCreateToken()
  async create(
    @Body() { accountId, label = '', scopes = ['read', 'write'], prefix = '', expiresAt }: TokenWishDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<MadeTokenDto> {
    const wish = { accountId: this.accountFor(request, accountId), label, scopes, prefix, expiresAt: timeOf(expiresAt) };
    return new MadeTokenDto(await this.service.tokens.create(wish, principalOf(request), requestSignal(request, response)));
  }

  @Get()
  @DescribeTokens()
  async list(
    @Query() { accountId }: TokenQueryDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TokensDto> {
    const asked = this.accountFor(request, accountId);
    return new TokensDto(await this.service.tokens.list(asked, requestSignal(request, response)));
  }

  @Delete(':id')
  @HttpCode(204)
  @DescribeRevokeToken()
  revoke(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    return this.service.tokens.revoke(id, principalOf(request), requestSignal(request, response));
  }

  /** The own account, or for an administrator any. */
  private accountFor(request: Request, asked: string | null | undefined): AccountId {
    const { owner, scopes } = principalOf(request);
    const own = this.service.accounts.ofOwner(owner)?.id;
    if (own === undefined) throw new DomainError('forbidden', 'there are no accounts: begin with dcloud admin init');
    if (asked === undefined || asked === null || asked === own) return own;
    if (!scopes.has('admin')) throw new DomainError('forbidden', 'only an administrator has to do with the tokens of others');
    return this.service.accounts.require(asked.toLowerCase() as AccountId).id;
  }
}

/** ISO 8601 has more forms than we can tell the time of, and one that was not understood must not be "never". */
function timeOf(text: string | null | undefined): number | null {
  if (text === undefined || text === null) return null;
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw new DomainError('invalid-request', 'expiresAt must be a date and time, like 2027-01-01T00:00:00Z');
  return time;
}
