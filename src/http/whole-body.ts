import type { IncomingMessage } from 'node:http';
import type { Exchange } from './exchange.js';
import { inviteBody } from './invite-body.js';
import { ClientGone } from './request-signal.js';

/** Bodies that say that they are at most this long are read into one buffer before anything is done with them. */
export const WHOLE_BODY_BYTES_MAX = 64 * 1024;

/**
 * Reads the body of a request, of a known, small length.
 * @throws what ended the connection, if it ends before the body
 */
export function readWholeBody(
  { request, response, signal }: Pick<Exchange, 'request' | 'response' | 'signal'>,
  length: number,
): Promise<Uint8Array> {
  // It has told everybody who listened then.
  if (signal.aborted || request.destroyed) return Promise.reject(new ClientGone());
  const body = wholeOf(request, length);
  inviteBody(request, response);
  return body;
}

/**
 * What a message still brings, of a known, small length. With two listeners and not as an async iterable, which costs a message of a few KiB
 * as much as all else of reading it; backpressure is of no use below the size of a socket's buffer.
 * @throws what ended the connection, if it ends before the body
 */
export function wholeOf(message: IncomingMessage, length: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  let whole: Buffer | undefined;
  let received = 0;
  // eslint-disable-next-line no-restricted-syntax -- see above
  message.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (chunk.length === length) whole = chunk;
    else (whole ??= Buffer.allocUnsafe(length)).set(chunk, received - chunk.length);
  });
  // Not with the last byte: a request is not complete then, and an error would be answered as if more of the body came.
  message.once('end', () => {
    if (received === length) resolve(whole ?? new Uint8Array(0));
    else reject(new ClientGone());
  });
  message.once('error', reject);
  return promise;
}
