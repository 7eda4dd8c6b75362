import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerProblem } from './answer-problem.js';
import type { Authenticator } from './authenticator.js';
import { notePrincipal, requireWithin, type Principal } from './principal.js';
import type { RequestLog } from './request-log.js';

/** What nobody has to be known for: whether the server is well, how it is used, becoming known, and opening a link. */
const OPEN =
  /^\/(?:health|docs|l|openapi\.(?:json|yaml)|admin\/init|auth\/(?:register|login|recover)\/(?:start|finish)|drive\/links\/[\da-f-]{36}\/open)(?=[/?]|$)/i;

/** Answers a request. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** The two ways behind the gate. */
export interface Ways {
  /** The short one, for requests that may take it. */
  readonly direct: (request: IncomingMessage) => Handler | undefined;
  /** By way of Express. */
  readonly indirect: Handler;
}

/**
 * Stands before everything that answers, so that nothing can be forgotten behind it: a request goes on when it is known who sent it. What that
 * one may do is the affair of who answers.
 */
export class AccessGate {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly log: RequestLog,
    private readonly ways: Ways,
  ) {}

  readonly answer: Handler = (request, response) => {
    const direct = this.ways.direct(request);
    if (direct === undefined && OPEN.test(request.url ?? '')) {
      this.ways.indirect(request, response);
      return;
    }
    const next = direct ?? this.ways.indirect;
    const pass = (principal: Principal): void => {
      notePrincipal(request, principal);
      requireWithin(principal, request);
      next(request, response);
    };
    try {
      const found = this.authenticator.authenticate(request);
      if ('then' in found) found.then(pass).catch((error: unknown) => this.refuse(error, request, response));
      else pass(found);
    } catch (error) {
      this.refuse(error, request, response);
    }
  };

  private refuse(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    this.log.follow(request, response, (id) => {
      if (!response.headersSent) response.setHeader('X-Request-Id', id);
      answerProblem(error, { request, response });
    });
  }
}
