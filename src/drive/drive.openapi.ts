import { applyDecorators, type Type } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { ErrorCode } from '../common/errors.js';
import { ApiProblems } from '../http/api-problems.js';

/** Descriptions of the operations of drives, for the API document. */

export interface DescribedDrive {
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

const OF_ALL: readonly ErrorCode[] = [
  'accounts-required',
  'index-unavailable',
  'data-unavailable',
  'data-damaged',
  'key-missing',
];
const OF_CHANGES: readonly ErrorCode[] = ['not-enough-nodes', 'quota-exceeded'];
const OF_BODIES: readonly ErrorCode[] = ['invalid-request', 'invalid-json', 'body-too-large', 'unsupported-media-type'];
/** Of what is signed. */
export const OF_SIGNED: readonly ErrorCode[] = ['invalid-record', 'identity-outdated', 'writers-changed'];
/** Of what is about one node. */
export const OF_NODES: readonly ErrorCode[] = ['invalid-id', 'node-not-found'];

export function DescribeDriveRead(operation: DescribedDrive): MethodDecorator {
  const { operationId, summary, description, status, done, type, problems, isOpen } = operation;
  const more = { ...(description !== undefined && { description }), ...(isOpen === true && { security: [] }) };
  return applyDecorators(
    ApiOperation({ operationId, summary, ...more }),
    ApiResponse({ status, description: done, ...(type !== undefined && { type }) }),
    ApiProblems(...new Set([...problems, ...OF_ALL])),
  );
}

/** Of what changes something and has no body. */
export function DescribeDriveChange(operation: DescribedDrive): MethodDecorator {
  return DescribeDriveRead({ ...operation, problems: [...OF_CHANGES, ...operation.problems] });
}

/** Of what changes something by a body. */
export function DescribeDriveBody(operation: DescribedDrive): MethodDecorator {
  return DescribeDriveChange({ ...operation, problems: [...OF_BODIES, ...operation.problems] });
}

/** Of who need not be known. */
export function DescribeDriveOpen(operation: DescribedDrive): MethodDecorator {
  return DescribeDriveBody({ ...operation, isOpen: true });
}

export function DescribeDriveIfMatch(): MethodDecorator {
  return ApiHeader({ name: 'If-Match', required: true, description: 'The `etag` of what this changes', example: '"0194…"' });
}
