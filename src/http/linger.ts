import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** How long a client may go on sending what nobody wants, milliseconds. */
const LINGER_MS_MAX = 2000;

/** On the socket itself: it costs each request next to nothing to look. */
const LAST = Symbol('last');
type Marked = Socket & { [LAST]?: boolean };

/** Whether the last answer of a connection is given, or on its way: what is asked behind it is not to be answered, nor to be done. */
export function hasLastAnswer(socket: Socket): boolean {
  return (socket as Marked)[LAST] === true;
}

/**
 * For an answer that comes before the end of its request and is the last one on its connection: what still arrives is thrown away for a
 * while before the connection is closed (RFC 9112, 9.6). Closed with bytes unread it would be reset, and the client, busy with sending,
 * would often lose the answer that it has already.
 */
export function linger(request: IncomingMessage, msMax = LINGER_MS_MAX): void {
  const socket: Marked = request.socket;
  const close = socket.destroySoon.bind(socket);
  socket[LAST] = true;
  // Whoever read it may have left in the middle.
  request.unpipe().removeAllListeners('readable');
  // eslint-disable-next-line no-restricted-syntax -- thrown away
  request.on('data', () => undefined).resume();
  // What Node.js calls when the last answer was handed to the socket.
  socket.destroySoon = () => {
    if (request.complete || request.destroyed) {
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
