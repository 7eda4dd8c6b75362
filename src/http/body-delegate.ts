import type { IncomingMessage } from 'node:http';
import type { Exchange } from './exchange.js';
import { ticketProverOf, type TicketProver } from './forwarded.js';
import { inviteBody } from './invite-body.js';
import { AT_IT, BODY, DELEGATED_HEADER, PROOF_CHARACTERS, REPORT, REPORT_BYTES_MAX, TICKET_HEADER } from './ticket-wire.js';

/** What an interim answer must have for Node.js to send it. */
const LINK = '</files>; rel=help';

/** A body that a peer has before it; either the peer stores it and reports, or it is passed on as it is. Once. */
export class BodyDelegate implements AsyncIterable<Uint8Array> {
  private readonly request: IncomingMessage;
  private pieces: AsyncIterator<Buffer> | undefined;
  private rest: Buffer = Buffer.alloc(0);

  constructor(
    private readonly exchange: Exchange,
    private readonly prover: TicketProver,
  ) {
    this.request = exchange.request;
  }

  /** Resolves with the report of the peer; with undefined if it passes the body on instead. @throws Error if it breaks off */
  async hand(ticket: Uint8Array): Promise<Uint8Array | undefined> {
    const hints = {
      link: LINK,
      [DELEGATED_HEADER]: this.prover.prove(ticket),
      [TICKET_HEADER]: Buffer.from(ticket).toString('base64url'),
    };
    this.exchange.response.writeEarlyHints(hints);
    // For Node.js alone, which else ends the connection with the answer: something was expected and did not come.
    this.exchange.response.writeContinue();
    for (;;) {
      const piece = await this.next();
      if (piece === undefined) throw new Error('the peer that stores the body has broken off');
      const at = piece.findIndex((byte) => byte !== AT_IT);
      if (at < 0) continue;
      this.rest = piece.subarray(at + 1);
      if (piece[at] === BODY) return undefined;
      if (piece[at] !== REPORT) throw new Error('the peer that stores the body says what it cannot');
      return this.report();
    }
  }

  /** The body itself, if it was not handed over. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.pieces === undefined) inviteBody(this.request, this.exchange.response);
    if (this.rest.length > 0) yield this.rest;
    for (let piece = await this.next(); piece !== undefined; piece = await this.next()) yield piece;
  }

  private async report(): Promise<Uint8Array> {
    const parts = [this.rest];
    let bytes = this.rest.length;
    for (let piece = await this.next(); piece !== undefined; piece = await this.next()) {
      bytes += piece.length;
      if (bytes > REPORT_BYTES_MAX) throw new RangeError('the report is too long');
      parts.push(piece);
    }
    const all = Buffer.concat(parts);
    const [proof, report] = [all.subarray(0, PROOF_CHARACTERS).toString('latin1'), all.subarray(PROOF_CHARACTERS)];
    if (!this.prover.isReport(report, proof)) throw new Error('the report does not prove itself');
    return report;
  }

  private async next(): Promise<Buffer | undefined> {
    // Leaving it must not destroy the socket: the answer still has to go through it.
    this.pieces ??= this.request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
    const step = await this.pieces.next();
    return step.done === true ? undefined : step.value;
  }
}

/** How a body can be stored by the peer that has it; undefined if it came through none that would. */
export function delegateOf(exchange: Exchange): BodyDelegate | undefined {
  const prover = ticketProverOf(exchange.request);
  return prover === undefined ? undefined : new BodyDelegate(exchange, prover);
}
