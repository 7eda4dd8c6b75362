import type { IncomingMessage, ServerResponse } from 'node:http';

/** One signal for all the work of a request: aborted when the client leaves before its answer is complete. */
export function requestSignal(request: IncomingMessage, response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) controller.abort(new ClientGone());
  });
  // Not request.destroyed: that is true as soon as a body was read to its end.
  if (request.socket.destroyed || response.destroyed) controller.abort(new ClientGone());
  return controller.signal;
}

/** The client closed its connection. It has the code that Node.js gives the same event elsewhere. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
  readonly code = 'ECONNRESET';

  constructor() {
    super('the client closed the connection');
  }
}
