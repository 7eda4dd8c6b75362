import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, IsOptional, Matches, Max, Min, ValidateIf } from 'class-validator';
import { type Account, type Role, ROLES } from './account.js';
import type { UsedAccount } from './access.service.js';

const EXAMPLE_ID = '01920000-0000-7000-8000-000000000003';
const NAME = /^[a-z0-9][a-z0-9._@+-]{0,63}$/;
const NAME_RULE = 'name must be 1 to 64 of a-z, 0-9 and . _ @ + -, beginning with a letter or a digit';
const QUOTA_MAX = Number.MAX_SAFE_INTEGER;

const QUOTA_BYTES = {
  type: 'integer',
  format: 'int64',
  nullable: true,
  example: 10_000_000_000,
  description: 'Bytes of content that it may store; null: no limit',
} as const;
const QUOTA_FILES = {
  type: 'integer',
  format: 'int64',
  nullable: true,
  example: 100_000,
  description: 'Files that it may store; null: no limit',
} as const;

/** Who the first administrator is to be. */
export class InitDto {
  @ApiProperty({ example: 'admin', description: 'Name of the account' })
  @Matches(NAME, { message: NAME_RULE })
  readonly name!: string;
}

/** An account to be made. */
export class AccountWishDto {
  @ApiProperty({ example: 'ada', description: 'Of its own among all accounts' })
  @Matches(NAME, { message: NAME_RULE })
  readonly name!: string;

  @ApiPropertyOptional({ enum: ROLES, default: 'user', example: 'user', description: 'Whether it may look after the store' })
  @IsOptional()
  @IsIn(ROLES)
  readonly role?: Role;

  @ApiPropertyOptional(QUOTA_BYTES)
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(QUOTA_MAX)
  readonly quotaBytes?: number | null;

  @ApiPropertyOptional(QUOTA_FILES)
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(QUOTA_MAX)
  readonly quotaFiles?: number | null;
}

/** What is to change of an account; the rest stays. */
export class UpdateAccountDto {
  @ApiPropertyOptional({ enum: ROLES, example: 'user', description: 'Whether it may look after the store' })
  @ValidateIf((body: UpdateAccountDto) => body.role !== undefined)
  @IsIn(ROLES)
  readonly role?: Role;

  @ApiPropertyOptional({ example: true, description: 'true: nothing of it is accepted any more, at once; its files stay' })
  @ValidateIf((body: UpdateAccountDto) => body.disabled !== undefined)
  @IsBoolean()
  readonly disabled?: boolean;

  @ApiPropertyOptional(QUOTA_BYTES)
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(QUOTA_MAX)
  readonly quotaBytes?: number | null;

  @ApiPropertyOptional(QUOTA_FILES)
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(QUOTA_MAX)
  readonly quotaFiles?: number | null;
}

/** An account. */
export class AccountDto {
  @ApiProperty({ format: 'uuid', example: EXAMPLE_ID, description: 'UUIDv7 that never changes' })
  readonly id: string;

  @ApiProperty({ example: 'ada' })
  readonly name: string;

  @ApiProperty({ enum: ROLES, example: 'user' })
  readonly role: Role;

  @ApiProperty({ example: false, description: 'Whether nothing of it is accepted' })
  readonly disabled: boolean;

  @ApiProperty(QUOTA_BYTES)
  readonly quotaBytes: number | null;

  @ApiProperty(QUOTA_FILES)
  readonly quotaFiles: number | null;

  @ApiProperty({ format: 'date-time', example: '2026-11-22T12:00:00.000Z', description: 'When it was made' })
  readonly createdAt: string;

  constructor(account: Account) {
    this.id = account.id;
    this.name = account.name;
    this.role = account.role;
    this.disabled = account.isDisabled;
    this.quotaBytes = account.quota.bytes;
    this.quotaFiles = account.quota.files;
    this.createdAt = new Date(account.createdAt).toISOString();
  }
}

/** An account and what it has stored. */
export class UsedAccountDto extends AccountDto {
  @ApiProperty({ type: 'integer', format: 'int64', example: 48_213, description: 'Bytes of the content of its files' })
  readonly usedBytes: number;

  @ApiProperty({ type: 'integer', format: 'int64', example: 1, description: 'Files that it has' })
  readonly usedFiles: number;

  constructor({ account, usage }: UsedAccount) {
    super(account);
    this.usedBytes = usage.bytes;
    this.usedFiles = usage.files;
  }
}

/** All accounts. */
export class AccountsDto {
  @ApiProperty({ type: () => [AccountDto], description: 'By their names' })
  readonly items: readonly AccountDto[];

  constructor(accounts: readonly Account[]) {
    this.items = accounts.map((account) => new AccountDto(account));
  }
}

/** Who asks, as the server sees it. */
export class WhoamiDto {
  @ApiProperty({ example: 'ada', description: 'Name of the account; `store` where there are no accounts' })
  readonly name: string;

  @ApiProperty({
    enum: ['read', 'write', 'admin'],
    isArray: true,
    example: ['read', 'write'],
    description: 'What the credential allows',
  })
  readonly scopes: readonly string[];

  @ApiProperty({ example: 'photos/', description: 'What the names of all files begin with that it may touch; empty: any' })
  readonly prefix: string;

  @ApiProperty({ type: () => UsedAccountDto, nullable: true, description: 'null where there are no accounts' })
  readonly account: UsedAccountDto | null;

  constructor(who: Pick<WhoamiDto, 'name' | 'scopes' | 'prefix'>, account: UsedAccount | undefined) {
    this.name = who.name;
    this.scopes = who.scopes;
    this.prefix = who.prefix;
    this.account = account === undefined ? null : new UsedAccountDto(account);
  }
}
