import { ApiHeader, ApiParam } from '@nestjs/swagger';
import type { ErrorCode } from '../common/errors.js';
import { describeOperation, OF_BODIES, type DescribedOperation } from '../http/describe-operation.js';

/** Descriptions of the operations of logins, for the API document. */

const OF_ALL: readonly ErrorCode[] = ['index-unavailable', 'data-unavailable', 'key-missing'];
const OF_GUESSES: readonly ErrorCode[] = ['invalid-user-name', 'too-many-attempts', 'too-busy'];

/** Of who is not known yet. */
export function DescribeOpen(operation: DescribedOperation): MethodDecorator {
  const problems = [...OF_BODIES, 'invalid-login-message' as const, ...operation.problems];
  return describeOperation({ ...operation, problems, isOpen: true }, OF_ALL);
}

/** The first half of an exchange. */
export function DescribeStart(operation: DescribedOperation): MethodDecorator {
  return DescribeOpen({ ...operation, problems: [...OF_GUESSES, ...operation.problems] });
}

/** Of who is known. */
export function DescribeKnown(operation: DescribedOperation): MethodDecorator {
  return describeOperation(operation, OF_ALL);
}

/** The same with a body. */
export function DescribeChange(operation: DescribedOperation): MethodDecorator {
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
