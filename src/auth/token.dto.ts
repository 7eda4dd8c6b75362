import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMinSize, ArrayUnique, IsArray, IsIn, IsISO8601, IsOptional, IsString, IsUUID, MaxLength } from 'class-validator';
import type { Scope } from '../http/principal.js';
import type { MadeToken } from './tokens.service.js';
import { AccountDto } from './account.dto.js';
import type { Account } from './account.js';
import { SCOPES, type Token } from './token.js';

const EXAMPLE_ID = '01920000-0000-7000-8000-000000000004';
const EXAMPLE_TEXT = 'dct_01920000000070008000000000000004_Zm9yLWRvY3VtZW50YXRpb24tb25seS1uby1zZWNyZXQ';

/** A token to be made. */
export class TokenWishDto {
  @ApiPropertyOptional({ example: 'backup of the laptop', description: 'For you, to know it again' })
  @IsOptional()
  @IsString()
  @MaxLength(100)
  readonly label?: string;

  @ApiPropertyOptional({
    enum: SCOPES,
    isArray: true,
    default: ['read', 'write'],
    example: ['read', 'write'],
    description: '`read`: lists and downloads; `write`: everything that changes files; `admin`: accounts, nodes and all else',
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayUnique()
  @IsIn(SCOPES, { each: true })
  readonly scopes?: readonly Scope[];

  @ApiPropertyOptional({ example: '', description: 'Only files whose names begin with it; empty: any' })
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  readonly prefix?: string;

  @ApiPropertyOptional({
    type: 'string',
    format: 'date-time',
    nullable: true,
    example: '2099-01-01T00:00:00.000Z',
    description: 'When it ends; null: never',
  })
  @IsOptional()
  @IsISO8601({ strict: true })
  readonly expiresAt?: string | null;

  @ApiPropertyOptional({
    type: 'string',
    format: 'uuid',
    nullable: true,
    example: null,
    description: 'The account that it is for, if that is another one: only administrators; null: the own',
  })
  @IsOptional()
  @IsUUID('all')
  readonly accountId?: string | null;
}

/** Query of the list of tokens. */
export class TokenQueryDto {
  @ApiPropertyOptional({ format: 'uuid', description: 'Of that account, if it is another one: only administrators' })
  @IsOptional()
  @IsUUID('all')
  readonly accountId?: string;
}

/** An API token, without its secret. */
export class TokenDto {
  @ApiProperty({ format: 'uuid', example: EXAMPLE_ID })
  readonly id: string;

  @ApiProperty({ format: 'uuid', example: '01920000-0000-7000-8000-000000000003', description: 'Whose it is' })
  readonly accountId: string;

  @ApiProperty({ example: 'backup of the laptop' })
  readonly label: string;

  @ApiProperty({ enum: SCOPES, isArray: true, example: ['read', 'write'] })
  readonly scopes: readonly Scope[];

  @ApiProperty({ example: 'photos/', description: 'What the names of all files begin with that it may touch; empty: any' })
  readonly prefix: string;

  @ApiProperty({
    type: 'string',
    format: 'date-time',
    nullable: true,
    example: '2099-01-01T00:00:00.000Z',
    description: 'null: never',
  })
  readonly expiresAt: string | null;

  @ApiProperty({ format: 'date-time', example: '2026-11-22T12:00:00.000Z' })
  readonly createdAt: string;

  @ApiProperty({
    type: 'string',
    format: 'date-time',
    nullable: true,
    example: '2026-11-22T13:00:00.000Z',
    description: 'When it was last used, to an hour; null: not yet',
  })
  readonly lastUsedAt: string | null;

  constructor(token: Token) {
    this.id = token.id;
    this.accountId = token.accountId;
    this.label = token.label;
    this.scopes = token.scopes;
    this.prefix = token.prefix;
    this.expiresAt = dateOf(token.expiresAt);
    this.createdAt = new Date(token.createdAt).toISOString();
    this.lastUsedAt = dateOf(token.usedAt);
  }
}

/** A token that was just made: the only time that it is shown. */
export class MadeTokenDto extends TokenDto {
  @ApiProperty({ example: EXAMPLE_TEXT, description: 'For `Authorization: Bearer`. It is not kept, so it cannot be shown again' })
  readonly token: string;

  constructor({ token, text }: MadeToken) {
    super(token);
    this.token = text;
  }
}

/** All tokens of an account. */
export class TokensDto {
  @ApiProperty({ type: () => [TokenDto], description: 'The oldest first' })
  readonly items: readonly TokenDto[];

  constructor(tokens: readonly Token[]) {
    this.items = tokens.map((token) => new TokenDto(token));
  }
}

/** The first administrator. */
export class InitializedDto {
  @ApiProperty({ type: () => AccountDto })
  readonly account: AccountDto;

  @ApiProperty({ type: () => MadeTokenDto })
  readonly token: MadeTokenDto;

  constructor(account: Account, token: MadeToken) {
    this.account = new AccountDto(account);
    this.token = new MadeTokenDto(token);
  }
}

function dateOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
