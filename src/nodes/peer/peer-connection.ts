import { randomBytes } from 'node:crypto';
import { Pool, type Dispatcher } from 'undici';
import { ByteBudget } from '../../common/byte-budget.js';
import { within } from '../../common/within.js';
import type { ClusterId, NodeId } from '../../common/ids.js';
import type { Limits } from '../../config/limits.js';
import type { LiveTls } from '../../config/live-tls.js';
import { isInBackground } from '../background-work.js';
import { NodeError } from '../storage-node.js';
import { CallLimit } from './call-limit.js';
import { refusalOf, troubleOf } from './peer-failures.js';
import { FRAME_BYTES_MAX, FrameOpener, OtherRunError } from './peer-frames.js';
import { tlsConnector } from './tls-connector.js';
import { PeerResponse, releasePiece } from './peer-response.js';
import { parseHello, PROTOCOL, type PeerHello } from './peer-hello.js';
import { digestOf, proveRequest, type PeerClaim } from './peer-proof.js';
import type { PeerSecret } from './peer-secret.js';
import { RequestBody } from './request-body.js';

export interface PeerConnectionOptions {
  /** Where the process listens, like `http://127.0.0.1:5001` or `https://storage-2:5000`. */
  readonly origin: string;
  readonly secret: PeerSecret;
  readonly limits: Limits;
  /** By what the peer is known, if it speaks HTTPS. */
  readonly tls?: LiveTls;
}

/** One call. What it is addressed to is a part of what is proved. */
export interface PeerCall {
  readonly operation: string;
  readonly clusterId?: ClusterId;
  readonly nodeId?: NodeId;
  readonly term?: number;
  readonly body?: readonly Uint8Array[];
}

/** Behind the path of what nobody waits for. */
const BACKGROUND = '?background';
/**
 * A greeting may take as long as so many probes. All calls wait for one greeting: one that was lost must not keep them for long from
 * a peer that is there again.
 */
const GREET_PROBES = 4;
const HELLO: PeerCall = { operation: 'hello' };

/**
 * The connections to one peer: proves each request, takes nothing for an answer that does not prove itself, follows no redirect, and waits
 * for nothing for ever. Connects with the first call.
 */
export class PeerConnection {
  private readonly pool: Pool;
  private readonly sender = randomBytes(8).toString('hex');
  private sent = 0;
  private greeting: Promise<PeerHello> | undefined;
  private readonly calls = new Set<CallLimit>();
  /**
   * Connections that no call has. A call that waits for one and is given up must not reach undici, which would find it there when its turn has
   * come, and end a connection for it.
   */
  private readonly free: ByteBudget;
  private isClosed = false;
  private readonly greetMsMax: number;

  /** @param accept looks at each greeting, and throws if it is not that of the process that was meant */
  constructor(
    private readonly options: PeerConnectionOptions,
    private readonly accept: (hello: PeerHello) => void = () => undefined,
  ) {
    const { origin, limits, tls } = options;
    this.greetMsMax = Math.min(limits.node_call_ms_max, GREET_PROBES * limits.probe_ms_max);
    this.free = new ByteBudget(limits.peer_connections_max);
    this.pool = new Pool(origin, {
      connections: limits.peer_connections_max,
      pipelining: 1,
      connect: tls?.client === undefined ? { timeout: this.greetMsMax } : tlsConnector(tls, this.greetMsMax),
      headersTimeout: limits.node_call_ms_max,
      bodyTimeout: limits.node_call_ms_max,
      maxHeaderSize: limits.header_bytes_max,
      allowH2: false,
    });
  }

  /** Asks the process who it is. */
  async hello(signal: AbortSignal): Promise<PeerHello> {
    const answer = await this.collect(this.attempt(HELLO, undefined, signal));
    const hello = parseHello(Buffer.from(answer).toString('utf8'));
    this.accept(hello);
    return hello;
  }

  /** A call whose answer is small and comes at once. */
  answer(call: PeerCall, signal: AbortSignal): Promise<Uint8Array> {
    return this.collect(this.stream(call, signal));
  }

  /** What the frames of an answer carry, each proved before it is given out. Throws the error that the peer answers. */
  async *stream(call: PeerCall, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const greeting = await this.greet(signal);
    try {
      yield* this.attempt(call, greeting.run, signal);
    } catch (error) {
      if (!(error instanceof OtherRunError)) throw error;
      // The process was started anew since, and has not acted on the call. Another one may have seen that already.
      this.forgetGreeting(greeting);
      yield* this.attempt(call, (await this.greet(signal)).run, signal);
    }
  }

  /** Ends what is under way; safe to call twice. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const call of this.calls) call.stop(closedError());
    await this.pool.destroy(closedError());
  }

  /** Throws if there can be no more calls. */
  admit(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.isClosed) throw closedError();
  }

  private async collect(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const payload of frames) {
      bytes += payload.byteLength;
      if (bytes > FRAME_BYTES_MAX) throw new NodeError('rejected', 'its answer is longer than that of such a call can be');
      if (payload.byteLength > 0) parts.push(payload);
    }
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
  }

  /** The greeting of the process, asked for once for all calls; none of them can take it from the others by leaving. */
  private async greet(signal: AbortSignal): Promise<PeerHello> {
    this.admit(signal);
    this.greeting ??= this.begin();
    return within(signal, this.greeting);
  }

  private begin(): Promise<PeerHello> {
    const greeting = this.hello(new AbortController().signal);
    greeting.catch(() => {
      if (this.greeting === greeting) this.greeting = undefined;
    });
    return greeting;
  }

  private forgetGreeting(old: PeerHello): void {
    const { greeting } = this;
    if (greeting === undefined) return;
    this.greeting = undefined;
    void greeting.then(
      (hello) => {
        if (hello.run !== old.run) this.greeting ??= greeting;
      },
      () => undefined,
    );
  }

  private async *attempt(
    call: PeerCall,
    run: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    this.admit(signal);
    const { node_call_ms_max: callMsMax } = this.options.limits;
    const limit = new CallLimit(signal, call === HELLO ? this.greetMsMax : callMsMax);
    this.calls.add(limit);
    try {
      yield* this.exchange(call, run, limit);
    } catch (error) {
      signal.throwIfAborted();
      if (limit.signal.aborted) throw limit.signal.reason as Error;
      throw troubleOf(error);
    } finally {
      limit.end();
      this.calls.delete(limit);
    }
  }

  private async *exchange(
    call: PeerCall,
    run: string | undefined,
    limit: CallLimit,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const nonce = this.sender + (this.sent += 1).toString(16).padStart(16, '0');
    const sent = new RequestBody(call.body);
    const leave = await this.free.take(1, limit.signal);
    const response = new PeerResponse(limit.signal);
    try {
      this.pool.dispatch(this.request(call, { run, nonce, body: sent }), response);
      const { statusCode, headers } = await response.head;
      if (statusCode !== 200) throw refusalOf(statusCode, headers, this.options.limits.peer_clock_ms_max);
      const opener = new FrameOpener(this.options.secret, nonce);
      for await (const piece of response.body()) {
        for (const payload of opener.push(piece)) {
          limit.pause();
          yield payload;
          limit.signal.throwIfAborted();
          limit.restart();
        }
        releasePiece(piece); // it was copied into frames
      }
      opener.end();
    } finally {
      response.close();
      leave();
    }
    if (!(await within(limit.signal, sent.isSent))) throw new NodeError('rejected', 'it answers before it has all of the call');
  }

  private request(
    call: PeerCall,
    { run, nonce, body }: { readonly run: string | undefined; readonly nonce: string; readonly body: RequestBody },
  ): Dispatcher.DispatchOptions {
    const { operation, clusterId, nodeId, term = 0 } = call;
    const target = {
      method: 'POST',
      path: `/peer/v${PROTOCOL[1]}/${operation}${isInBackground() ? BACKGROUND : ''}`,
    } as const;
    const { length, parts } = body;
    if (length > this.options.limits.peer_body_bytes_max)
      throw new NodeError('rejected', `a call of ${length} bytes is more than limits.peer_body_bytes_max`);
    const claim: PeerClaim = {
      time: Date.now(),
      nonce,
      ...(run === undefined ? {} : { run }),
      ...(clusterId === undefined ? {} : { clusterId }),
      ...(nodeId === undefined ? {} : { nodeId }),
      term,
      length,
      digest: digestOf(parts, nonce, this.options.secret),
    };
    const headers = { authorization: proveRequest(target, claim, this.options.secret), 'content-length': String(length) };
    return { ...target, headers, body: body.content() as NonNullable<Dispatcher.DispatchOptions['body']> };
  }
}

function closedError(): NodeError {
  return new NodeError('unavailable', 'it is closed');
}
