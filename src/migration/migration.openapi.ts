import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import { ApiProblems } from '../http/api-problems.js';
import { MigrationDto } from './migration.dto.js';

export function DescribeStartMigration(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'startMigration',
      summary: 'Move the index to another engine',
      description:
        'In the background. Files can be read throughout; at the end of it changes are answered 503 `index-unavailable` for a moment. Then the server goes on with the new engine, and its configuration must name that one before the next start.',
    }),
    ApiResponse({ status: 202, type: MigrationDto, description: 'It runs' }),
    ApiProblems('invalid-request', 'invalid-json', 'body-too-large', 'unsupported-media-type', 'migration-refused'),
  );
}

export function DescribeMigration(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'getMigration', summary: 'How far the move of the index is' }),
    ApiResponse({ status: 200, type: MigrationDto, description: 'The one that runs, or the last one since the start' }),
    ApiProblems(),
  );
}
