import type { IncomingMessage, ServerResponse } from 'node:http';
import { endWithTurn } from './end-with-turn.js';
import { noteOf } from './request-note.js';
import { requestSignal } from './request-signal.js';

/**
 * A request and its answer, in terms of Node.js alone: the same code answers whether Express called it or the HTTP server itself.
 * Headers are gathered here and written once, which costs a third of setting each on the response.
 */
export class Exchange {
  readonly signal: AbortSignal;
  /** Names and values in turn. */
  private readonly head: string[];

  /** @param requestId goes back in `X-Request-Id`; undefined if the response has it already */
  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    requestId?: string,
  ) {
    this.head = requestId === undefined ? [] : ['X-Request-Id', requestId];
    this.signal = requestSignal(request, response);
  }

  /** Says what the request made, for who keeps a record of requests. */
  made(id: string): void {
    const note = noteOf(this.response);
    if (note !== undefined) note.id = id;
  }

  /** Adds a header to the answer, which must not have it yet. */
  header(name: string, value: string): void {
    this.head.push(name, value);
  }

  /** Sends the head; the caller sends the body. */
  begin(status: number): void {
    this.response.writeHead(status, this.head);
  }

  /** Sends an answer without a body, or whose body is not to be sent (HEAD). */
  end(status: number): void {
    this.begin(status);
    endWithTurn(this.response);
  }

  /** Sends an answer whose length is among the headers. @param onSent see {@link endWithTurn} */
  bytes(status: number, body: Uint8Array, onSent?: () => void): void {
    this.begin(status);
    endWithTurn(this.response, body, onSent);
  }

  json(status: number, value: object): void {
    const text = JSON.stringify(value);
    this.header('Content-Type', 'application/json; charset=utf-8');
    this.header('Content-Length', String(Buffer.byteLength(text)));
    this.begin(status);
    endWithTurn(this.response, text);
  }

  /** Leaves the headers so far on the response, for the answer of an error, which keeps those that do not tell of a file. */
  leaveHeaders(): void {
    const { head, response } = this;
    if (response.headersSent) return;
    for (let at = 0; at < head.length; at += 2) response.setHeader(head[at] ?? '', head[at + 1] ?? '');
    head.length = 0;
  }
}
