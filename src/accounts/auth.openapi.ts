import { applyDecorators, type Type } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiParam, ApiResponse } from '@nestjs/swagger';
import type { ErrorCode } from '../common/errors.js';
import { ApiProblems } from '../http/api-problems.js';

/** Descriptions of the operations of logins, for the API document. */

interface Described {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly status: number;
  readonly done: string;
  readonly type?: Type;
  readonly problems: readonly ErrorCode[];
  /** Of who is not known yet. */
  readonly isOpen?: boolean;
}

const OF_ALL: readonly ErrorCode[] = ['index-unavailable', 'data-unavailable', 'key-missing'];
const OF_BODIES: readonly ErrorCode[] = ['invalid-request', 'invalid-json', 'body-too-large', 'unsupported-media-type'];
const OF_GUESSES: readonly ErrorCode[] = ['invalid-user-name', 'too-many-attempts', 'too-busy'];

function described({ operationId, summary, description, status, done, type, problems, isOpen }: Described): MethodDecorator {
  const more = { ...(description === undefined ? {} : { description }), ...(isOpen === true ? { security: [] } : {}) };
  return applyDecorators(
    ApiOperation({ operationId, summary, ...more }),
    ApiResponse({ status, description: done, ...(type === undefined ? {} : { type }) }),
    ApiProblems(...new Set([...problems, ...OF_ALL])),
  );
}

/** Of who is not known yet. */
export function DescribeOpen(operation: Described): MethodDecorator {
  const problems = [...OF_BODIES, 'invalid-login-message' as const, ...operation.problems];
  return described({ ...operation, problems, isOpen: true });
}

/** The first half of an exchange. */
export function DescribeStart(operation: Described): MethodDecorator {
  return DescribeOpen({ ...operation, problems: [...OF_GUESSES, ...operation.problems] });
}

/** Of who is known. */
export function DescribeKnown(operation: Described): MethodDecorator {
  return described(operation);
}

/** The same with a body. */
export function DescribeChange(operation: Described): MethodDecorator {
  return DescribeKnown({ ...operation, problems: [...OF_BODIES, ...operation.problems] });
}

export function DescribeIfMatch(): MethodDecorator {
  return ApiHeader({
    name: 'If-Match',
    required: true,
    description: 'The `ETag` of the bundle that this replaces',
    example: '"0194…"',
  });
}

export function DescribeSessionId(): MethodDecorator {
  return ApiParam({ name: 'id', description: 'Of the session', schema: { type: 'string', format: 'uuid' } });
}

export function DescribeUserName(): MethodDecorator {
  return ApiParam({ name: 'name', description: 'User name', schema: { type: 'string' }, example: 'alice' });
}

export function DescribeAccountId(): MethodDecorator {
  return ApiParam({ name: 'account', description: 'Id of the account', schema: { type: 'string', format: 'uuid' } });
}
