import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { ProblemDto } from './problem.dto.js';

/** Documents the errors that an operation may answer, by their status. */
export function ApiProblems(problems: Readonly<Record<number, string>>): MethodDecorator {
  const content = { 'application/problem+json': { schema: { $ref: getSchemaPath(ProblemDto) } } };
  const responses = Object.entries(problems).map(([status, description]) =>
    ApiResponse({ status: Number(status), description, content }),
  );
  return applyDecorators(ApiExtraModels(ProblemDto), ...responses);
}
