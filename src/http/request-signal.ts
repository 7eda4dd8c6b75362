import type { Request, Response } from 'express';

/** One signal for all the work of a request: aborted when the client leaves before its answer is complete. */
export function requestSignal(request: Request, response: Response): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
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
