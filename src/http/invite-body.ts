import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request as Express has it, with its answer; a plain one does not know it. */
type Answerable = IncomingMessage & { readonly res?: Pick<ServerResponse, 'writeContinue'> | undefined };

/**
 * Tells a client that asked first (`Expect: 100-continue`, RFC 9110 §10.1.1) to send its body. Called once, where a body is first read and
 * behind everything that may refuse it: a client that is refused has then sent nothing in vain.
 */
export function inviteBody(request: Answerable): void {
  // HTTP/1.0 has no 100, and any other expectation was answered 417 before the request got here.
  if (request.headers.expect !== undefined && request.httpVersion === '1.1') request.res?.writeContinue();
}
