import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import { RepairDto } from './repair.dto.js';
import { ScrubDto } from './scrub.dto.js';

/** Descriptions of the operations of `/repair` and `/scrub` for the API document. */

export function DescribeRepair(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'getRepair', summary: 'What is being restored by itself, and what is left' }),
    ApiResponse({ status: 200, type: RepairDto, description: 'The repair at this moment' }),
  );
}

export function DescribeScrub(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'getScrub', summary: 'The scrub that is under way, or the last one' }),
    ApiResponse({ status: 200, type: ScrubDto, description: 'The scrub at this moment' }),
  );
}

export function DescribeStartScrub(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'startScrub',
      summary: 'Look at every shard and record now',
      description:
        'What is missing or damaged is mended by the repair. One that was asked for before and is under way just goes on.',
    }),
    ApiResponse({ status: 202, type: ScrubDto, description: 'It is under way' }),
  );
}
