import { json, type RequestHandler } from 'express';
import { DomainError } from '../common/errors.js';
import { announcedBytes } from './announced-bytes.js';
import { inviteBody } from './invite-body.js';
import { problemOf } from './problem.js';

/** No body has more levels than these that mean anything: an object, a list in it, and objects in that. */
const DEPTH_MAX = 2;

/**
 * Parses the JSON body of the few routes that have one; anything else there is refused and not silently ignored.
 * @param itemsMax of each list in it: what checks the items of a list does so before it looks at their number
 */
export function jsonBody(bytesMax: number, itemsMax = Infinity): RequestHandler {
  const parse = json({
    limit: bytesMax,
    strict: true,
    type: ['application/json', 'application/merge-patch+json'],
    verify: (_request, _response, bytes) => {
      if (bytes.length === 0) throw new DomainError('invalid-json', 'the body is empty'); // and not an object without keys
    },
  });
  return (request, response, next) => {
    if (request.is(['application/json', 'application/merge-patch+json']) === false) {
      next(new DomainError('unsupported-media-type', 'the body must be application/json'));
      return;
    }
    if ((announcedBytes(request.headers) ?? 0) > bytesMax) {
      next(new DomainError('body-too-large', `the body may have at most ${bytesMax} bytes`)); // the parser finds that out too, but behind the invitation
      return;
    }
    inviteBody(request, response);
    // Nest would take a syntax error for its own and lose what kind it was.
    parse(request, response, (error?: unknown) => {
      next(error === undefined ? (longList(request.body, itemsMax) ?? strangeKey(request.body)) : asDomainError(error));
    });
  };
}

function longList(body: unknown, itemsMax: number): DomainError | undefined {
  const isLong = Object.values(body ?? {}).some((value) => Array.isArray(value) && value.length > itemsMax);
  return isLong ? new DomainError('invalid-request', `a list in the body may have at most ${itemsMax} items`) : undefined;
}

/** class-transformer drops keys that every object has, so the validation behind it cannot refuse them as unknown. */
function strangeKey(body: unknown): DomainError | undefined {
  if (!hasStrangeKey(body)) return undefined;
  return new DomainError('invalid-request', 'the body has a property that should not exist');
}

/** Also in the objects of a list. */
function hasStrangeKey(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return false;
  if (!Array.isArray(value) && Object.keys(value).some((key) => Object.hasOwn(Object.prototype, key))) return true;
  return Object.values(value).some((each) => hasStrangeKey(each, depth + 1));
}

function asDomainError(error: unknown): DomainError {
  const { code, detail } = problemOf(error);
  return new DomainError(code, detail, { cause: error });
}
