import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';

/** Bodies up to this size go out in one string with their head: one plain write, where a head and a buffer take a gathering one. */
const ONE_WRITE_BYTES_MAX = 12 * 1024;

interface Ending {
  readonly response: ServerResponse;
  readonly body: string | Uint8Array;
  readonly encoding: BufferEncoding;
  readonly onSent: () => void;
}

let endings: Ending[] = [];
/** Answers of several requests end together: what is logged of them must not seem to be of the first one. */
const outside = AsyncLocalStorage.snapshot();

/**
 * Ends an answer, whose head is made, when this turn of the event loop has done its work: answers that are ready together leave together, as
 * those of Redis do. Who waits for them on the same machine, a client or a peer, is woken once for all of them: to wake somebody costs
 * several times what a write does.
 * @param body text, or bytes that stay as they are until they were sent
 * @param onSent called when the system has all of it; not if the client leaves before
 */
export function endWithTurn(response: ServerResponse, body: string | Uint8Array = '', onSent: () => void = nothing): void {
  const ending =
    typeof body === 'string' || body.length > ONE_WRITE_BYTES_MAX
      ? ({ response, body, encoding: 'utf8', onSent } as const)
      : ({ response, body: latin1Of(body), encoding: 'latin1', onSent } as const);
  if (endings.push(ending) === 1) outside(setImmediate, endAll);
}

function endAll(): void {
  const ready = endings;
  endings = [];
  for (const ending of ready) end(ending);
}

function end({ response, body, encoding, onSent }: Ending): void {
  try {
    response.end(body, encoding, (error?: Error | null) => {
      if (error === null || error === undefined) onSent();
    });
  } catch (error) {
    response.destroy(error as Error); // the others have done nothing
  }
}

function latin1Of({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}

function nothing(): void {
  // Nobody waits for it.
}
