import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Logger } from '@nestjs/common';
import { ByteBudget } from '../../common/byte-budget.js';
import { errorCode } from '../../common/errors.js';
import type { Limits } from '../../config/limits.js';
import { inBackground } from '../background-work.js';
import { NodeError } from '../storage-node.js';
import { CallLimit } from './call-limit.js';
import { PeerAnswer } from './peer-answer.js';
import { NoProofError, PeerGuard } from './peer-guard.js';
import { FORCE, newRun, PROTOCOL, type PeerHello } from './peer-hello.js';
import { workOf, type Operation, type ServedNode } from './peer-operations.js';
import type { PeerClaim } from './peer-proof.js';
import type { PeerSecret } from './peer-secret.js';
import type { ReadDesk } from './read-desk.js';

/** What a process would say of itself. */
export type PeerAbout = Pick<PeerHello, 'nodeCount' | 'redundancyCount' | 'hears' | 'keys'> & Partial<Pick<PeerHello, 'version'>>;

export interface PeerServerParts {
  readonly secret: PeerSecret;
  readonly local: ServedNode;
  readonly about: () => PeerAbout;
  readonly limits: Limits;
  /** The other nodes of the cluster, for those that this one is to copy from; undefined for one of which it does not know where it is. */
  readonly sourceOf?: Operation['sourceOf'];
  /** What this process does for peers that read; undefined as long as it is not the gateway. */
  readonly desk?: () => ReadDesk | undefined;
  /** A {@link newRun}, if others have to know it too. */
  readonly run?: string;
  /** Makes this process the gateway, if it is to be also from one that answers; yields what it does, line by line. */
  readonly onTakeOver?: (signal: AbortSignal, isForced: boolean) => AsyncIterable<string>;
}

const PEER_PATH = /^\/peer(?:[/?#]|$)/;
const OPERATION = /^\/peer\/v(\d{1,4})\/([a-z-]{1,20})(\?background)?$/;

/**
 * The server's side of the peer protocol (`docs/peer-protocol.md`). Shown each request before the API for clients is, it takes those under
 * `/peer`, as they are written: what means the same in another form is a path that does not exist there.
 */
export class PeerServer {
  private readonly logger = new Logger(PeerServer.name);
  private readonly guard: PeerGuard;
  private readonly budget: ByteBudget;
  private readonly run: string;
  private calls = 0;

  constructor(private readonly parts: PeerServerParts) {
    const { secret, limits, run = newRun() } = parts;
    this.run = run;
    this.guard = new PeerGuard(secret, limits);
    this.budget = new ByteBudget(limits.peer_bytes_in_flight, limits.node_call_ms_max);
  }

  /** Tells whether the request is one of ours; then it is being answered. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (!PEER_PATH.test(request.url ?? '')) return false;
    this.serve(request, response).catch((error: unknown) => {
      if (!(error instanceof NodeError)) this.logger.error({ err: error }, 'a call of a peer could not be answered');
      response.destroy();
    });
    return true;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort(new NodeError('unavailable', 'the caller left'));
    });
    // Its failures are met where the body is read; one that nobody reads any more must not end the process.
    request.on('error', () => undefined);
    this.calls += 1;
    try {
      const claim = this.guard.verify(request);
      const answer = new PeerAnswer(response, this.parts.secret, claim.nonce, gone.signal);
      await this.answerTo({ request, claim, answer, signal: gone.signal });
    } catch (error) {
      if (!(error instanceof NoProofError)) throw error;
      if (response.headersSent) response.destroy();
      else response.writeHead(401, { 'content-length': 0, connection: 'close' }).end();
    } finally {
      this.calls -= 1;
    }
  }

  private async answerTo(call: Call): Promise<void> {
    const { answer, signal } = call;
    try {
      await this.perform(call);
    } catch (error) {
      if (error instanceof NoProofError || signal.aborted) throw error;
      if (!(error instanceof NodeError)) this.logger.error({ err: error }, 'a call of a peer failed');
      answer.fail(error instanceof NodeError ? error : new NodeError('unavailable', 'it met an error that it does not know'));
    }
  }

  private async perform(call: Call): Promise<void> {
    const { request, claim, answer, signal } = call;
    const [, version, name = '', isBackground] = OPERATION.exec(request.url ?? '') ?? [];
    const refusal = this.refusalOf(call, version);
    if (refusal !== undefined) {
      await this.skipBody(request, signal);
      throw refusal;
    }
    const { give, body } = await this.takeBody(call);
    try {
      if (name === 'hello') answer.end([Buffer.from(JSON.stringify(this.hello()))]);
      else if (claim.run !== this.run) answer.endOtherRun();
      else if (name === 'takeover') await this.takeOver(call, body);
      else {
        const { local, sourceOf = () => undefined, desk = () => undefined } = this.parts;
        const room = (bytes: number, limit: AbortSignal): Promise<() => void> => this.room(bytes, limit);
        const work = (): Promise<void> => this.work(name, { local, claim, body, answer, signal, sourceOf, desk: desk(), room });
        await (isBackground === undefined ? work() : inBackground(work));
      }
    } finally {
      give();
    }
  }

  private refusalOf({ request, claim }: Call, version: string | undefined): NodeError | undefined {
    const { peer_body_bytes_max: bytesMax, peer_calls_max: callsMax } = this.parts.limits;
    if (version !== undefined && (Number(version) < PROTOCOL[0] || Number(version) > PROTOCOL[1]))
      return new NodeError('rejected', `it speaks versions ${PROTOCOL.join(' to ')} of the protocol, not ${version}`);
    if (version === undefined || request.method !== 'POST') return new NodeError('rejected', 'there is no such call');
    if (claim.length > bytesMax) return tooLong(bytesMax);
    if (this.calls > callsMax) return new NodeError('unavailable', `it has ${callsMax} calls under way`);
    return undefined;
  }

  private work(name: string, operation: Operation): Promise<void> {
    const work = workOf(name);
    if (work === undefined) throw new NodeError('rejected', 'there is no such call');
    return work(operation);
  }

  /** The body that was proved, and how to give back the room that it takes. It has as long to come as the caller waits for its call. */
  private async takeBody({ request, claim, signal }: Call): Promise<{ readonly give: () => void; readonly body: Uint8Array }> {
    const limit = new CallLimit(signal, this.parts.limits.node_call_ms_max);
    try {
      const give = await this.room(claim.length, limit.signal);
      try {
        return { give, body: await this.guard.readBody(request, claim, limit.signal) };
      } catch (error) {
        give();
        throw error;
      }
    } finally {
      limit.end();
    }
  }

  private async room(bytes: number, signal: AbortSignal): Promise<() => void> {
    if (bytes === 0) return () => undefined;
    const { peer_body_bytes_max: bytesMax } = this.parts.limits;
    if (bytes > bytesMax) throw tooLong(bytesMax);
    try {
      return await this.budget.take(bytes, signal);
    } catch (cause) {
      if (errorCode(cause) !== 'too-busy') throw cause;
      throw new NodeError('unavailable', 'it has as many bytes in memory as it may have', { cause });
    }
  }

  /** A caller that is still sending would see a reset instead of the answer. */
  private async skipBody(request: IncomingMessage, signal: AbortSignal): Promise<void> {
    const limit = new CallLimit(signal, this.parts.limits.node_call_ms_max);
    const onLimit = (): void => void request.destroy();
    limit.signal.addEventListener('abort', onLimit, { once: true });
    try {
      request.resume();
      if (!request.readableEnded) await once(request, 'end', { signal: limit.signal });
    } finally {
      limit.signal.removeEventListener('abort', onLimit);
      limit.end();
    }
  }

  private hello(): PeerHello {
    const { local, about } = this.parts;
    const { version = '', ...others } = about();
    const { ids, map } = local;
    return {
      protocol: PROTOCOL,
      number: local.number,
      ...ids,
      ...(map === undefined ? {} : { map }),
      ...others,
      version,
      run: this.run,
    };
  }

  private async takeOver({ claim, answer, signal }: Call, body: Uint8Array): Promise<void> {
    const { local, onTakeOver } = this.parts;
    if (onTakeOver === undefined) throw new NodeError('rejected', 'it cannot become the gateway');
    if (local.ids === undefined || claim.clusterId !== local.ids.clusterId || claim.nodeId !== local.ids.nodeId)
      throw new NodeError('rejected', 'it is another node');
    await answer.stream(linesOf(onTakeOver(signal, Buffer.from(body).toString('utf8') === FORCE)));
  }
}

function tooLong(bytesMax: number): NodeError {
  return new NodeError('rejected', `a call may have ${bytesMax} bytes`);
}

interface Call {
  readonly request: IncomingMessage;
  readonly claim: PeerClaim;
  readonly answer: PeerAnswer;
  readonly signal: AbortSignal;
}

async function* linesOf(lines: AsyncIterable<string>): AsyncGenerator<readonly Uint8Array[], void, undefined> {
  for await (const line of lines) yield [Buffer.from(line)];
}
