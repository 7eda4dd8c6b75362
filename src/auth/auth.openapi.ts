import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiResponse } from '@nestjs/swagger';
import type { ErrorCode } from '../common/errors.js';
import { ApiProblems, OF_RECORDS } from '../http/api-problems.js';
import { AccountDto, AccountsDto, InitDto, AccountWishDto, UpdateAccountDto, UsedAccountDto, WhoamiDto } from './account.dto.js';
import { InitializedDto, MadeTokenDto, TokenWishDto, TokensDto } from './token.dto.js';

/** Descriptions of the operations on accounts and tokens, for the API document. */

const BODY_PROBLEMS: readonly ErrorCode[] = ['invalid-request', 'invalid-json', 'body-too-large', 'unsupported-media-type'];
const CHANGE_PROBLEMS: readonly ErrorCode[] = [...OF_RECORDS, 'index-unavailable'];

function idOf(what: string): MethodDecorator {
  return ApiParam({
    name: 'id',
    format: 'uuid',
    example: '01920000-0000-7000-8000-000000000003',
    description: `Id of the ${what}`,
  });
}

export function DescribeInit(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'initAdmin',
      summary: 'Make the first administrator',
      description:
        'From then on every request needs a token. What was stored before belongs to this account. `dcloud admin init` calls it: it needs as its bearer token the content of the file `admin-init-secret` in the storage directory, which is there as long as there are no accounts.',
      security: [],
    }),
    ApiBody({ type: InitDto }),
    ApiResponse({ status: 201, type: InitializedDto, description: 'Made; the token is shown this once' }),
    ApiProblems(...BODY_PROBLEMS, 'unauthenticated', 'forbidden', 'too-many-attempts', ...CHANGE_PROBLEMS),
  );
}

export function DescribeWhoami(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'whoami', summary: 'Who you are to the server, and what you have stored' }),
    ApiResponse({ status: 200, type: WhoamiDto, description: 'You' }),
    ApiProblems('index-unavailable'),
  );
}

export function DescribeCreateAccount(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'createAccount',
      summary: 'Make an account',
      description: 'It can do nothing before it has a token: `POST /tokens` with its id.',
    }),
    ApiBody({ type: AccountWishDto }),
    ApiResponse({ status: 201, type: AccountDto, description: 'Made' }),
    ApiProblems(...BODY_PROBLEMS, 'account-exists', 'too-many-accounts', ...CHANGE_PROBLEMS),
  );
}

export function DescribeAccounts(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'listAccounts', summary: 'All accounts' }),
    ApiResponse({ status: 200, type: AccountsDto, description: 'The accounts' }),
    ApiProblems(),
  );
}

export function DescribeAccount(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'getAccount', summary: 'One account, and what it has stored' }),
    idOf('account'),
    ApiResponse({ status: 200, type: UsedAccountDto, description: 'The account' }),
    ApiProblems('invalid-id', 'account-not-found', 'index-unavailable'),
  );
}

export function DescribeUpdateAccount(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'updateAccount', summary: 'Change quota or role of an account, or disable it' }),
    idOf('account'),
    ApiBody({ type: UpdateAccountDto }),
    ApiResponse({ status: 200, type: UsedAccountDto, description: 'Changed' }),
    ApiProblems(...BODY_PROBLEMS, 'invalid-id', 'account-not-found', 'last-administrator', ...CHANGE_PROBLEMS),
  );
}

export function DescribeDeleteAccount(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'deleteAccount', summary: 'Remove an account that has no files, with its tokens' }),
    idOf('account'),
    ApiResponse({ status: 204, description: 'Removed' }),
    ApiProblems('invalid-id', 'account-not-found', 'account-not-empty', 'last-administrator', ...CHANGE_PROBLEMS),
  );
}

export function DescribeCreateToken(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'createToken',
      summary: 'Make an API token',
      description:
        'The token is shown this once. A token without the scope `admin` makes only tokens that may do no more than itself, and that end with it.',
    }),
    ApiBody({ type: TokenWishDto }),
    ApiResponse({ status: 201, type: MadeTokenDto, description: 'Made' }),
    ApiProblems(...BODY_PROBLEMS, 'account-not-found', 'too-many-tokens', ...CHANGE_PROBLEMS),
  );
}

export function DescribeTokens(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'listTokens', summary: 'Your API tokens, without their secrets' }),
    ApiResponse({ status: 200, type: TokensDto, description: 'The tokens' }),
    ApiProblems('invalid-request', 'account-not-found', 'index-unavailable'),
  );
}

export function DescribeRevokeToken(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'revokeToken',
      summary: 'Revoke an API token',
      description:
        'It is not accepted any more when this is answered; nor are those that were made by it. ' +
        'A token ends only those that may do no more than itself.',
    }),
    ApiParam({ name: 'id', format: 'uuid', example: '01920000-0000-7000-8000-000000000004', description: 'Id of the token' }),
    ApiResponse({ status: 204, description: 'Revoked' }),
    ApiProblems('invalid-id', 'token-not-found', ...CHANGE_PROBLEMS),
  );
}
