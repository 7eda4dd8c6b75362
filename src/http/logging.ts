import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Params } from 'nestjs-pino';
import { stdSerializers } from 'pino';
import { currentRequest, logLevelOf, requestIdOf } from './request-log.js';

const FILE_PATH = /^\/files\/(?!(?:list|[0-9a-f-]{36}(?:\/info)?)\/?$).*/i;
/** Whom somebody looks for. */
const USER_PATH = /^\/auth\/users\/[^/]*/i;
/** A link, with its secret where somebody or something has escaped the `#` before it. */
const LINK_PATH = /^\/l\/.*/i;

/** Without the query, which holds names; and so does the path when a client takes us for a folder, as `curl -T name http://…/files/` does. */
function loggedPath(url: string | undefined): string | undefined {
  return url?.split('?', 1)[0]?.replace(FILE_PATH, '/files/*').replace(USER_PATH, '/auth/users/*').replace(LINK_PATH, '/l/*');
}

/**
 * Structured logs of requests: method, path and status. No query (it holds names), no headers, no bodies. The id of a request is the
 * client's, if it sent a decent one, and goes back in `X-Request-Id`.
 */
export function loggingOptions(level: string): Params {
  return {
    pinoHttp: {
      level,
      genReqId: (request: IncomingMessage, response: ServerResponse) => {
        const id = requestIdOf(request);
        response.setHeader('X-Request-Id', id);
        return id;
      },
      wrapSerializers: false, // the standard ones would parse the query, which may be malformed
      serializers: {
        req: ({ id, method, url }: IncomingMessage & { id: unknown }) => ({ id, method, path: loggedPath(url) }),
        res: ({ statusCode }: ServerResponse) => ({ statusCode }),
        err: stdSerializers.err,
      },
      customLogLevel: (_request: IncomingMessage, response: ServerResponse, error?: Error) =>
        error === undefined ? logLevelOf(response) : 'error',
      mixin: currentRequest,
      quietReqLogger: true,
    },
  };
}
