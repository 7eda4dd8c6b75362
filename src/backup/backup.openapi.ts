import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse } from '@nestjs/swagger';
import { ApiProblems } from '../http/api-problems.js';
import { BackupsDto } from './backup.dto.js';

/** Descriptions of the operations of `/backup` for the API document. */

export function DescribeMakeBackup(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'makeBackup',
      summary: 'Make a backup',
      description:
        'Index and configuration as they are at one moment, sealed under the key ring, which is not in it. `dcloud restore` reads it. ' +
        'It is begun when it is whole; a body that is shorter than its `Content-Length` is no backup.',
    }),
    ApiProduces('application/octet-stream'),
    ApiResponse({ status: 200, description: 'The backup', schema: { type: 'string', format: 'binary' } }),
    ApiProblems('backup-running', 'backup-failed', 'index-unavailable'),
  );
}

export function DescribeBackups(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'getBackups',
      summary: 'Which backups there are on the nodes',
      description: 'Those that the server writes by itself, if `backup_interval` says so.',
    }),
    ApiResponse({ status: 200, description: 'How that stands', type: BackupsDto }),
    ApiProblems('index-unavailable'),
  );
}
