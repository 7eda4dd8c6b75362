import type { IncomingMessage, ServerResponse } from 'node:http';
import { DomainError } from '../common/errors.js';
import { answerProblem } from '../http/answer-problem.js';
import { clientOf, noteForwarding } from '../http/forwarded.js';
import { LENGTH_HEADER } from '../http/ticket-wire.js';
import { OTHER_RUN_HEADER, type ForwardProof } from './forward-proof.js';

/**
 * Sees where a request comes from, before anything is done with it.
 * @returns whether it may be answered; else it was
 */
export function seeForwarding(proof: ForwardProof, request: IncomingMessage, response: ServerResponse): boolean {
  const forwarding = proof.verify(request);
  if (forwarding === 'other-run') {
    response.setHeader(OTHER_RUN_HEADER, '1');
    const restarted = 'the process that holds the index is not the run of it that the peer knew: ask again';
    answerProblem(new DomainError('gateway-unavailable', restarted), { request, response });
    return false;
  }
  if (forwarding === undefined) return true;
  noteForwarding(request, forwarding);
  // How much the client has announced to a peer that may not send it here.
  const { [LENGTH_HEADER]: length } = request.headers;
  if (forwarding.tickets !== undefined && typeof length === 'string') request.headers['content-length'] = length;
  return true;
}

/** What a peer tells of itself and cannot ask anybody about is for its own machine. @throws DomainError `client-not-local` */
export function requireLocal(request: IncomingMessage): void {
  if (clientOf(request).isLocal) return;
  throw new DomainError('client-not-local', 'what concerns this process alone is told to its own machine only');
}
