import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { ERRORS, type ErrorCode } from '../common/errors.js';
import { problem } from './problem.js';
import { ProblemDto } from './problem.dto.js';

/** What any operation may answer. */
const ALWAYS: readonly ErrorCode[] = ['unauthenticated', 'forbidden', 'too-many-attempts', 'internal'];

/** What any change may answer that nodes keep a record of. */
export const OF_RECORDS: readonly ErrorCode[] = ['not-enough-nodes', 'outcome-unknown'];

/** Documents the errors that an operation may answer, by status, with an example of each, and those that any may. */
export function ApiProblems(...codes: readonly ErrorCode[]): MethodDecorator {
  return describe(codes, (ofStatus) => ({
    content: {
      'application/problem+json': {
        schema: { $ref: getSchemaPath(ProblemDto) },
        examples: Object.fromEntries(ofStatus.map((code) => [code, { value: problem(code, ERRORS[code].title) }])),
      },
    },
  }));
}

/** The same for HEAD, whose answers have no body. */
export function ApiBodilessProblems(...codes: readonly ErrorCode[]): MethodDecorator {
  return describe(codes, () => ({}));
}

function describe(codes: readonly ErrorCode[], bodyOf: (codes: readonly ErrorCode[]) => object): MethodDecorator {
  const byStatus = Map.groupBy<number | null, ErrorCode>(new Set([...codes, ...ALWAYS]), (code) => ERRORS[code].status);
  const responses = [...byStatus].map(([status, ofStatus]) => {
    if (status === null) throw new TypeError(`${ofStatus.join()}: an error of the start is no answer`);
    const description = ofStatus.map((code) => `\`${code}\`: ${ERRORS[code].title}`).join('  \n');
    return ApiResponse({ status, description, ...bodyOf(ofStatus) });
  });
  return applyDecorators(ApiExtraModels(ProblemDto), ...responses);
}
