import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Params } from 'nestjs-pino';
import { stdSerializers } from 'pino';

const REQUEST_ID = /^[\w.-]{1,64}$/;

/**
 * Structured logs of requests: method, path and status. No query (it holds names), no headers, no bodies. The id of a request is the
 * client's, if it sent a decent one, and goes back in `X-Request-Id`.
 */
export function loggingOptions(level: string): Params {
  return {
    pinoHttp: {
      level,
      genReqId: (request: IncomingMessage, response: ServerResponse) => {
        const given = request.headers['x-request-id'];
        const id = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
        response.setHeader('X-Request-Id', id);
        return id;
      },
      wrapSerializers: false, // the standard ones would parse the query, which may be malformed
      serializers: {
        req: ({ id, method, url }: IncomingMessage & { id: unknown }) => ({ id, method, path: url?.split('?', 1)[0] }),
        res: ({ statusCode }: ServerResponse) => ({ statusCode }),
        err: stdSerializers.err,
      },
      customLogLevel: (_request: IncomingMessage, response: ServerResponse, error?: Error) => {
        if (error !== undefined || response.statusCode >= 500) return 'error';
        return response.statusCode >= 400 ? 'warn' : 'info';
      },
      quietReqLogger: true,
    },
  };
}
