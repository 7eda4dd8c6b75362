import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { bytesOf, textOf } from '../http/sealed-fields.js';
import { BundleDto } from './auth-requests.dto.js';
import type { MadeInvitation } from './invitations.service.js';
import type { Bundle } from './login-record.js';
import type { LoginAnswer, LoginResult } from './login.service.js';
import type { ChangeAnswer } from './password.service.js';
import type { RegistrationAnswer } from './registration.service.js';
import type { SessionRecord } from './session-record.js';

const MESSAGE = { type: 'string', example: 'So2ebJpW1gViik1T3gbaUUyAu2QLZgmeveYXIMD37TI' } as const;
const EXCHANGE = {
  type: 'string',
  example: 'q0qn7Zp2mQ9eT6v3yqkzrA',
  description: 'For the second half, once and within a minute',
} as const;
const NAME = { type: 'string', example: 'alice', description: 'The user name as it is compared and kept' } as const;
const TIME = { type: 'string', format: 'date-time', example: '2026-11-25T12:00:00.000Z' } as const;

export class RegistrationAnswerDto {
  @ApiProperty(EXCHANGE)
  readonly exchange: string;
  @ApiProperty(NAME)
  readonly name: string;
  @ApiProperty({
    type: 'string',
    format: 'uuid',
    example: '01920000-0000-7000-8000-000000000003',
    description: 'The id that the account has, or will have: for what the client seals',
  })
  readonly account: string;
  @ApiProperty({ ...MESSAGE, description: 'For the password' })
  readonly registrationResponse: string;
  @ApiProperty({ ...MESSAGE, description: 'For the recovery code' })
  readonly recoveryResponse: string;

  constructor({ exchange, name, account, registrationResponse, recoveryResponse }: RegistrationAnswer) {
    this.exchange = exchange;
    this.name = name;
    this.account = account;
    this.registrationResponse = registrationResponse;
    this.recoveryResponse = recoveryResponse;
  }
}

export class LoginAnswerDto {
  @ApiProperty(EXCHANGE)
  readonly exchange: string;
  @ApiProperty({ ...MESSAGE, description: 'Alike for users that are there and not' })
  readonly loginResponse: string;

  constructor({ exchange, loginResponse }: LoginAnswer) {
    this.exchange = exchange;
    this.loginResponse = loginResponse;
  }
}

export class SealedBundleDto {
  @ApiProperty({ type: 'string', example: 'AQIDBA', description: 'Wrapped keys, for the own devices; base64url' })
  readonly sealed: string;
  @ApiProperty({ type: 'string', example: 'AQIDBA', description: 'The public identity; base64url' })
  readonly identity: string;

  constructor({ sealed, identity }: Bundle) {
    this.sealed = textOf(sealed);
    this.identity = textOf(identity);
  }
}

export class OpenedSessionDto {
  @ApiProperty({ type: 'string', example: 'dcs_…', description: 'To send as `Authorization: Bearer`; shown once' })
  readonly session: string;
  @ApiProperty({
    enum: ['login', 'recovery'],
    example: 'login',
    description: '`recovery`: a new password can be set, and nothing else',
  })
  readonly kind: string;
  @ApiProperty({ ...TIME, description: 'When it is over, however much it is used' })
  readonly expiresAt: string;
  @ApiProperty(NAME)
  readonly name: string;
  @ApiProperty({ type: SealedBundleDto })
  readonly bundle: SealedBundleDto;
  @ApiProperty({ type: 'string', example: '"0194…"', description: 'The entity tag of the bundle, for `If-Match`' })
  readonly bundleEtag: string;

  constructor({ session, text, stored }: LoginResult, bundleEtag: string) {
    this.session = text;
    this.kind = session.kind;
    this.expiresAt = new Date(session.expiresAt).toISOString();
    this.name = session.userName;
    this.bundle = new SealedBundleDto(stored.login.bundle);
    this.bundleEtag = bundleEtag;
  }
}

export class ChangeAnswerDto {
  @ApiProperty(EXCHANGE)
  readonly exchange: string;
  @ApiPropertyOptional({ ...MESSAGE, description: 'For the proof' })
  readonly loginResponse?: string | undefined;
  @ApiPropertyOptional({ ...MESSAGE, description: 'For the new password' })
  readonly registrationResponse?: string | undefined;
  @ApiPropertyOptional({ ...MESSAGE, description: 'For the new recovery code' })
  readonly recoveryResponse?: string | undefined;

  constructor({ exchange, loginResponse, registrationResponse, recoveryResponse }: ChangeAnswer) {
    this.exchange = exchange;
    this.loginResponse = loginResponse;
    this.registrationResponse = registrationResponse;
    this.recoveryResponse = recoveryResponse;
  }
}

export class SessionDto {
  @ApiProperty({ type: 'string', format: 'uuid', example: '01940a5d-8c1e-7b6a-9f00-2d3c4b5a6978' })
  readonly id: string;
  @ApiProperty({ enum: ['login', 'recovery'], example: 'login' })
  readonly kind: string;
  @ApiProperty({ type: 'boolean', example: true, description: 'Whether this request came with it' })
  readonly isOwn: boolean;
  @ApiProperty(TIME)
  readonly createdAt: string;
  @ApiProperty(TIME)
  readonly expiresAt: string;
  @ApiProperty({ ...TIME, nullable: true, description: 'null: not since the server started' })
  readonly usedAt: string | null;

  constructor({ id, kind, createdAt, expiresAt }: SessionRecord, usedAt: number | undefined, isOwn: boolean) {
    this.id = id;
    this.kind = kind;
    this.isOwn = isOwn;
    this.createdAt = new Date(createdAt).toISOString();
    this.expiresAt = new Date(expiresAt).toISOString();
    this.usedAt = usedAt === undefined ? null : new Date(usedAt).toISOString();
  }
}

export class SessionListDto {
  @ApiProperty({ type: [SessionDto] })
  readonly sessions: readonly SessionDto[];

  constructor(sessions: readonly SessionDto[]) {
    this.sessions = sessions;
  }
}

export class IdentityDto {
  @ApiProperty({ type: 'string', example: 'AQIDBA', description: 'The public identity; base64url' })
  readonly identity: string;

  constructor(identity: Uint8Array) {
    this.identity = textOf(identity);
  }
}

export class IdentitiesDto {
  @ApiProperty({ type: [String], example: ['AQIDBA'], description: 'The public identities, oldest first; base64url' })
  readonly identities: readonly string[];

  constructor(identities: readonly Uint8Array[]) {
    this.identities = identities.map(textOf);
  }
}

export class InvitationDto {
  @ApiProperty({ type: 'string', example: 'dci_…', description: 'For the one who is invited; shown once' })
  readonly invitation: string;
  @ApiProperty(NAME)
  readonly name: string;
  @ApiProperty(TIME)
  readonly expiresAt: string;

  constructor({ text, userName, expiresAt }: MadeInvitation) {
    this.invitation = text;
    this.name = userName;
    this.expiresAt = new Date(expiresAt).toISOString();
  }
}

/** The bytes of a bundle that came by a request, which has been checked. */
export function bundleOf({ sealed, identity }: BundleDto): Bundle {
  return { sealed: bytesOf(sealed), identity: bytesOf(identity) };
}
