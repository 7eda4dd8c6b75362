import { Agent, type ClientRequest, type IncomingMessage, request as beginRequest } from 'node:http';
import { Agent as TlsAgent, request as beginTlsRequest } from 'node:https';
import { addAbortSignal, finished } from 'node:stream';
import { Logger } from '@nestjs/common';
import { DomainError, errorCode } from '../common/errors.js';
import { answerProblem } from '../http/answer-problem.js';
import type { TicketTaker } from '../http/delegated-body.js';
import { endWithTurn } from '../http/end-with-turn.js';
import { inviteBody } from '../http/invite-body.js';
import { linger } from '../http/linger.js';
import { requestSignal } from '../http/request-signal.js';
import { sendBody } from '../http/send-body.js';
import { wholeOf } from '../http/whole-body.js';
import { DELEGATED_HEADER, LENGTH_HEADER, TICKET_HEADER } from '../http/ticket-wire.js';
import { isTlsTrouble } from '../http/tls-trouble.js';
import type { LiveTls } from '../config/live-tls.js';
import { requestIdOf } from '../http/request-log.js';
import { hasBodyOf, hasNoBody, isSafe, smallLengthOf } from './bodies.js';
import { endToEnd } from './end-to-end.js';
import { FORWARD_HEADER, OTHER_RUN_HEADER, type ForwardProof } from './forward-proof.js';
import { type Exchanged, Passages, Silence } from './passages.js';
import { type StoreOrder, TicketPassage } from './ticket-passage.js';

export interface ForwarderOptions {
  /** The number of this node. */
  readonly number: number;
  readonly proof: ForwardProof;
  /** By what a gateway is known that speaks HTTPS. */
  readonly tls: LiveTls;
  /** Time for which the gateway may stay silent. */
  readonly silenceMsMax: number;
  /** Asks anew who holds the index; undefined if nobody does who can be asked. */
  readonly relearn: () => Promise<ForwardTarget | undefined>;
  /** Absent: all bodies pass the gateway. */
  readonly taker?: TicketTaker;
}

/** The process that holds the index. */
export interface ForwardTarget {
  /** Where it is. */
  readonly origin: string;
  /** The name of its run. */
  readonly run: string;
}

/** How a request is sent. */
interface Sending {
  /** How often it was sent before. */
  readonly attempt: number;
  /** For what a ticket is taken in the place of the body's way through the gateway. */
  readonly ticket: ReturnType<TicketPassage['takes']>;
  /** All of the body of the request, if it is small. */
  readonly body?: Uint8Array;
}

/** How far the body of a request has come: one that waits for a ticket is sent to nobody yet, and one that is stored here never. */
interface BodyPassage {
  state: 'waits' | 'stored' | 'passed';
}

/** What a request that waits for a ticket says otherwise. */
const OF_BODY: ReadonlySet<string> = new Set(['content-length', 'expect']);
/** The gateway could not be asked: nothing has happened. */
const NOT_REACHED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
]);

/**
 * Passes requests of clients on to the gateway and its answers back, as they are, while they stream. Node.js' own client and not undici,
 * which refuses `Expect`: a client that asks before it sends its body is to hear the gateway's answer and not ours.
 */
export class Forwarder {
  private readonly logger = new Logger(Forwarder.name);
  private readonly agent = new Agent({ keepAlive: true, scheduling: 'lifo' });
  // A session that was kept would be resumed without another look at the certificate.
  private readonly tlsAgent = new TlsAgent({ keepAlive: true, scheduling: 'lifo', maxCachedSessions: 0 });

  private readonly passages: Passages;
  private readonly tickets: TicketPassage | undefined;

  constructor(private readonly options: ForwarderOptions) {
    const { proof, taker } = options;
    this.tickets = taker && new TicketPassage(proof, taker);
    this.passages = new Passages(options.silenceMsMax);
  }

  /** Whether the gateway answers who asks how it is: what waits for one that does not is answered now, since nobody else can. */
  note(isSilent: boolean): void {
    this.tickets?.note(isSilent);
    if (isSilent) this.passages.noteSilence();
    else this.passages.noteAnswer();
  }

  forward(target: ForwardTarget, exchange: Exchanged): void {
    const { request, response } = exchange;
    const ticket = this.tickets?.takes(request);
    const length = hasBodyOf(request) && request.headers.expect === undefined ? smallLengthOf(request) : undefined;
    if (length === undefined || ticket !== undefined) {
      this.send(target, exchange, { attempt: 0, ticket });
      return;
    }
    wholeOf(request, length).then(
      (body) => this.send(target, exchange, { attempt: 0, ticket, body }),
      () => response.destroy(),
    );
  }

  close(): void {
    this.agent.destroy();
    this.tlsAgent.destroy();
  }

  private send(target: ForwardTarget, exchange: Exchanged, sending: Sending): void {
    const { request, response } = exchange;
    const { attempt, ticket, body } = sending;
    if (response.destroyed) return; // its client left before, of which no event will tell
    const { number, proof } = this.options;
    const header = proof.sign({ number, run: target.run, takesTickets: ticket !== undefined }, request);
    const upstream = this.begin(target, request, { header, ticket });
    this.passages.add(upstream, exchange);
    let answered = false;
    // What waits for a ticket has not been sent: whatever becomes of the request, nothing has happened.
    const passage: BodyPassage = { state: ticket === 'store' ? 'waits' : 'passed' };
    const isAtHand = (): boolean => !hasBodyOf(request) || body !== undefined || passage.state === 'waits';
    upstream.on('continue', () => {
      if (passage.state === 'stored') return; // it came behind the ticket
      inviteBody(request, response);
      if (passage.state === 'waits') passBodyOn(request, upstream);
      passage.state = 'passed';
    });
    upstream.on('timeout', () => upstream.destroy(new Silence()));
    upstream.on('error', (error) => {
      if (answered || response.destroyed) return;
      // A connection that was kept and that the gateway closed in this moment. Only what changes nothing is asked again: a deletion may have happened.
      const isStale = upstream.reusedSocket && errorCode(error) === 'ECONNRESET';
      if (isStale && attempt === 0 && (isSafe(request) || passage.state === 'waits'))
        this.send(target, exchange, { ...sending, attempt: attempt + 1 });
      else giveUp(error, exchange);
    });
    upstream.on('response', (answer) => {
      answered = true;
      // Nothing was done with it. A body that is on its way already its client has to send again.
      const isForOther = answer.statusCode === 503 && answer.headers[OTHER_RUN_HEADER] !== undefined;
      if (isForOther && attempt === 0 && isAtHand()) {
        answer.resume();
        if (passage.state === 'waits') answer.once('close', () => upstream.destroy()); // the end of its body never comes
        void this.sendAnew(exchange, sending);
        return;
      }
      if (isForOther) void this.options.relearn();
      if (ticket === 'read' && answer.headers[DELEGATED_HEADER] !== undefined) {
        void this.readInstead(answer, header, target, exchange);
        return;
      }
      relay(answer, upstream, exchange);
    });
    // A client that leaves takes its request with it; but of what is stored here the gateway is to hear.
    response.on('close', () => {
      if (!response.writableFinished && passage.state !== 'stored') upstream.destroy();
    });
    if (body !== undefined) upstream.end(body);
    else if (ticket !== 'store') passBodyOn(request, upstream);
    else this.waitForTicket({ upstream, header }, passage, exchange);
  }

  private waitForTicket(sent: Pick<StoreOrder, 'upstream' | 'header'>, passage: BodyPassage, exchange: Exchanged): void {
    const { upstream } = sent;
    const { request, response } = exchange;
    upstream.flushHeaders();
    upstream.on('information', ({ headers }) => {
      if (passage.state !== 'waits' || headers[TICKET_HEADER] === undefined) return;
      passage.state = 'stored';
      const storing = this.tickets?.store({ ...sent, headers }, exchange) ?? Promise.resolve(false);
      storing
        .then((isDone) => {
          // By now the gateway knows: it can take back what its client does not wait for any more.
          passage.state = 'passed';
          if (!isDone) passBodyOn(request, upstream);
        })
        .catch((error: unknown) => {
          this.logger.error({ err: error }, 'a body could neither be stored nor passed on');
          upstream.destroy();
          response.destroy();
        });
    });
  }

  /** Answers with the body that a ticket stands for; where that cannot be read here, the gateway is asked to read it. */
  private async readInstead(answer: IncomingMessage, header: string, target: ForwardTarget, exchange: Exchanged): Promise<void> {
    const isRead = await this.tickets?.read({ answer, header }, endToEnd(answer, OF_BODY), exchange);
    if (isRead !== true) this.send(target, exchange, { attempt: 1, ticket: undefined });
  }

  private async sendAnew(exchange: Exchanged, sending: Sending): Promise<void> {
    const target = await this.options.relearn();
    if (exchange.response.destroyed) return;
    if (target === undefined) giveUp(Object.assign(new Error('nobody holds the index'), { code: 'ECONNREFUSED' }), exchange);
    else this.send(target, exchange, { ...sending, attempt: 1 });
  }

  private begin(
    { origin }: ForwardTarget,
    request: IncomingMessage,
    { header, ticket }: Pick<Sending, 'ticket'> & { readonly header: string },
  ): ClientRequest {
    const { tls, silenceMsMax } = this.options;
    const { hostname, port, protocol, host } = new URL(origin);
    const headers = endToEnd(request, ticket === 'store' ? OF_BODY : undefined);
    headers.push('X-Request-Id', requestIdOf(request), FORWARD_HEADER, header);
    if (request.headers.host === undefined) headers.push('Host', host);
    if (ticket === 'store') headers.push('Expect', '100-continue', LENGTH_HEADER, String(request.headers['content-length']));
    if (request.headers['transfer-encoding'] !== undefined || ticket === 'store') headers.push('Transfer-Encoding', 'chunked');
    const options = {
      host: hostname.replace(/^\[|\]$/g, ''),
      method: request.method,
      path: request.url,
      headers,
      timeout: silenceMsMax,
    };
    if (protocol !== 'https:') return beginRequest({ ...options, agent: this.agent, port: port === '' ? 80 : Number(port) });
    const { client: secureContext } = tls;
    return beginTlsRequest({
      ...options,
      agent: this.tlsAgent,
      port: port === '' ? 443 : Number(port),
      ...(secureContext === undefined ? {} : { secureContext }),
    });
  }
}

function passBodyOn(request: IncomingMessage, upstream: ClientRequest): void {
  if (!hasBodyOf(request)) {
    upstream.end();
    return;
  }
  upstream.flushHeaders();
  request.pipe(upstream);
  // A client that stops in the middle must not look like one that is done.
  finished(request, { writable: false }, (error) => {
    if (error) upstream.destroy(error);
  });
}

/** Gives an answer back. One that breaks off breaks off for the client too: ended, it would look complete. */
function relay(answer: IncomingMessage, upstream: ClientRequest, { request, response }: Exchanged): void {
  if (response.destroyed) {
    upstream.destroy(); // its client leaves in this moment
    return;
  }
  const headers = endToEnd(answer);
  const isEarly = hasBodyOf(request) && !request.complete;
  if (isEarly) {
    // The gateway answers before it has the whole body, so it does not want the rest, nor the end of it, which would make it look whole.
    headers.push('Connection', 'close');
    linger(request);
  }
  const status = answer.statusCode ?? 502;
  const length = hasNoBody(request, status) ? 0 : smallLengthOf(answer);
  if (length !== undefined && !isEarly) {
    wholeOf(answer, length).then(
      (body) => endWithTurn(response.writeHead(status, headers), body),
      (error: unknown) => giveUp(error, { request, response }),
    );
    return;
  }
  response.writeHead(status, headers);
  const signal = requestSignal(request, response);
  sendBody(response, addAbortSignal(signal, answer), signal)
    .catch(() => undefined) // either side sees that it was cut
    .finally(() => {
      if (isEarly) upstream.destroy();
    });
}

function giveUp(cause: unknown, exchange: Exchanged): void {
  exchange.response.setHeader('X-Request-Id', requestIdOf(exchange.request));
  const code = errorCode(cause) ?? '';
  // Where nothing is changed, it does not matter what a frozen process does with it when it goes on.
  const isUntouched = NOT_REACHED.has(code) || isTlsTrouble(code) || (cause instanceof Silence && isSafe(exchange.request));
  const error = isUntouched
    ? new DomainError('gateway-unavailable', 'the process that holds the index cannot be reached', { cause })
    : new DomainError('gateway-lost', 'the process that holds the index did not answer: a change may have happened or not', {
        cause,
      });
  answerProblem(error, exchange);
}
