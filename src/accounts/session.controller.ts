import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Put, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import type { FileId } from '../common/ids.js';
import { Access } from '../http/access.js';
import { OF_RECORDS } from '../http/api-problems.js';
import { etagOf } from '../http/conditional.js';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { type Principal, principalOf } from '../http/principal.js';
import { requestSignal } from '../http/request-signal.js';
import { BundleDto, InvitationRequestDto, PasswordFinishDto, PasswordStartDto } from './auth-requests.dto.js';
import {
  bundleOf,
  ChangeAnswerDto,
  IdentityDto,
  InvitationDto,
  SealedBundleDto,
  SessionDto,
  SessionListDto,
} from './auth.dto.js';
import { DescribeChange, DescribeIfMatch, DescribeKnown, DescribeSessionId, DescribeUserName } from './auth.openapi.js';
import { BundlesService } from './bundles.service.js';
import { InvitationsService } from './invitations.service.js';
import { PasswordService } from './password.service.js';
import { SessionsService } from './sessions.service.js';

/** What who has logged in does with the login itself. */
@ApiTags('auth')
@Access('known')
@Controller('auth')
export class SessionController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly passwords: PasswordService,
    private readonly bundles: BundlesService,
    private readonly invitations: InvitationsService,
  ) {}

  @Post('password/start')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @DescribeChange({
    operationId: 'startPasswordChange',
    summary: 'Begin to change the password or the recovery code',
    description: 'Needs a session, and a login by the password of now; after a recovery only the session.',
    status: 200,
    done: 'It goes on with the second half',
    type: ChangeAnswerDto,
    problems: ['invalid-login-message', 'login-changed', 'too-busy'],
  })
  async startChange(
    @Body() { startLoginRequest, registrationRequest, recoveryRequest }: PasswordStartDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ChangeAnswerDto> {
    const change = { startLoginRequest, registrationRequest, recoveryRequest };
    return new ChangeAnswerDto(await this.passwords.start(change, asking(request, response), request));
  }

  @Post('password/finish')
  @HttpCode(204)
  @DescribeChange({
    operationId: 'finishPasswordChange',
    summary: 'Change the password or the recovery code',
    description: 'Together with the bundle that is sealed by them, in one step. Ends all other sessions; after a recovery all.',
    status: 204,
    done: 'It is changed',
    problems: ['invalid-login-message', 'login-expired', 'login-failed', 'login-changed', ...OF_RECORDS],
  })
  async finishChange(
    @Body() { exchange, finishLoginRequest, registrationRecord, recoveryRecord, bundle }: PasswordFinishDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    const change = { finishLoginRequest, registrationRecord, recoveryRecord, bundle: bundleOf(bundle) };
    const { revision } = await this.passwords.finish(exchange, change, asking(request, response));
    response.setHeader('ETag', etagOf(revision));
  }

  @Delete('session')
  @HttpCode(204)
  @DescribeKnown({
    operationId: 'logOut',
    summary: 'Log out',
    status: 204,
    done: 'The session that this came with is over',
    problems: [...OF_RECORDS],
  })
  async logOut(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<void> {
    const { principal, signal } = asking(request, response);
    const { id, accountId } = await this.sessions.require(principal, ['login', 'recovery'], signal);
    await this.sessions.end(accountId, id, signal);
  }

  @Get('sessions')
  @Header('Cache-Control', 'no-store')
  @DescribeKnown({
    operationId: 'listSessions',
    summary: 'The own sessions',
    status: 200,
    done: 'The oldest first',
    type: SessionListDto,
    problems: [],
  })
  async list(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<SessionListDto> {
    const { principal, signal } = asking(request, response);
    const own = await this.sessions.require(principal, ['login'], signal);
    const sessions = await this.sessions.list(own.accountId, signal);
    return new SessionListDto(sessions.map(({ session, usedAt }) => new SessionDto(session, usedAt, session.id === own.id)));
  }

  @Delete('sessions/:id')
  @HttpCode(204)
  @DescribeSessionId()
  @DescribeKnown({
    operationId: 'endSession',
    summary: 'End one of the own sessions',
    status: 204,
    done: 'It is over',
    problems: ['invalid-id', 'session-not-found', ...OF_RECORDS],
  })
  async end(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    const { principal, signal } = asking(request, response);
    const { accountId } = await this.sessions.require(principal, ['login'], signal);
    await this.sessions.end(accountId, id, signal);
  }

  @Get('bundle')
  @Header('Cache-Control', 'no-store')
  @DescribeKnown({
    operationId: 'getBundle',
    summary: 'The own bundle',
    description: 'What the own clients sealed; the server cannot open it.',
    status: 200,
    done: 'The bundle; `ETag` is what to send in `If-Match` to replace it',
    type: SealedBundleDto,
    problems: ['user-not-found'],
  })
  async getBundle(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<SealedBundleDto> {
    const { principal, signal } = asking(request, response);
    const { revision, login } = await this.bundles.own(principal, signal);
    response.setHeader('ETag', etagOf(revision));
    return new SealedBundleDto(login.bundle);
  }

  @Put('bundle')
  @HttpCode(204)
  @DescribeIfMatch()
  @DescribeChange({
    operationId: 'putBundle',
    summary: 'Replace the own bundle',
    status: 204,
    done: 'It is replaced; `ETag` is the new one',
    problems: ['user-not-found', 'precondition-required', 'precondition-failed', ...OF_RECORDS],
  })
  async putBundle(
    @Body() body: BundleDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    const { revision } = await this.bundles.replace(bundleOf(body), request.headers['if-match'], asking(request, response));
    response.setHeader('ETag', etagOf(revision));
  }

  @Get('users/:name/bundle')
  @Access('read')
  @DescribeUserName()
  @DescribeKnown({
    operationId: 'getUserBundle',
    summary: 'The public identity of a user',
    description: 'As that user published it, and as this server shows it: compare it with what you know of the user.',
    status: 200,
    done: 'The identity',
    type: IdentityDto,
    problems: ['invalid-user-name', 'user-not-found'],
  })
  async identity(
    @Param('name') name: string,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<IdentityDto> {
    const { principal, signal } = asking(request, response);
    return new IdentityDto(await this.bundles.identityOf(name, principal, signal));
  }

  @Post('invitations')
  @Access('admin')
  @Header('Cache-Control', 'no-store')
  @DescribeChange({
    operationId: 'createInvitation',
    summary: 'Invite somebody to an account',
    description: 'Who has the invitation may register for the account, once. An account keeps the newest five.',
    status: 201,
    done: 'The invitation, which is shown once',
    type: InvitationDto,
    problems: ['account-not-found', 'invalid-user-name', 'user-name-taken', ...OF_RECORDS],
  })
  async invite(
    @Body() { account }: InvitationRequestDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<InvitationDto> {
    return new InvitationDto(await this.invitations.make(account as FileId, requestSignal(request, response)));
  }
}

function asking(request: Request, response: Response): { readonly principal: Principal; readonly signal: AbortSignal } {
  return { principal: principalOf(request), signal: requestSignal(request, response) };
}
