import type { IncomingMessage, ServerResponse } from 'node:http';
import { Logger } from '@nestjs/common';
import { linger } from './linger.js';
import { problemOf, retryAfterOf, type Problem } from './problem.js';
import { noteOf } from './request-note.js';

const logger = new Logger('ProblemFilter');

/** What tells of a file, and so must not be on the answer of an error. */
const OF_A_FILE = ['Content-Disposition', 'Content-Range', 'ETag', 'Last-Modified', 'Repr-Digest'];

/** A request and its answer. */
interface Pair {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** What an error means for the client; what is the server's own fault goes into the log, too. */
export function reportProblem(error: unknown): Problem {
  const found = problemOf(error);
  if (found.status >= 500) logger.error({ err: error, code: found.code }, 'a request failed');
  return found;
}

/** The one place where errors become answers: of Nest's controllers by way of the filter, of other handlers directly. */
export function answerProblem(error: unknown, { request, response }: Pair): void {
  const answer = reportProblem(error);
  const note = noteOf(response);
  if (note !== undefined) note.code = answer.code;
  if (!mayAnswerError({ request, response })) return;
  const retryAfter = retryAfterOf(error, answer);
  if (retryAfter !== undefined) response.setHeader('Retry-After', retryAfter);
  if (answer.status === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="DistributedCloud"'); // RFC 6750
  for (const header of OF_A_FILE) {
    if (answer.status !== 416 || header !== 'Content-Range') response.removeHeader(header);
  }
  const body = Buffer.from(JSON.stringify(answer));
  response
    .writeHead(answer.status, { 'Content-Type': 'application/problem+json', 'Content-Length': body.length })
    .end(request.method === 'HEAD' ? undefined : body);
}

/** Whether there is somebody to answer, and no other answer under way. Prepares the connection for an answer that comes before its time. */
export function mayAnswerError({ request, response }: Pair): boolean {
  if (response.destroyed || request.socket.destroyed) return false;
  if (response.headersSent) {
    response.destroy(); // to end it would make a truncated body look complete
    return false;
  }
  // A request without a body has ended before it is complete.
  if (!request.complete && !request.readableEnded) {
    response.setHeader('Connection', 'close'); // the rest of the body is not wanted
    linger(request);
  }
  return true;
}
