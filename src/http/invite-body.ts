import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Tells a client that asked first (`Expect: 100-continue`, RFC 9110 §10.1.1) to send its body. Called once, where a body is first read and
 * behind everything that may refuse it: a client that is refused has then sent nothing in vain.
 */
export function inviteBody(request: IncomingMessage, response: ServerResponse): void {
  // HTTP/1.0 has no 100, and any other expectation was answered 417 before the request got here.
  if (request.headers.expect !== undefined && request.httpVersion === '1.1') response.writeContinue();
}
