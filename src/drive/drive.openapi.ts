import { ApiHeader } from '@nestjs/swagger';
import type { ErrorCode } from '../common/errors.js';
import { describeOperation, OF_BODIES, type DescribedOperation } from '../http/describe-operation.js';
import { OF_RECORDS } from '../http/api-problems.js';

/** Descriptions of the operations of drives, for the API document. */

const OF_ALL: readonly ErrorCode[] = [
  'accounts-required',
  'index-unavailable',
  'data-unavailable',
  'data-damaged',
  'key-missing',
];
const OF_CHANGES: readonly ErrorCode[] = [...OF_RECORDS, 'quota-exceeded'];
/** Of what is signed. */
export const OF_SIGNED: readonly ErrorCode[] = ['invalid-record', 'identity-outdated', 'writers-changed'];
/** Of what is about one node. */
export const OF_NODES: readonly ErrorCode[] = ['invalid-id', 'node-not-found'];

export function DescribeDriveRead(operation: DescribedOperation): MethodDecorator {
  return describeOperation(operation, OF_ALL);
}

/** Of what changes something and has no body. */
export function DescribeDriveChange(operation: DescribedOperation): MethodDecorator {
  return DescribeDriveRead({ ...operation, problems: [...OF_CHANGES, ...operation.problems] });
}

/** Of what changes something by a body. */
export function DescribeDriveBody(operation: DescribedOperation): MethodDecorator {
  return DescribeDriveChange({ ...operation, problems: [...OF_BODIES, ...operation.problems] });
}

/** Of who need not be known. */
export function DescribeDriveOpen(operation: DescribedOperation): MethodDecorator {
  return DescribeDriveBody({ ...operation, isOpen: true });
}

export function DescribeDriveIfMatch(): MethodDecorator {
  return ApiHeader({ name: 'If-Match', required: true, description: 'The `etag` of what this changes', example: '"0194…"' });
}
