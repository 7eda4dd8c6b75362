import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendBody } from './send-body.js';
import { TICKET_BYTES_MAX } from './ticket-wire.js';

/** A body that a peer reads itself. */
export interface DelegatedBody {
  /** Of all its bytes. */
  readonly length: number;
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Lets go of what it takes; to be called when it was sent, or cannot be any more. */
  readonly close: () => void;
}

/** What stores one body. */
export interface BodyStore {
  /** Stores it, and resolves with a report for the gateway, whatever came of it. */
  readonly store: (body: AsyncIterable<Uint8Array>, signal: AbortSignal) => Promise<Uint8Array>;
}

/** Moves bodies between clients and nodes in the place of the gateway, which decides on all and gives a ticket for each (docs/adr/0026). */
export interface TicketTaker {
  /** Whether it can do so at the moment, as far as is known. */
  readonly isAble: boolean;
  /** Bytes of a body from which on it is worth it; 0 is never. */
  readonly bytesMin: number;
  /** Resolves when the first bytes are there; whatever it throws, the gateway may be able to read it. */
  readonly open: (ticket: Uint8Array, signal: AbortSignal) => Promise<DelegatedBody>;
  /** Gets ready to store a body; whatever it throws, the gateway may be able to store it. */
  readonly prepare: (ticket: Uint8Array, signal: AbortSignal) => Promise<BodyStore>;
}

/** The ticket that came as an answer. @throws Error if there is more of it than a ticket can be, or less than was announced */
export async function readTicket(answer: IncomingMessage, signal: AbortSignal): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    signal.throwIfAborted();
    bytes += part.length;
    if (bytes > TICKET_BYTES_MAX) throw new RangeError('the ticket is too long');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Sends a body with the head that the gateway gave for it. One that cannot be read to its end breaks off for the client too. */
export async function sendDelegated(
  { length, pieces, close }: DelegatedBody,
  { status, headers }: { readonly status: number; readonly headers: readonly string[] },
  { response, signal }: { readonly response: ServerResponse; readonly signal: AbortSignal },
): Promise<void> {
  try {
    response.writeHead(status, [...headers, 'Content-Length', String(length)]);
    await sendBody(response, pieces, signal);
  } finally {
    close();
  }
}
