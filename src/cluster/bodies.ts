import type { IncomingMessage } from 'node:http';
import { announcedBytes } from '../http/announced-bytes.js';
import { WHOLE_BODY_BYTES_MAX } from '../http/whole-body.js';

/** Whether it does not matter how often a request is done. */
export function isSafe(request: IncomingMessage): boolean {
  return (request.method === 'GET' || request.method === 'HEAD') && !hasBodyOf(request);
}

/** Whether a body comes with a request. */
export function hasBodyOf({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (announcedBytes(headers) ?? 0) > 0;
}

/** Whatever the headers of an answer say (RFC 9110, 6.4.1). */
export function hasNoBody({ method }: IncomingMessage, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

/** The length of a body that is passed on in one piece; undefined: it streams. */
export function smallLengthOf({ headers }: IncomingMessage): number | undefined {
  const length = announcedBytes(headers);
  return length !== undefined && length <= WHOLE_BODY_BYTES_MAX ? length : undefined;
}
