import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIPv4 } from 'node:net';
import { DomainError } from '../common/errors.js';
import { answerProblem } from '../http/answer-problem.js';
import { noteForwarder } from '../http/forwarded.js';
import { OTHER_RUN_HEADER, type ForwardProof } from './forward-proof.js';

/**
 * Lets requests of clients in: those of this machine, and those that a peer passed on, which has looked at them itself. Clients on other
 * machines are refused as long as there are no accounts by which they could be known.
 * @returns whether it may be answered; else it was
 */
export function admitClient(proof: ForwardProof, request: IncomingMessage, response: ServerResponse): boolean {
  const forwarder = proof.verify(request);
  if (forwarder === 'other-run') {
    response.setHeader(OTHER_RUN_HEADER, '1');
    const restarted = 'the process that holds the index is not the run of it that the peer knew: ask again';
    answerProblem(new DomainError('gateway-unavailable', restarted), { request, response });
    return false;
  }
  if (forwarder !== undefined) {
    noteForwarder(request, forwarder);
    return true;
  }
  if (isOfThisMachine(request)) return true;
  const detail =
    'this version has no accounts, so clients are served on their own machine only: send the request to the peer there';
  answerProblem(new DomainError('client-not-local', detail), { request, response });
  return false;
}

/** From the loopback, or from the address at which it arrived. One that was reset has no address any more, and could be from anywhere. */
function isOfThisMachine({ socket: { remoteAddress, localAddress } }: IncomingMessage): boolean {
  if (remoteAddress === undefined || remoteAddress === '') return false;
  if (remoteAddress === localAddress || remoteAddress === '::1') return true;
  const plain = remoteAddress.replace(/^::ffff:/, '');
  return isIPv4(plain) && plain.startsWith('127.');
}
