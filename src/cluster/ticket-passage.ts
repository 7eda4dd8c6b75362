import type { ClientRequest, IncomingMessage } from 'node:http';
import { Logger } from '@nestjs/common';
import { announcedBytes } from '../http/announced-bytes.js';
import { type BodyStore, type DelegatedBody, readTicket, sendDelegated, type TicketTaker } from '../http/delegated-body.js';
import { inviteBody } from '../http/invite-body.js';
import { requestSignal } from '../http/request-signal.js';
import { AT_IT, BODY, DELEGATED_HEADER, REPORT, TICKET_HEADER } from '../http/ticket-wire.js';
import { within } from '../common/within.js';
import type { ForwardProof } from './forward-proof.js';
import type { Exchanged } from './passages.js';

/** What is silent for longer could be gone: the gateway hears that this process is still at it. */
const AT_IT_MS = 500;
/** A gateway that has said nothing for so long is not waited for. A frozen one, or one with too much to do, may yet hear of a body that was stored. */
const SILENT_MS_MAX = 10_000;
/** What clients put into `/files`; all else is for the gateway to read. */
const FILES = /^\/files(?=[/?]|$)/;

/** A ticket that came as an answer. */
export interface TicketAnswer {
  readonly answer: IncomingMessage;
  /** The header of the request that it is for. */
  readonly header: string;
}

/** A ticket that came as an interim answer, for a body that waits. */
export interface StoreOrder {
  readonly headers: IncomingMessage['headers'];
  readonly header: string;
  readonly upstream: ClientRequest;
}

/** Answers requests that the gateway gives a ticket for: the body goes straight between the client and the nodes. */
export class TicketPassage {
  private readonly logger = new Logger(TicketPassage.name);
  /** Since when the gateway does not answer who asks how it is. */
  private silentSince: number | undefined;
  /** Why a body could not be moved here the last time. */
  private reported = '';

  constructor(
    private readonly proof: ForwardProof,
    private readonly taker: TicketTaker,
  ) {}

  /** Whether the gateway answers who asks how it is. */
  note(isSilent: boolean): void {
    this.silentSince = isSilent ? (this.silentSince ?? performance.now()) : undefined;
  }

  /** Whether a ticket would be of use here for a request. */
  takes({ method, url = '', headers }: IncomingMessage): 'read' | 'store' | undefined {
    const { bytesMin, isAble } = this.taker;
    if (bytesMin === 0 || !isAble) return undefined;
    const length = announcedBytes(headers) ?? 0;
    const isPlain = headers['transfer-encoding'] === undefined;
    if (method === 'GET' && isPlain && length === 0) return 'read';
    return method === 'PUT' && isPlain && length >= bytesMin && FILES.test(url) ? 'store' : undefined;
  }

  /** Answers with the body that a ticket stands for. False, and nothing is answered, if it cannot be read here. */
  async read({ answer, header }: TicketAnswer, head: readonly string[], { request, response }: Exchanged): Promise<boolean> {
    const signal = requestSignal(request, response);
    let body: DelegatedBody;
    try {
      const ticket = await readTicket(answer, signal);
      this.requireProof(ticket, header, answer.headers);
      body = await this.taker.open(ticket, signal);
    } catch (error) {
      if (response.destroyed) return true;
      this.fail(error, 'a body could not be read here: it comes through the gateway');
      return false;
    }
    this.reported = '';
    // Either side sees that it was cut.
    await sendDelegated(body, { status: answer.statusCode ?? 200, headers: head }, { response, signal }).catch(() => undefined);
    return true;
  }

  /**
   * Stores the body of a request by a ticket, and reports what became of it. False, and nothing of the body is read, if it cannot be stored here:
   * then the gateway waits for it.
   */
  async store({ headers, header, upstream }: StoreOrder, { request, response }: Exchanged): Promise<boolean> {
    const gone = new AbortController();
    const signal = AbortSignal.any([requestSignal(request, response), gone.signal]);
    upstream.once('close', () => gone.abort(new Error('the gateway has broken off')));
    const beat = setInterval(() => this.sayAtIt(upstream), AT_IT_MS);
    try {
      const store = await this.prepare({ headers, header, upstream }, signal);
      if (signal.aborted) {
        // Either end is gone, and the other one is to hear of it. What was made ready ends with it.
        upstream.destroy();
        await store?.store(bodyOf(request, signal), signal);
        return true;
      }
      inviteBody(request, response);
      if (store === undefined) {
        upstream.write(Buffer.of(BODY));
        return false;
      }
      const report = await store.store(bodyOf(request, signal), signal);
      if (!upstream.destroyed)
        upstream.end(Buffer.concat([Buffer.of(REPORT), Buffer.from(this.proof.proveReport(header, report)), report]));
      return true;
    } finally {
      clearInterval(beat);
    }
  }

  /** One that is silent for long is not spoken to any more: so its silence is seen, and ends what waits for it. */
  private sayAtIt(upstream: ClientRequest): void {
    const silentMs = this.silentSince === undefined ? 0 : performance.now() - this.silentSince;
    if (!upstream.destroyed && silentMs < SILENT_MS_MAX) upstream.write(Buffer.of(AT_IT));
  }

  private async prepare({ headers, header }: StoreOrder, signal: AbortSignal): Promise<BodyStore | undefined> {
    try {
      const ticket = Buffer.from(String(headers[TICKET_HEADER]), 'base64url');
      this.requireProof(ticket, header, headers);
      const store = await this.taker.prepare(ticket, signal);
      this.reported = '';
      return store;
    } catch (error) {
      if (!signal.aborted) this.fail(error, 'a body cannot be stored here: it goes through the gateway');
      return undefined;
    }
  }

  private requireProof(ticket: Uint8Array, header: string, { [DELEGATED_HEADER]: proof }: IncomingMessage['headers']): void {
    if (this.proof.isTicketOf(header, ticket, String(proof))) return;
    throw new Error('the ticket does not prove itself');
  }

  private fail(error: unknown, message: string): void {
    const text = String(error);
    if (text !== this.reported) this.logger.warn({ err: error }, message);
    this.reported = text;
  }
}

/** The body of a request, which ends with the signal's reason: when an early answer is given, nothing comes any more. */
async function* bodyOf(request: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  signal.throwIfAborted(); // before it is touched: somebody else may be throwing it away
  // Leaving it must not destroy the socket: the answer still has to go through it.
  const pieces = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  for (;;) {
    const step = await within(signal, pieces.next());
    if (step.done === true) return;
    yield step.value;
  }
}
