import type { IncomingHttpHeaders } from 'node:http';

/** What a message says of the length of its body; undefined if it does not. Node.js lets none through that says it in two ways, or not in digits. */
export function announcedBytes(headers: IncomingHttpHeaders): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}
