import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiResponse } from '@nestjs/swagger';
import type { ErrorCode } from '../common/errors.js';
import { ApiProblems } from '../http/api-problems.js';
import { MemberDto, RebalanceDto, ReloadDto } from './membership.dto.js';

/** Descriptions of the operations that change which nodes there are, for the API document. */

interface OnNode {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly status: number;
  readonly done: string;
  readonly problems: readonly ErrorCode[];
}

function onNode({ operationId, summary, description, status, done, problems }: OnNode): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId, summary, description }),
    ApiParam({ name: 'node', schema: { type: 'integer', minimum: 1 }, example: 1, description: 'Its number, from 1' }),
    ApiResponse({ status, description: done, ...(status === 204 ? {} : { type: MemberDto }) }),
    ApiProblems('node-not-found', ...problems),
  );
}

export function DescribeDrain(): MethodDecorator {
  return onNode({
    operationId: 'drainNode',
    summary: 'Empty a node',
    description:
      'From now on it takes nothing new and is still read; all that lies on it goes to other nodes in the background. `GET /nodes/{node}` tells how far that is.',
    status: 202,
    done: 'It is being emptied',
    problems: ['drain-refused'],
  });
}

export function DescribeCancelDrain(): MethodDecorator {
  return onNode({
    operationId: 'cancelDrain',
    summary: 'Do not empty a node any more',
    description: 'It takes files again. What was moved already stays where it is.',
    status: 204,
    done: 'It is not emptied any more',
    problems: [],
  });
}

export function DescribeRemove(): MethodDecorator {
  return onNode({
    operationId: 'removeNode',
    summary: 'Remove a node that is empty',
    description:
      'Ends its membership for ever; its number is not given again. It must have been drained, or be down and have nothing left that a file needs.',
    status: 204,
    done: 'It was removed',
    problems: ['removal-refused', 'index-unavailable'],
  });
}

export function DescribeReplace(): MethodDecorator {
  return onNode({
    operationId: 'replaceNode',
    summary: 'Put an empty disk in the place of a lost one',
    description:
      'The node must be down, and its folder missing or empty. It gets a new identity, and what the index has on it is restored in the background.',
    status: 202,
    done: 'The node is there again, and is being restored',
    problems: ['replace-refused'],
  });
}

export function DescribeStartRebalance(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'startRebalance',
      summary: 'Make all nodes equally full',
      description:
        'Moves files in the background, and no more than it takes. It ends by itself, goes on after a restart, and is cancelled when a node comes or goes.',
    }),
    ApiResponse({ status: 202, type: RebalanceDto, description: 'It runs' }),
    ApiProblems(),
  );
}

export function DescribeRebalance(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: 'getRebalance', summary: 'How far the rebalance is' }),
    ApiResponse({ status: 200, type: RebalanceDto, description: 'The one that runs, or the last one' }),
    ApiProblems(),
  );
}

export function DescribeReload(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId: 'reloadConfig',
      summary: 'Read the configuration anew',
      description:
        'Takes over more nodes (`node_count`, `peers`) and another `redundancy_count`; anything else needs a restart, and is refused. So many nodes must know of the change that no takeover could miss it, before it counts. SIGHUP does the same.',
    }),
    ApiResponse({ status: 200, type: ReloadDto, description: 'It was taken over' }),
    ApiProblems('reload-refused', 'not-enough-nodes'),
  );
}
