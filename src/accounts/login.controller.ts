import { Body, Controller, Header, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Access } from '../http/access.js';
import { OF_RECORDS } from '../http/api-problems.js';
import { etagOf } from '../http/conditional.js';
import { requestSignal } from '../http/request-signal.js';
import { LoginFinishDto, LoginStartDto, RegistrationFinishDto, RegistrationStartDto } from './auth-requests.dto.js';
import { bundleOf, LoginAnswerDto, OpenedSessionDto, RegistrationAnswerDto } from './auth.dto.js';
import { DescribeOpen, DescribeStart } from './auth.openapi.js';
import { LoginService } from './login.service.js';
import type { Factor } from './opaque-server.js';
import { RegistrationService } from './registration.service.js';

/** How somebody becomes known: by OPAQUE, in which the server never sees a password. */
@ApiTags('auth')
@Access('open')
@Controller('auth')
export class LoginController {
  constructor(
    private readonly registrations: RegistrationService,
    private readonly logins: LoginService,
  ) {}

  @Post('register/start')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @DescribeStart({
    operationId: 'startRegistration',
    summary: 'Begin to register',
    description: 'Keeps nothing. The answers are for the password and for the recovery code.',
    status: 200,
    done: 'It goes on with the second half',
    type: RegistrationAnswerDto,
    problems: ['registration-refused'],
  })
  async startRegistration(
    @Body() { name, invitation, registrationRequest, recoveryRequest }: RegistrationStartDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<RegistrationAnswerDto> {
    const start = { name, invitation, registrationRequest, recoveryRequest };
    return new RegistrationAnswerDto(await this.registrations.start(start, request, requestSignal(request, response)));
  }

  @Post('register/finish')
  @HttpCode(204)
  @DescribeOpen({
    operationId: 'finishRegistration',
    summary: 'Register',
    description: 'Password, recovery code and bundle are kept in one step; with that, the invitation is used.',
    status: 204,
    done: 'Registered; log in now',
    problems: ['login-expired', 'registration-refused', 'user-name-taken', 'too-many-accounts', ...OF_RECORDS],
  })
  finishRegistration(
    @Body() { exchange, registrationRecord, recoveryRecord, bundle }: RegistrationFinishDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    const finish = { registrationRecord, recoveryRecord, bundle: bundleOf(bundle) };
    return this.registrations.finish(exchange, finish, requestSignal(request, response));
  }

  @Post('login/start')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @DescribeStart({
    operationId: 'startLogin',
    summary: 'Begin to log in',
    description: 'Is answered alike for users that are there and not.',
    status: 200,
    done: 'It goes on with the second half',
    type: LoginAnswerDto,
    problems: [],
  })
  startLogin(
    @Body() body: LoginStartDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<LoginAnswerDto> {
    return this.start(body, 'password', { request, response });
  }

  @Post('login/finish')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @DescribeOpen({
    operationId: 'finishLogin',
    summary: 'Log in',
    status: 200,
    done: 'A session has begun',
    type: OpenedSessionDto,
    problems: ['login-expired', 'login-failed', 'login-changed', 'forbidden', ...OF_RECORDS],
  })
  finishLogin(
    @Body() body: LoginFinishDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<OpenedSessionDto> {
    return this.finish(body, 'password', { request, response });
  }

  @Post('recover/start')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @DescribeStart({
    operationId: 'startRecovery',
    summary: 'Begin to log in by the recovery code',
    description: 'Is answered alike for users that are there and not.',
    status: 200,
    done: 'It goes on with the second half',
    type: LoginAnswerDto,
    problems: [],
  })
  startRecovery(
    @Body() body: LoginStartDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<LoginAnswerDto> {
    return this.start(body, 'recovery', { request, response });
  }

  @Post('recover/finish')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @DescribeOpen({
    operationId: 'finishRecovery',
    summary: 'Log in by the recovery code',
    description: 'The session may read its bundle and set a new password, and nothing else.',
    status: 200,
    done: 'A session has begun in which a new password can be set',
    type: OpenedSessionDto,
    problems: ['login-expired', 'login-failed', 'login-changed', 'forbidden', ...OF_RECORDS],
  })
  finishRecovery(
    @Body() body: LoginFinishDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<OpenedSessionDto> {
    return this.finish(body, 'recovery', { request, response });
  }

  private async start(body: LoginStartDto, factor: Factor, { request, response }: Pair): Promise<LoginAnswerDto> {
    const signal = requestSignal(request, response);
    return new LoginAnswerDto(await this.logins.start(body, factor, { request, signal }));
  }

  private async finish(body: LoginFinishDto, factor: Factor, { request, response }: Pair): Promise<OpenedSessionDto> {
    const result = await this.logins.finish(body, factor, requestSignal(request, response));
    return new OpenedSessionDto(result, etagOf(result.stored.revision));
  }
}

interface Pair {
  readonly request: Request;
  readonly response: Response;
}
