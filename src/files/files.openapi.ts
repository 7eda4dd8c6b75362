import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiParam, ApiProduces, ApiResponse } from '@nestjs/swagger';
import { ApiProblems } from '../http/api-problems.js';
import { FileDto, FileInfoDto, FilePageDto } from './file.dto.js';
import { UpdateFileDto } from './file-requests.dto.js';

/** Descriptions of the operations of `/files` for the API document; kept out of the controller, which is about what happens. */

const FILE_ID = ApiParam({
  name: 'id',
  format: 'uuid',
  description: 'The id of the file',
  example: '01920000-0000-7000-8000-000000000001',
});
const IF_MATCH = ApiHeader({
  name: 'If-Match',
  required: false,
  description: 'Only if the file is at this version (its `etag`)',
});
const BINARY = { type: 'string', format: 'binary' } as const;

const UPLOAD_PROBLEMS = {
  400: 'The name, the form, the digest or the length is not as it must be',
  413: 'The file is larger than allowed',
  415: 'Content-Encoding is not supported',
  503: 'Fewer nodes are up than each file must be stored on, or the server is too busy',
};

/** Both ways to send a file. The form's schema is put in by the document builder, since one operation has two here. */
const UPLOAD_BODY = applyDecorators(
  ApiConsumes('application/octet-stream', 'multipart/form-data'),
  ApiBody({ required: true, description: 'The bytes, as they are or as the one part `file` of a form', schema: BINARY }),
);

const RANGE_HEADERS = applyDecorators(
  ApiHeader({ name: 'Range', required: false, description: 'One range, like `bytes=0-1023` or `bytes=-500`' }),
  ApiHeader({ name: 'If-None-Match', required: false, description: '304 if the file is still at this version' }),
);

export function DescribeUpload(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'uploadFile',
      summary: 'Store a file',
      description: 'Answers when the file is durable on redundancy_count + 1 nodes and in the index.',
    }),
    UPLOAD_BODY,
    ApiResponse({
      status: 201,
      type: FileDto,
      description: 'Stored',
      headers: { Location: { description: 'Address of the file', schema: { type: 'string' } } },
    }),
    ApiProblems(UPLOAD_PROBLEMS),
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
    IF_MATCH,
    UPLOAD_BODY,
    ApiResponse({ status: 200, type: FileDto, description: 'Replaced' }),
    ApiProblems({ ...UPLOAD_PROBLEMS, 404: 'No such file', 412: 'The file is at another version' }),
  );
}

export function DescribeList(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ summary: 'List files', description: 'A file is listed as soon as its upload is acknowledged.' }),
    ApiResponse({ status: 200, type: FilePageDto, description: 'A page' }),
    ApiProblems({ 400: 'The query is not as it must be' }),
  );
}

export function DescribeInfo(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'getFileInfo', summary: 'A file’s record, where it lies and what it survives' }),
    FILE_ID,
    ApiResponse({ status: 200, type: FileInfoDto, description: 'The record' }),
    ApiProblems({ 400: 'The id is no UUID', 404: 'No such file' }),
  );
}

export function DescribeDownload(method: 'GET' | 'HEAD'): MethodDecorator {
  const isGet = method === 'GET';
  return applyDecorators(
    ApiOperation({
      operationId: isGet ? 'downloadFile' : 'headFile',
      summary: isGet ? 'The bytes of a file' : 'The headers of a download',
    }),
    FILE_ID,
    RANGE_HEADERS,
    ...(isGet ? [ApiProduces('application/octet-stream')] : []),
    ApiResponse({ status: 200, description: isGet ? 'The bytes' : 'The headers', ...(isGet ? { schema: BINARY } : {}) }),
    ...(isGet ? [ApiResponse({ status: 206, description: 'A part of them', schema: BINARY })] : []),
    ApiResponse({ status: 304, description: 'Not changed' }),
    ApiProblems({
      400: 'The id is no UUID',
      404: 'No such file',
      412: 'The file is at another version',
      416: 'The range lies outside the file',
      503: 'Too few nodes can be read',
    }),
  );
}

export function DescribePatch(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'updateFile', summary: 'Rename a file or change its content type' }),
    FILE_ID,
    IF_MATCH,
    ApiBody({ type: UpdateFileDto }),
    ApiResponse({ status: 200, type: FileDto, description: 'Changed' }),
    ApiProblems({
      400: 'The body is not as it must be',
      404: 'No such file',
      412: 'The file is at another version',
      415: 'The body must be JSON',
    }),
  );
}

export function DescribeDelete(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'deleteFile', summary: 'Delete a file', description: 'Gone from the list at once.' }),
    FILE_ID,
    IF_MATCH,
    ApiResponse({ status: 204, description: 'Deleted' }),
    ApiProblems({ 400: 'The id is no UUID', 404: 'No such file', 412: 'The file is at another version' }),
  );
}
