import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { Request, Response } from 'express';
import { problemOf, RETRY_AFTER_SECONDS } from './problem.js';

/** The one place where errors become answers. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const answer = problemOf(error);
    const isGone = response.destroyed || request.socket.destroyed;
    if (answer.status >= 500 && !isHealthReport(error)) this.logger.error({ err: error, code: answer.code }, 'a request failed');
    if (isGone) return;
    if (response.headersSent) {
      response.destroy(); // to end it would make a truncated body look complete
      return;
    }
    if (!request.complete) {
      response.setHeader('Connection', 'close'); // the rest of the body is not wanted
      request.resume();
    }
    if (isHealthReport(error)) {
      response.status(error.getStatus()).json(error.getResponse());
      return;
    }
    if (answer.status === 503) response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
    for (const header of ['Content-Disposition', 'Content-Range', 'ETag', 'Last-Modified', 'Repr-Digest']) {
      if (answer.status !== 416 || header !== 'Content-Range') response.removeHeader(header);
    }
    response
      .status(answer.status)
      .setHeader('Content-Type', 'application/problem+json')
      .send(Buffer.from(JSON.stringify(answer)));
  }
}

/** Terminus reports an unhealthy state by an exception whose body is the report, and its format is the contract. */
function isHealthReport(error: unknown): error is HttpException {
  if (!(error instanceof HttpException)) return false;
  const body = error.getResponse();
  return typeof body === 'object' && 'details' in body && 'status' in body;
}
