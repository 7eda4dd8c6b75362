import { once } from 'node:events';
import {
  createServer,
  request,
  type ClientRequest,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { listening, type RunningPeer } from '../../test/support/peer-pair.js';
import { LiveTls } from '../config/live-tls.js';
import { BodyDelegate, delegateOf } from '../http/body-delegate.js';
import type { BodyStore, TicketTaker } from '../http/delegated-body.js';
import { Exchange } from '../http/exchange.js';
import { newRun } from '../nodes/peer/peer-hello.js';
import { seeForwarding } from './client-edge.js';
import { ForwardProof } from './forward-proof.js';
import { Forwarder } from './forwarder.js';

const BODY = Buffer.from('the body of the client'.repeat(100));
const TICKET = Buffer.from('the ticket');

let gateway: RunningPeer;
let peer: RunningPeer;
let forwarder: Forwarder;
let taker: TicketTaker & { prepare: TicketTaker['prepare'] };
const RUN = newRun();
const proof = new ForwardProof('a secret', RUN, 60_000);
/** What the gateway does with an upload. */
let receive: (exchange: Exchange, delegate: BodyDelegate | undefined) => Promise<void>;
/** The run that the gateway is asked for; undefined: nobody knows. */
let relearned: string | undefined;
/** What the gateway met. */
let failures: string[];

function listen(listener: RequestListener): Promise<RunningPeer> {
  const server = createServer(listener);
  server.on('checkContinue', listener);
  return listening(server);
}

function onGateway(asked: IncomingMessage, response: ServerResponse): void {
  if (!seeForwarding(proof, asked, response)) return;
  const exchange = new Exchange(asked, response);
  receive(exchange, delegateOf(exchange)).catch((error: unknown) => {
    failures.push(String(error));
    response.destroy();
  });
}

/** Stores by a ticket, and reports what came. */
function storing(report: (body: Buffer) => string): BodyStore {
  return {
    store: async (body, signal) => {
      const pieces: Uint8Array[] = [];
      try {
        for await (const piece of body) pieces.push(piece);
      } catch (error) {
        return Buffer.from(`failed: ${signal.aborted} ${(error as Error).name}`);
      }
      return Buffer.from(report(Buffer.concat(pieces)));
    },
  };
}

async function put(headers: Record<string, string> = {}, body: Buffer = BODY): Promise<readonly [number, string]> {
  const answer = await fetch(`${peer.origin}/files?name=a`, { method: 'PUT', body, headers });
  return [answer.status, await answer.text()];
}

/** The same, which also tells how it ended. */
function endingWith(ended: (report: string) => void): BodyStore {
  const { store } = storing(() => 'all of it');
  return {
    store: async (body, signal) => {
      const report = await store(body, signal);
      ended(Buffer.from(report).toString());
      return report;
    },
  };
}

/** Begins an upload and sends half of it. */
function begin(): ClientRequest {
  const upload = request(`${peer.origin}/files?name=a`, {
    method: 'PUT',
    agent: false,
    headers: { 'Content-Length': BODY.length },
  });
  upload.on('error', () => undefined);
  upload.write(BODY.subarray(0, 1000));
  return upload;
}

beforeEach(async () => {
  Logger.overrideLogger(false);
  [failures, relearned] = [[], undefined];
  taker = {
    isAble: true,
    bytesMin: 1000,
    open: () => Promise.reject(new Error('not in this test')),
    prepare: async () => storing((body) => (body.equals(BODY) ? 'all of it' : `${body.length} bytes`)),
  };
  receive = async (exchange, delegate) => {
    const report = await delegate?.hand(TICKET);
    const body = delegate ?? exchange.request;
    const said = report ?? Buffer.concat(await Array.fromAsync(body as AsyncIterable<Uint8Array>));
    exchange.json(201, { said: Buffer.from(said).toString(), length: exchange.request.headers['content-length'] });
  };
  gateway = await listen(onGateway);
  forwarder = new Forwarder({
    number: 2,
    proof,
    tls: LiveTls.none(),
    silenceMsMax: 5000,
    relearn: () => Promise.resolve(relearned === undefined ? undefined : { origin: gateway.origin, run: relearned }),
    taker,
  });
  peer = await listen((asked, response) => forwarder.forward({ origin: gateway.origin, run: RUN }, { request: asked, response }));
});

afterEach(async () => {
  forwarder.close();
  await Promise.all([gateway.close(), peer.close()]);
});

describe('an upload by way of a peer that stores bodies', () => {
  it('is stored there, and reported to the gateway, which answers', async () => {
    const seen: string[] = [];
    const { prepare } = taker;
    taker.prepare = (ticket, signal) => {
      seen.push(Buffer.from(ticket).toString());
      return prepare(ticket, signal);
    };
    expect(await put()).toEqual([201, JSON.stringify({ said: 'all of it', length: String(BODY.length) })]);
    expect(seen).toEqual(['the ticket']);
  });

  it('goes through the gateway as it is if it cannot be stored there', async () => {
    taker.prepare = () => Promise.reject(new Error('no key'));
    expect(await put()).toEqual([201, JSON.stringify({ said: BODY.toString(), length: String(BODY.length) })]);
  });

  it('goes through the gateway as it is if that gives no ticket', async () => {
    receive = async (exchange, delegate) => {
      const body = Buffer.concat(await Array.fromAsync(delegate as AsyncIterable<Uint8Array>));
      exchange.json(201, { whole: body.equals(BODY) });
    };
    expect(await put()).toEqual([201, JSON.stringify({ whole: true })]);
  });

  it('is not offered where it is small, or where no ticket can be used', async () => {
    receive = async (exchange, delegate) => {
      const { length } = Buffer.concat(await exchange.request.toArray());
      exchange.json(201, { length, offered: delegate !== undefined });
    };
    expect(await put({}, BODY.subarray(0, 999))).toEqual([201, JSON.stringify({ length: 999, offered: false })]);
    Object.assign(taker, { isAble: false });
    expect(await put()).toEqual([201, JSON.stringify({ length: BODY.length, offered: false })]);
  });

  it('is refused with the answer of the gateway, before anything is stored', async () => {
    receive = async (exchange) => exchange.json(412, { no: true });
    taker.prepare = () => Promise.reject(new Error('not in this test'));
    const upload = begin();
    const [answer] = (await once(upload, 'response')) as [IncomingMessage];
    expect([answer.statusCode, answer.headers.connection]).toEqual([412, 'close']);
    upload.destroy();
  });

  it('is told to the gateway when its client leaves in the middle', async () => {
    const said = Promise.withResolvers<string>();
    receive = async (_, delegate) => said.resolve(Buffer.from((await delegate?.hand(TICKET)) ?? 'nothing').toString());
    const begun = Promise.withResolvers<undefined>();
    const { prepare } = taker;
    taker.prepare = (ticket, signal) => {
      begun.resolve(undefined);
      return prepare(ticket, signal);
    };
    const upload = begin();
    await begun.promise;
    await sleep(20);
    upload.destroy();
    expect(await said.promise).toMatch(/^failed: true/);
  });

  it('ends when the gateway answers in the middle of it, or is gone', async () => {
    for (const end of ['answer', 'gone'] as const) {
      const ended = Promise.withResolvers<string>();
      taker.prepare = async () => endingWith(ended.resolve);
      receive = async (exchange, delegate) => {
        const handed = delegate?.hand(TICKET);
        handed?.catch(() => undefined);
        await sleep(50);
        if (end === 'gone') exchange.request.socket.destroy();
        else exchange.json(507, { no: 'room' });
      };
      const upload = begin();
      const [answer] = (await once(upload, 'response')) as [IncomingMessage];
      expect(answer.statusCode).toBe(end === 'gone' ? 502 : 507);
      expect(await ended.promise).toMatch(/^failed: true/);
      upload.destroy();
    }
  });

  it('is not believed if its report does not prove itself, is cut, or is none', async () => {
    const sent = async (bytes: (header: string) => Buffer): Promise<string> => {
      failures = [];
      receive = async (exchange, delegate) => exchange.json(201, { said: String(await delegate?.hand(TICKET)) });
      const plain = { method: 'PUT', url: '/files?name=a', socket: { remoteAddress: '127.0.0.1' } } as unknown as IncomingMessage;
      const header = proof.sign({ number: 2, run: RUN, takesTickets: true }, plain);
      const upload = request(`${gateway.origin}/files?name=a`, {
        method: 'PUT',
        agent: false,
        headers: { 'x-dcloud-forwarded': header, 'x-dcloud-length': '5000', 'transfer-encoding': 'chunked' },
      });
      upload.on('error', () => undefined);
      upload.end(bytes(header));
      for (let waited = 0; failures.length === 0 && waited < 200; waited += 1) await sleep(10);
      upload.destroy();
      return failures.join();
    };
    expect(await sent(() => Buffer.concat([Buffer.of(0, 0, 1), Buffer.from(`${'x'.repeat(43)}a report`)]))).toContain(
      'prove itself',
    );
    expect(await sent(() => Buffer.of(0, 1))).toContain('prove itself');
    expect(await sent(() => Buffer.of(0, 0))).toContain('broken off');
    expect(await sent(() => Buffer.of(7))).toContain('cannot');
    const moved = (header: string): Buffer =>
      Buffer.concat([Buffer.of(1), Buffer.from(proof.proveReport(`${header}x`, Buffer.from('report'))), Buffer.from('report')]);
    expect(await sent(moved)).toContain('prove itself');
  });

  it('lets the gateway know that it goes on, but for one that has been silent for long', async () => {
    const heard: number[] = [];
    receive = async (exchange) => {
      exchange.response.writeEarlyHints({
        link: '</files>; rel=help',
        'x-dcloud-delegated': delegateProof(exchange.request),
        'x-dcloud-ticket': TICKET.toString('base64url'),
      });
      for await (const piece of exchange.request as AsyncIterable<Buffer>) heard.push(piece.length);
    };
    const upload = begin();
    forwarder.note(true); // it may only have too much to do
    for (let waited = 0; heard.length < 2 && waited < 500; waited += 1) await sleep(10);
    expect(heard.length).toBeGreaterThanOrEqual(2);
    const later = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 11_000);
    const before = heard.length;
    await sleep(700);
    expect(heard.length).toBe(before);
    later.mockRestore();
    upload.destroy();
  });

  it('is answered when the gateway is lost before anything is stored, also to a client that waits to be asked', async () => {
    for (const headers of [{}, { Expect: '100-continue' }]) {
      const [lost, ended] = [Promise.withResolvers<undefined>(), Promise.withResolvers<string>()];
      taker.prepare = async () => {
        await lost.promise;
        return endingWith(ended.resolve);
      };
      receive = async (exchange, delegate) => {
        delegate?.hand(TICKET).catch(() => undefined);
        await sleep(50);
        exchange.request.socket.destroy();
      };
      const upload = request(`${peer.origin}/files?name=a`, {
        method: 'PUT',
        agent: false,
        headers: { 'Content-Length': BODY.length, ...headers },
      });
      let invited = false;
      upload.on('continue', () => (invited = true)).on('error', () => undefined);
      upload.flushHeaders();
      const [answer] = (await once(upload, 'response')) as [IncomingMessage];
      expect(answer.statusCode).toBe(502);
      lost.resolve(undefined);
      expect(await ended.promise).toMatch(/^failed: true/);
      expect(invited).toBe(false);
      upload.destroy();
    }
  });

  it('is taken back when its client leaves behind the report', async () => {
    const left = Promise.withResolvers<boolean>();
    receive = async (exchange, delegate) => {
      await delegate?.hand(TICKET);
      upload.destroy();
      exchange.signal.addEventListener('abort', () => left.resolve(true));
      await sleep(4000);
      left.resolve(false);
    };
    const upload = begin();
    upload.end(BODY.subarray(1000));
    expect(await left.promise).toBe(true);
  });

  it('leaves its connection to the next one', async () => {
    const sockets = new Set<unknown>();
    const { server } = gateway;
    server.on('connection', (socket) => sockets.add(socket));
    for (let round = 0; round < 3; round += 1) expect((await put())[0]).toBe(201);
    expect(sockets.size).toBe(1);
  });

  it('is sent once more to a gateway that was started anew, since nothing of it was sent yet', async () => {
    const other = await listen((asked, response) => {
      forwarder.forward({ origin: gateway.origin, run: newRun() }, { request: asked, response });
    });
    relearned = RUN;
    const answer = await fetch(`${other.origin}/files?name=a`, { method: 'PUT', body: BODY });
    expect([answer.status, ((await answer.json()) as { said: string }).said]).toEqual([201, 'all of it']);
    await other.close();
  });
});

/** What proves the ticket to the peer that sent the request; another proof than the gateway's, which has taken that request already. */
function delegateProof({ method, url, headers }: IncomingMessage): string {
  const found = new ForwardProof('a secret', RUN, 60_000).verify({ method, url, headers } as IncomingMessage);
  return typeof found === 'object' ? (found.tickets?.prove(TICKET) ?? '') : '';
}
