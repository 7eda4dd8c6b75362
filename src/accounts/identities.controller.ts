import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { Access } from '../http/access.js';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { requestSignal } from '../http/request-signal.js';
import { IdentitiesDto } from './auth.dto.js';
import { DescribeAccountId, DescribeKnown } from './auth.openapi.js';
import { Identities } from './identities.js';

/** The public identities that accounts have and had. An id of an account is known to who shares something with it. */
@ApiTags('auth')
@Access('read')
@Controller('auth/identities')
export class IdentitiesController {
  constructor(private readonly identities: Identities) {}

  @Get(':account')
  @DescribeAccountId()
  @DescribeKnown({
    operationId: 'getIdentities',
    summary: 'All public identities of an account',
    description: 'Each vouches for the next one: who knows an earlier one follows them.',
    status: 200,
    done: 'The oldest first',
    type: IdentitiesDto,
    problems: ['invalid-id', 'user-not-found'],
  })
  async all(
    @Param('account', ParseFileId) account: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<IdentitiesDto> {
    const identities = await this.identities.all(account, requestSignal(request, response));
    if (identities.length === 0) throw new DomainError('user-not-found', 'nobody has registered for this account');
    return new IdentitiesDto(identities);
  }
}
