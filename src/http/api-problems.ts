import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { ProblemDto } from './problem.dto.js';

/** What any operation may answer. */
const ANYWHERE = { 500: 'The server met an error that it does not know' };

/** Documents the errors that an operation may answer, by their status. */
export function ApiProblems(problems: Readonly<Record<number, string>>): MethodDecorator {
  const responses = Object.entries({ ...ANYWHERE, ...problems }).map(([status, description]) =>
    ApiResponse({
      status: Number(status),
      description,
      content: { 'application/problem+json': { schema: { $ref: getSchemaPath(ProblemDto) } } },
    }),
  );
  return applyDecorators(ApiExtraModels(ProblemDto), ...responses);
}
