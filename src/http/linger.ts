import type { IncomingMessage } from 'node:http';

/** How long a client may go on sending what nobody wants, milliseconds. */
const LINGER_MS_MAX = 2000;

/**
 * For an answer that comes before the end of its request and is the last one on its connection: what still arrives is thrown away for a
 * while before the connection is closed (RFC 9112, 9.6). Closed with bytes unread it would be reset, and the client, busy with sending,
 * would often lose the answer that it has already.
 */
export function linger(request: IncomingMessage, msMax = LINGER_MS_MAX): void {
  const { socket } = request;
  const close = socket.destroySoon.bind(socket);
  request.resume();
  // What Node.js calls when the last answer was handed to the socket.
  socket.destroySoon = () => {
    if (request.complete) {
      close();
      return;
    }
    socket.end(); // the client sees that no more comes
    const deadline = setTimeout(close, msMax);
    request.once('close', () => {
      clearTimeout(deadline);
      close();
    });
  };
}
