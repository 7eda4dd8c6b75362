import { applyDecorators, type Type } from '@nestjs/common';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { ErrorCode } from '../common/errors.js';
import { ApiProblems } from './api-problems.js';

/** An operation, for the API document. */
export interface DescribedOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly status: number;
  readonly done: string;
  readonly type?: Type;
  readonly problems: readonly ErrorCode[];
  /** Of who need not be known. */
  readonly isOpen?: boolean;
}

/** Of what has a body in JSON. */
export const OF_BODIES: readonly ErrorCode[] = ['invalid-request', 'invalid-json', 'body-too-large', 'unsupported-media-type'];

/** @param ofAll problems that each operation of the module has, behind its own */
export function describeOperation(operation: DescribedOperation, ofAll: readonly ErrorCode[]): MethodDecorator {
  const { operationId, summary, description, status, done, type, problems, isOpen } = operation;
  const more = { ...(description !== undefined && { description }), ...(isOpen === true && { security: [] }) };
  return applyDecorators(
    ApiOperation({ operationId, summary, ...more }),
    ApiResponse({ status, description: done, ...(type !== undefined && { type }) }),
    ApiProblems(...new Set([...problems, ...ofAll])),
  );
}
