import { json, type RequestHandler } from 'express';
import { DomainError } from '../common/errors.js';
import { problemOf } from './problem.js';

/** Parses the JSON body of the few routes that have one; anything else there is refused and not silently ignored. */
export function jsonBody(bytesMax: number): RequestHandler {
  const parse = json({ limit: bytesMax, strict: true, type: ['application/json', 'application/merge-patch+json'] });
  return (request, response, next) => {
    if (request.is(['application/json', 'application/merge-patch+json']) === false) {
      next(new DomainError('unsupported-media-type', 'the body must be application/json'));
      return;
    }
    // Nest would take a syntax error for its own and lose what kind it was.
    void parse(request, response, (error?: unknown) => next(error === undefined ? undefined : asDomainError(error)));
  };
}

function asDomainError(error: unknown): DomainError {
  const { code, detail } = problemOf(error);
  return new DomainError(code, detail, { cause: error });
}
