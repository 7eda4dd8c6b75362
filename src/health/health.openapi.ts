import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiParam, ApiResponse } from '@nestjs/swagger';
import { HealthCheck } from '@nestjs/terminus';
import { ApiProblems } from '../http/api-problems.js';
import { CheckDto, HealthDto } from './health.dto.js';
import { NodeDto, NodesDto } from './node.dto.js';

/** Descriptions of the operations of `/health` and `/nodes` for the API document. */

/** Terminus' own description would repeat one nameless schema in each answer, of which generated clients make a class each. */
export function DescribeHealth(operationId: string): MethodDecorator {
  return applyDecorators(
    HealthCheck({ noCache: true, swaggerDocumentation: false }),
    ApiExtraModels(CheckDto),
    ApiOperation({ operationId }), // the summary is the comment of the method
    ApiResponse({ status: 200, type: HealthDto, description: 'Well' }),
    ApiResponse({ status: 503, type: HealthDto, description: 'Not well: `error` says what' }),
  );
}

export function DescribeNodes(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'listNodes', summary: 'All storage nodes, their states and loads' }),
    ApiResponse({ status: 200, type: NodesDto, description: 'The nodes' }),
    ApiProblems('index-unavailable'),
  );
}

export function DescribeNode(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'getNode', summary: 'One storage node' }),
    ApiParam({ name: 'node', schema: { type: 'integer', minimum: 1 }, example: 1, description: 'Its number, from 1' }),
    ApiResponse({ status: 200, type: NodeDto, description: 'The node' }),
    ApiProblems('node-not-found', 'index-unavailable'),
  );
}
