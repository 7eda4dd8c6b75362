import { STATUS_CODES } from 'node:http';
import { DomainError, errorCode, ERRORS, type ErrorCode } from '../common/errors.js';

/** An error as it is answered: RFC 9457, `application/problem+json`. */
export interface Problem {
  /** Names the kind of error; docs/errors.md describes each. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** Stable, for programs. */
  readonly code: ErrorCode;
  readonly detail: string;
}

/** Seconds after which a client that was answered 503 may try again. */
const RETRY_AFTER_SECONDS = 2;

export function problem(code: ErrorCode, detail: string): Problem {
  const { status, title } = ERRORS[code];
  return {
    type: `urn:dcloud:problem:${code}`,
    title,
    status: status ?? 500,
    code,
    detail,
  };
}

/** Seconds after which the client may try again; undefined if that would be of no use. */
export function retryAfterOf(error: unknown, { status }: Problem): number | undefined {
  const said = error instanceof DomainError ? error.retryAfterSeconds : undefined;
  return said ?? (status === 503 ? RETRY_AFTER_SECONDS : undefined);
}

/** What an error means for the client. Errors that nobody foresaw say nothing outside. */
export function problemOf(error: unknown): Problem {
  if (error instanceof DomainError) return problem(error.code, error.detail);
  return (
    problemOfNode(error) ??
    problemOfHttp(error) ??
    problem('internal', 'the request failed; the log has more, under the id in X-Request-Id')
  );
}

/** Errors of Node.js itself: a client that went away in the middle of its body. */
function problemOfNode(error: unknown): Problem | undefined {
  const code = errorCode(error);
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return problem('incomplete-body', 'the connection closed before the body was complete');
  return undefined;
}

/** The codes of what Express, its body parser and Nest throw, by the `type` of the error or by its status. */
const BY_TYPE: Readonly<Record<string, ErrorCode>> = {
  'entity.parse.failed': 'invalid-json',
  'entity.too.large': 'body-too-large',
  'encoding.unsupported': 'unsupported-encoding',
  'charset.unsupported': 'unsupported-encoding',
  'request.aborted': 'incomplete-body',
  'request.size.invalid': 'incomplete-body',
};
const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid-request',
  404: 'route-not-found',
  413: 'body-too-large',
  415: 'unsupported-media-type',
};

function problemOfHttp(error: unknown): Problem | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { type, status } = { type: undefined, status: undefined, ...error } as { type: unknown; status: unknown };
  const code =
    (typeof type === 'string' ? BY_TYPE[type] : undefined) ?? (typeof status === 'number' ? BY_STATUS[status] : undefined);
  if (code === undefined) return undefined;
  return problem(code, detailOf(error) ?? STATUS_CODES[ERRORS[code].status ?? 500] ?? code);
}

/** Nest's validation lists what is wrong; nothing else of a foreign error is repeated. */
function detailOf(error: object): string | undefined {
  if (!('response' in error) || typeof error.response !== 'object' || error.response === null || !('message' in error.response))
    return undefined;
  const { message } = error.response;
  return Array.isArray(message) ? message.join('; ') : undefined;
}
