import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiParam, ApiProduces, ApiResponse } from '@nestjs/swagger';
import { ApiProblems } from '../http/api-problems.js';
import { PARTS_MAX } from './drive-requests.dto.js';

/** Descriptions of the operations on contents of drives, for the API document. */

const BINARY = { type: 'string', format: 'binary' } as const;

export function DescribeNodeId(): MethodDecorator {
  return ApiParam({ name: 'id', description: 'Of the file', schema: { type: 'string', format: 'uuid' } });
}

export function DescribePartNumber(): MethodDecorator {
  return ApiParam({
    name: 'part',
    description: 'From 0',
    schema: { type: 'integer', minimum: 0, maximum: PARTS_MAX - 1 },
    example: 0,
  });
}

export function DescribeRevisionNumber(): MethodDecorator {
  return ApiParam({ name: 'revision', description: 'Its number, or `latest`', schema: { type: 'string' }, example: 'latest' });
}

/** A part as it is: nothing parses it. */
export function DescribePartBody(): MethodDecorator {
  return applyDecorators(
    ApiConsumes('application/octet-stream'),
    ApiBody({ required: true, description: 'The sealed part, at most 65 MiB', schema: BINARY }),
    ApiHeader({
      name: 'Repr-Digest',
      required: true,
      description: 'SHA-256 of the part, like `sha-256=:<base64>:`; one that does not match is refused',
    }),
  );
}

export function DescribePartDownload(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'downloadPart',
      summary: 'The bytes of a sealed part',
      description: 'Of a content that came with its manifest, part 0 is all of it.',
    }),
    ApiHeader({ name: 'Range', required: false, description: 'One range, like `bytes=0-1023` or `bytes=-500`' }),
    ApiHeader({ name: 'If-Range', required: false, description: 'The range only if this is the `ETag` of the part' }),
    ApiHeader({ name: 'If-None-Match', required: false, description: '304 if the part is still this one' }),
    ApiProduces('application/octet-stream'),
    ApiResponse({ status: 200, description: 'The bytes', schema: BINARY }),
    ApiResponse({ status: 206, description: 'A range of them', schema: BINARY }),
    ApiResponse({ status: 304, description: 'Not changed' }),
    ApiProblems(
      'invalid-id',
      'invalid-request',
      'accounts-required',
      'node-not-found',
      'revision-not-found',
      'precondition-failed',
      'range-not-satisfiable',
      'data-unavailable',
      'data-damaged',
      'index-unavailable',
      'key-missing',
      'too-busy',
    ),
  );
}
