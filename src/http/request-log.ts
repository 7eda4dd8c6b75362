import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { PinoLogger } from 'nestjs-pino';

const REQUEST_ID = /^[\w.-]{1,64}$/;

const ids = new AsyncLocalStorage<string>();

/** The id of a request is the client's, if it sent a decent one. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** What each line that is logged in the course of a request says of it. */
export function currentRequest(): { readonly reqId?: string } {
  const reqId = ids.getStore();
  return reqId === undefined ? {} : { reqId };
}

export function logLevelOf({ statusCode }: ServerResponse): 'error' | 'warn' | 'info' {
  if (statusCode >= 500) return 'error';
  return statusCode >= 400 ? 'warn' : 'info';
}

/**
 * Logs requests that do not go through the middleware of pino-http, in the same lines. That one makes two loggers for each request, whether
 * anything is logged or not, which costs more than all else that the server does with a small one.
 */
@Injectable()
export class RequestLog {
  private readonly logger: PinoLogger['logger'];

  constructor({ logger }: PinoLogger) {
    this.logger = logger;
  }

  /** Does the work of a request; a line tells of it when it has ended. */
  follow(request: IncomingMessage, response: ServerResponse, work: (id: string) => void): void {
    const id = requestIdOf(request);
    const began = Date.now();
    response.on('close', () => this.ended(request, response, { id, responseTime: Date.now() - began }));
    ids.run(id, work, id);
  }

  private ended(
    { method, url, readableAborted }: IncomingMessage,
    response: ServerResponse,
    { id, responseTime }: { readonly id: string; readonly responseTime: number },
  ): void {
    const level = logLevelOf(response);
    if (!this.logger.isLevelEnabled(level)) return;
    const line = { reqId: id, req: { id, method, url }, res: response, responseTime };
    if (level === 'error') {
      const err = new Error(`failed with status code ${response.statusCode}`);
      this.logger.error({ ...line, err }, 'request errored');
    } else this.logger[level](line, !readableAborted && response.writableEnded ? 'request completed' : 'request aborted');
  }
}
