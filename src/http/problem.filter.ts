import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { Request, Response } from 'express';
import { answerProblem, mayAnswerError } from './answer-problem.js';

/** Answers the errors of Nest's controllers, pipes and middleware. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const exchange = { request: http.getRequest<Request>(), response: http.getResponse<Response>() };
    if (!isHealthReport(error)) answerProblem(error, exchange);
    else if (mayAnswerError(exchange)) exchange.response.status(error.getStatus()).json(error.getResponse());
  }
}

/** Terminus reports an unhealthy state by an exception whose body is the report, and its format is the contract. */
function isHealthReport(error: unknown): error is HttpException {
  if (!(error instanceof HttpException)) return false;
  const body = error.getResponse();
  return typeof body === 'object' && 'details' in body && 'status' in body;
}
