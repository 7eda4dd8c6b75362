import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { release } from '../common/release.js';

/** Bytes that may wait to be sent: so many that the next pieces are made while they are. */
const WAITING_BYTES_MAX = 256 * 1024;

/**
 * Sends the body of an answer whose head was sent, under backpressure; resolves when all of it has left. The pieces become the sender's: each is
 * released as soon as the system has taken it. If they end with an error, or the signal is aborted, the connection is destroyed: the client
 * sees that the body is not complete.
 * @param signal aborted, too, when the client has left
 */
export async function sendBody(response: ServerResponse, pieces: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  response.on('error', noted); // of a client that leaves in this very moment; the signal tells
  try {
    for await (const piece of pieces) {
      signal.throwIfAborted();
      response.write(piece, (error) => {
        if (error === null || error === undefined) release(piece);
      });
      if (response.writableLength > WAITING_BYTES_MAX) await once(response, 'drain', { signal });
    }
    const sent = finished(response, { readable: false, signal });
    response.end();
    await sent;
  } catch (error) {
    response.destroy();
    signal.throwIfAborted(); // what waits for a signal throws an error of its own, which hides why
    throw error;
  }
}

function noted(): void {
  // See where it is added.
}
