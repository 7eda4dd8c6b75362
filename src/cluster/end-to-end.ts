import type { IncomingMessage } from 'node:http';
import { DELEGATED_HEADER, LENGTH_HEADER, TICKET_HEADER } from '../http/ticket-wire.js';
import { FORWARD_HEADER, OTHER_RUN_HEADER } from './forward-proof.js';

/** What concerns one connection and not the request (RFC 9110, section 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/**
 * What a client cannot make an affair of its connection: without the length, what it sends as a body would be read as requests of their own
 * behind ours, and the answers to them given to others.
 */
const FRAME: ReadonlySet<string> = new Set(['content-length', 'host']);
const OURS: ReadonlySet<string> = new Set([FORWARD_HEADER, OTHER_RUN_HEADER, DELEGATED_HEADER, TICKET_HEADER, LENGTH_HEADER]);
const NONE: ReadonlySet<string> = new Set();

/** The headers of a message less those of its connection, those that only we may say, and others. */
export function endToEnd({ rawHeaders, headers }: IncomingMessage, others = NONE): string[] {
  const named = new Set((headers.connection ?? '').toLowerCase().split(/\s*,\s*/));
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    const isOfConnection = HOP_BY_HOP.has(name) || (named.has(name) && !FRAME.has(name));
    if (isOfConnection || others.has(name) || OURS.has(name) || (name === 'x-request-id' && isRequest(headers))) continue;
    kept.push(rawHeaders[at] as string, rawHeaders[at + 1] as string);
  }
  return kept;
}

/** An answer has no host. */
function isRequest({ host }: IncomingMessage['headers']): boolean {
  return host !== undefined;
}
