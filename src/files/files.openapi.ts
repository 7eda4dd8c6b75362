import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiParam, ApiProduces, ApiResponse } from '@nestjs/swagger';
import type { ErrorCode } from '../common/errors.js';
import { ApiBodilessProblems, ApiProblems, OF_RECORDS } from '../http/api-problems.js';
import { FileDto, FileInfoDto, FilePageDto } from './file.dto.js';
import { UpdateFileDto } from './file-requests.dto.js';

/** Descriptions of the operations of `/files` for the API document; kept out of the controller, which is about what happens. */

const FILE_ID = ApiParam({
  name: 'id',
  format: 'uuid',
  description: 'The id of the file, which its upload answered', // no example: the page at /docs would fill it in
});
/** What every operation on a file may depend on. */
const PRECONDITIONS = applyDecorators(
  ApiHeader({ name: 'If-Match', required: false, description: 'Only if the file is at this version (its `etag`)' }),
  ApiHeader({
    name: 'If-Unmodified-Since',
    required: false,
    description: 'Only if it has not changed since, an HTTP date; without If-Match',
  }),
);
const CHANGE_PRECONDITIONS = applyDecorators(
  PRECONDITIONS,
  ApiHeader({ name: 'If-None-Match', required: false, description: 'Only if the file is not at this version' }),
);
const BINARY = { type: 'string', format: 'binary' } as const;

const UPLOAD_PROBLEMS: readonly ErrorCode[] = [
  'invalid-request',
  'invalid-name',
  'invalid-content-type',
  'invalid-multipart',
  'invalid-digest',
  'incomplete-body',
  'partial-upload',
  'body-too-large',
  'unsupported-encoding',
  ...OF_RECORDS,
  'index-unavailable',
  'too-busy',
  'quota-exceeded',
];
const CHANGE_PROBLEMS: readonly ErrorCode[] = [
  'invalid-id',
  'file-not-found',
  'precondition-failed',
  ...OF_RECORDS,
  'index-unavailable',
];
const HEAD_PROBLEMS: readonly ErrorCode[] = [
  'invalid-id',
  'file-not-found',
  'precondition-failed',
  'data-damaged',
  'index-unavailable',
];

/** A header of an answer. */
function text(description: string, example: string) {
  return { description, schema: { type: 'string', example } } as const;
}

const ETAG = { ETag: text('The version, for If-Match and If-None-Match', '"01920000-0000-7000-8000-000000000002"') };
const DOWNLOAD_HEADERS = {
  ...ETAG,
  'Accept-Ranges': text('Parts can be asked for', 'bytes'),
  'Content-Disposition': text('The name, as RFC 8187 encodes it', 'attachment; filename="holiday.jpg"'),
  'Last-Modified': text('When it was stored', 'Sun, 22 Nov 2026 12:00:00 GMT'),
  'Repr-Digest': text('SHA-256 of the whole file (RFC 9530)', 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'),
};

/** Both ways to send a file. The form's schema is put in by the document builder, since one operation has two here. */
const UPLOAD_BODY = applyDecorators(
  ApiConsumes('application/octet-stream', 'multipart/form-data'),
  ApiBody({
    required: true,
    description:
      'The bytes as they are, with any content type, which is kept; or as the one part `file` of a form, which tells the name as well',
    schema: BINARY,
  }),
  ApiHeader({
    name: 'Repr-Digest',
    required: false,
    description:
      'SHA-256 of the bytes, like `sha-256=:<base64>:`; an upload that does not match is refused, and so is one that cannot be read or comes with a form',
  }),
);

/** Of GET alone: HEAD ignores ranges (RFC 9110 §14.2). */
const PARTS = applyDecorators(
  ApiHeader({ name: 'Range', required: false, description: 'One range, like `bytes=0-1023` or `bytes=-500`' }),
  ApiHeader({ name: 'If-Range', required: false, description: 'The range only if this is the `etag` of the file' }),
  ApiResponse({
    status: 206,
    description: 'A part of the bytes',
    headers: { ...DOWNLOAD_HEADERS, 'Content-Range': text('Which part it is, and of how many bytes', 'bytes 0-1023/48213') },
    schema: BINARY,
  }),
);

const DOWNLOAD_PRECONDITIONS = applyDecorators(
  ApiHeader({ name: 'If-None-Match', required: false, description: '304 if the file is still at this version' }),
  ApiHeader({ name: 'If-Modified-Since', required: false, description: '304 if it has not changed since, an HTTP date' }),
  PRECONDITIONS,
);

export function DescribeUpload(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'uploadFile',
      summary: 'Store a file',
      description:
        'Answers when the file is durable on redundancy_count + 1 nodes and in the index.\n\nRaw bytes have the name that is given here; a form (`multipart/form-data`) tells name and type of its file. ' +
        'Take the `id` from the answer for all that follows.',
    }),
    UPLOAD_BODY,
    ApiResponse({
      status: 201,
      type: FileDto,
      description: 'Stored',
      headers: { Location: text('Address of the file', '/files/01920000-0000-7000-8000-000000000001'), ...ETAG },
    }),
    ApiProblems(...UPLOAD_PROBLEMS),
  );
}

export function DescribeReplace(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'replaceFile',
      summary: 'Give a file new content',
      description: 'Atomic: readers see the old version or the new one.',
    }),
    FILE_ID,
    CHANGE_PRECONDITIONS,
    UPLOAD_BODY,
    ApiResponse({ status: 200, type: FileDto, description: 'Replaced', headers: ETAG }),
    ApiProblems(...new Set([...UPLOAD_PROBLEMS, ...CHANGE_PROBLEMS])),
  );
}

export function DescribeList(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'listFiles',
      summary: 'List files',
      description:
        'A file is listed as soon as its upload is acknowledged. Page by page: `nextCursor` of one is `cursor` of the next.',
    }),
    ApiResponse({ status: 200, type: FilePageDto, description: 'A page' }),
    ApiProblems('invalid-request', 'invalid-cursor', 'index-unavailable'),
  );
}

export function DescribeInfo(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'getFileInfo', summary: 'Get a file’s record, where it lies and what it survives' }),
    FILE_ID,
    ApiResponse({ status: 200, type: FileInfoDto, description: 'The record' }),
    ApiProblems('invalid-id', 'file-not-found', 'index-unavailable'),
  );
}

export function DescribeDownload(method: 'GET' | 'HEAD'): MethodDecorator {
  const isGet = method === 'GET';
  const body = isGet ? { schema: BINARY } : {};
  return applyDecorators(
    ApiOperation({
      operationId: isGet ? 'downloadFile' : 'headFile',
      summary: isGet ? 'Get the bytes of a file' : 'Get the headers of a download',
    }),
    FILE_ID,
    DOWNLOAD_PRECONDITIONS,
    ...(isGet ? [PARTS, ApiProduces('application/octet-stream')] : []),
    ApiResponse({ status: 200, description: isGet ? 'The bytes' : 'The headers', headers: DOWNLOAD_HEADERS, ...body }),
    ApiResponse({ status: 304, description: 'Not changed', headers: ETAG }),
    isGet
      ? ApiProblems(...HEAD_PROBLEMS, 'range-not-satisfiable', 'data-unavailable', 'too-busy')
      : ApiBodilessProblems(...HEAD_PROBLEMS),
  );
}

export function DescribePatch(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'updateFile',
      summary: 'Rename a file or change its content type',
      description:
        'The content stays, and so do its version and the `etag`: `If-Match` guards against new content, and not against another rename. `If-Unmodified-Since` does, to the second (`updatedAt`).',
    }),
    FILE_ID,
    CHANGE_PRECONDITIONS,
    ApiBody({ type: UpdateFileDto }),
    ApiResponse({ status: 200, type: FileDto, description: 'Changed', headers: ETAG }),
    ApiProblems(
      'invalid-request',
      'invalid-json',
      'invalid-name',
      'invalid-content-type',
      'body-too-large',
      'unsupported-media-type',
      ...CHANGE_PROBLEMS,
    ),
  );
}

export function DescribeDelete(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'deleteFile', summary: 'Delete a file', description: 'Gone from the list at once.' }),
    FILE_ID,
    CHANGE_PRECONDITIONS,
    ApiResponse({ status: 204, description: 'Deleted' }),
    ApiProblems(...CHANGE_PROBLEMS),
  );
}
