import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import {
  Agent,
  createServer,
  request,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { LiveTls } from '../config/live-tls.js';
import type { TicketTaker } from '../http/delegated-body.js';
import { DELEGATED_HEADER } from '../http/ticket-wire.js';
import { newRun } from '../nodes/peer/peer-hello.js';
import { FORWARD_HEADER, ForwardProof, OTHER_RUN_HEADER } from './forward-proof.js';
import { Forwarder } from './forwarder.js';

const MiB = 1024 * 1024;
const SILENCE_MS = 400;

let gateway: Server;
let peer: Server;
let forwarder: Forwarder;
let answer: RequestListener;
let urls: { readonly gateway: string; readonly peer: string };
const RUN = newRun();
const proof = new ForwardProof('a secret', RUN, 60_000);
let relearned: string | undefined;
let taker: TicketTaker;

async function listen(listener: RequestListener): Promise<Server> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  server.on('checkContinue', listener);
  await once(server, 'listening');
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function makeForwarder(silenceMsMax: number): Forwarder {
  const relearn = () => Promise.resolve(relearned === undefined ? undefined : { origin: urls.gateway, run: relearned });
  return new Forwarder({ number: 2, proof, tls: LiveTls.none(), silenceMsMax, relearn, taker });
}

beforeEach(async () => {
  Logger.overrideLogger(false);
  gateway = await listen((asked, response) => answer(asked, response));
  relearned = undefined;
  const refuse = () => Promise.reject(new Error('not in this test'));
  taker = { isAble: false, bytesMin: 1000, open: refuse, prepare: refuse };
  forwarder = makeForwarder(SILENCE_MS);
  peer = await listen((asked, response) => forwarder.forward({ origin: urls.gateway, run: RUN }, { request: asked, response }));
  urls = { gateway: urlOf(gateway), peer: urlOf(peer) };
});

afterEach(() => {
  forwarder.close();
  for (const server of [gateway, peer]) {
    server.closeAllConnections();
    server.close();
  }
});

async function code(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}

describe('a forwarder that reads bodies itself', () => {
  let tickets: string[];
  let closed: number;
  let asked: string[];

  /** The gateway: a ticket for who takes one, else the body. */
  function offering(proofOf = (prove: (ticket: Uint8Array) => string, ticket: Uint8Array) => prove(ticket)): RequestListener {
    return (request, response) => {
      const found = proof.verify(request);
      const prove = typeof found === 'object' ? found.tickets?.prove : undefined;
      asked.push(prove === undefined ? 'body' : 'ticket');
      const head = { 'X-Kept': 'yes', 'Content-Range': 'bytes 0-3/9' };
      const ticket = Buffer.from('the ticket');
      if (prove === undefined) response.writeHead(206, { ...head, 'Content-Length': 4 }).end('GATE');
      else response.writeHead(206, { ...head, [DELEGATED_HEADER]: proofOf(prove, ticket), 'Content-Length': 10 }).end(ticket);
    };
  }

  async function read(headers: Record<string, string> = {}): Promise<unknown[]> {
    const got = await fetch(`${urls.peer}/files/a`, { headers });
    const kept = ['x-kept', 'content-range', 'content-length', DELEGATED_HEADER].map((name) => got.headers.get(name));
    return [got.status, await got.text(), ...kept];
  }

  beforeEach(() => {
    [tickets, asked, closed] = [[], [], 0];
    answer = offering();
    Object.assign(taker, {
      isAble: true,
      open: async (ticket: Uint8Array) => {
        tickets.push(Buffer.from(ticket).toString());
        const pieces = (async function* () {
          yield Buffer.from('pe');
          yield Buffer.from('er');
        })();
        return { length: 4, pieces, close: () => void (closed += 1) };
      },
    });
  });

  it('answers with the gateway’s head and the body that the ticket is for', async () => {
    expect(await read()).toEqual([206, 'peer', 'yes', 'bytes 0-3/9', '4', null]);
    expect([tickets, closed, asked]).toEqual([['the ticket'], 1, ['ticket']]);
  });

  it('lets the gateway read what it cannot, or what does not prove itself', async () => {
    taker = Object.assign(taker, { open: () => Promise.reject(new Error('no key')) });
    expect(await read()).toEqual([206, 'GATE', 'yes', 'bytes 0-3/9', '4', null]);
    answer = offering(() => 'forged');
    expect(await read()).toEqual([206, 'GATE', 'yes', 'bytes 0-3/9', '4', null]);
    expect([tickets, asked]).toEqual([[], ['ticket', 'body', 'ticket', 'body']]);
  });

  it('asks for no ticket where it cannot use one, for nothing but GET, and not because a client says so', async () => {
    Object.assign(taker, { isAble: false });
    expect((await read({ [DELEGATED_HEADER]: 'mine' }))[1]).toBe('GATE');
    Object.assign(taker, { isAble: true });
    await fetch(`${urls.peer}/files/a`, { method: 'HEAD' });
    await fetch(`${urls.peer}/files/a`, { method: 'PUT', body: 'x' });
    expect([tickets, asked]).toEqual([[], ['body', 'body', 'body']]);
  });

  it('takes no answer for a ticket that it did not ask for', async () => {
    Object.assign(taker, { isAble: false });
    answer = (_, response) => response.writeHead(200, { [DELEGATED_HEADER]: 'x', 'Content-Length': 2 }).end('hi');
    expect(await read()).toEqual([200, 'hi', null, null, '2', null]);
  });

  it('breaks off where the body does, and lets go of it', async () => {
    Object.assign(taker, {
      open: async () => {
        const pieces = (async function* () {
          yield Buffer.from('pe');
          await sleep(20);
          throw new Error('all nodes are gone');
        })();
        return { length: 4, pieces, close: () => void (closed += 1) };
      },
    });
    await expect(read()).rejects.toThrow();
    expect([closed, asked]).toEqual([1, ['ticket']]);
  });

  it('lets go of a body whose client has left', async () => {
    const begun = Promise.withResolvers<undefined>();
    Object.assign(taker, {
      open: async () => {
        const pieces = (async function* () {
          for (;;) {
            yield Buffer.alloc(MiB);
            begun.resolve(undefined);
          }
        })();
        return { length: 2 ** 40, pieces, close: () => void (closed += 1) };
      },
    });
    const leaving = request(`${urls.peer}/files/a`).end();
    leaving.on('error', () => undefined);
    await begun.promise;
    leaving.destroy();
    for (let waited = 0; closed === 0 && waited < 100; waited += 1) await sleep(10);
    expect(closed).toBe(1);
  });
});

describe('Forwarder', () => {
  it('passes on what belongs to the request, and neither what belongs to the connection nor what only it may say', async () => {
    const seen = Promise.withResolvers<IncomingMessage>();
    answer = (asked, response) => {
      seen.resolve(asked);
      response
        .writeHead(201, {
          Connection: 'X-Hop',
          'X-Hop': '1',
          'X-Kept': '2',
          'X-Request-Id': String(asked.headers['x-request-id']),
        })
        .end('ok');
    };
    const asking = request(`${urls.peer}/files?name=%20x`, {
      method: 'PUT',
      headers: {
        Connection: 'X-Own, close',
        'X-Own': '1',
        TE: 'trailers',
        'X-Mine': '3',
        'X-Request-Id': 'id-1',
        [FORWARD_HEADER]: 'forged',
        'Content-Length': 2,
      },
    });
    asking.end('ab');
    const [answered] = (await once(asking, 'response')) as [IncomingMessage];
    answered.resume();
    const { headers, url, method } = await seen.promise;
    expect([method, url, headers['x-mine'], headers['x-own'], headers['te'], headers['x-request-id']]).toEqual([
      'PUT',
      '/files?name=%20x',
      '3',
      undefined,
      undefined,
      'id-1',
    ]);
    expect(proof.verify(await seen.promise)).toMatchObject({ node: 2 });
    expect([
      answered.statusCode,
      answered.headers['x-kept'],
      answered.headers['x-hop'],
      answered.headers['x-request-id'],
    ]).toEqual([201, '2', undefined, 'id-1']);
  });

  it('keeps the frame of a request that its client calls an affair of the connection', async () => {
    const seen: string[] = [];
    answer = (asked, response) => {
      seen.push(`${asked.method} ${asked.url} ${asked.headers['content-length']}`);
      asked.resume();
      asked.on('end', () => response.end('ok'));
    };
    const hidden = 'DELETE /files/hidden HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';
    const { port, hostname } = new URL(urls.peer);
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const socket = connect(Number(port), hostname);
      socket.write(
        `${method} /files/seen HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Length, Host\r\n` +
          `Content-Length: ${hidden.length}\r\n\r\n${hidden}`,
      );
      socket.resume();
      await once(socket, 'close');
    }
    expect(seen).toEqual(['GET', 'DELETE', 'PUT'].map((method) => `${method} /files/seen ${hidden.length}`));
    for (const method of ['GET', 'DELETE']) {
      const socket = connect(Number(port), hostname);
      socket.write(
        `${method} /files/parts HTTP/1.1\r\nHost: a\r\nConnection: close, Transfer-Encoding\r\n` +
          `Transfer-Encoding: chunked\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
      );
      socket.resume();
      await once(socket, 'close');
    }
    expect(seen.slice(3)).toEqual(['GET /files/parts undefined', 'DELETE /files/parts undefined']);
  });

  it('holds little of a download that its client does not read', async () => {
    let written = 0;
    answer = (_asked, response) => {
      const piece = Buffer.alloc(MiB);
      const write = (): void => {
        for (let more = true; more && written < 200; written += 1) more = response.write(piece);
        response.once('drain', write);
      };
      write();
    };
    const asking = request(urls.peer, { agent: new Agent() }).end();
    await once(asking, 'response'); // and nobody reads it
    await settled(() => written);
    expect(written).toBeLessThan(100);
    asking.destroy();
  });

  it('holds little of an upload that the gateway does not read', async () => {
    answer = () => undefined;
    let written = 0;
    const asking = request(urls.peer, { method: 'PUT', agent: new Agent() });
    asking.on('error', () => undefined);
    const write = (): void => {
      for (let more = true; more && written < 200; written += 1) more = asking.write(Buffer.alloc(MiB));
      asking.once('drain', write);
    };
    write();
    await settled(() => written);
    expect(written).toBeLessThan(100);
    asking.destroy();
  });

  it('ends the request at the gateway when the client leaves', async () => {
    const left = Promise.withResolvers<undefined>();
    answer = (_asked, response) => {
      response.on('close', () => left.resolve(undefined));
      response.write('begun');
    };
    const asking = request(urls.peer).end();
    await once(asking, 'response');
    asking.destroy();
    await left.promise;
  });

  it('asks nothing for a client that has left, and takes no harm from one that leaves when the answer comes', async () => {
    let asked = 0;
    answer = (_, response) => {
      asked += 1;
      response.end('late');
    };
    peer.removeAllListeners('request');
    const came = once(peer, 'request') as Promise<[IncomingMessage, ServerResponse]>;
    const leaving = request(`${urls.peer}/files/x`).on('error', () => undefined);
    leaving.end();
    const [message, response] = await came;
    leaving.destroy();
    await once(response, 'close');
    forwarder.forward({ origin: urls.gateway, run: RUN }, { request: message, response });
    await sleep(50);
    expect(asked).toBe(0);

    const leave = ({ request: upstream }: { request: { path: string } }): void => {
      if (upstream.path === '/files/y') next.destroy();
    };
    const coming = once(peer, 'request') as Promise<[IncomingMessage, ServerResponse]>;
    const other = request(`${urls.peer}/files/y`).on('error', () => undefined);
    other.end();
    const [second, next] = await coming;
    subscribe('http.client.response.finish', leave as ChannelListener);
    forwarder.forward({ origin: urls.gateway, run: RUN }, { request: second, response: next });
    await once(next, 'close');
    unsubscribe('http.client.response.finish', leave as ChannelListener);
    expect(asked).toBe(1);
    other.destroy();
  });

  it('does not let an upload that broke off look whole', async () => {
    const ended = Promise.withResolvers<boolean>();
    answer = (asked) => {
      asked.resume();
      asked.on('close', () => ended.resolve(asked.complete));
    };
    const asking = request(urls.peer, { method: 'PUT' });
    asking.on('error', () => undefined);
    asking.write('half of a chunked body');
    await sleep(50);
    asking.destroy();
    expect(await ended.promise).toBe(false);
  });

  it('passes no part of a small body on', async () => {
    let asked = 0;
    answer = () => (asked += 1);
    const asking = request(urls.peer, { method: 'PUT', headers: { 'Content-Length': 100 } });
    asking.on('error', () => undefined);
    asking.write('half of a body');
    await sleep(50);
    asking.destroy();
    await sleep(50);
    expect(asked).toBe(0);
  });

  it('breaks an answer off where the gateway breaks it off', async () => {
    answer = (_asked, response) => {
      response.write('a part of what has no length');
      setTimeout(() => response.destroy(), 50);
    };
    await expect(fetch(urls.peer).then((response) => response.text())).rejects.toThrow();
  });

  it('says that it lost the gateway where nothing of an answer was given yet', async () => {
    answer = (_asked, response) => {
      response.writeHead(200, { 'Content-Length': 1000 }).write('a part of it');
      setTimeout(() => response.destroy(), 50);
    };
    const response = await fetch(urls.peer);
    expect([response.status, await code(response)]).toEqual([502, 'gateway-lost']);
  });

  it('gives an answer that comes before the body, and lets go of the rest', async () => {
    answer = (asked, response) => {
      response.writeHead(413, { Connection: 'close', 'Content-Length': 0 }).end();
      asked.resume();
    };
    async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
      for (let piece = 0; piece < 20; piece += 1) {
        yield Buffer.alloc(1000);
        await sleep(5);
      }
    }
    const response = await fetch(urls.peer, { method: 'PUT', body: ReadableStream.from(body()), duplex: 'half' });
    expect(response.status).toBe(413);
  });

  it('asks again where a kept connection breaks, but not for what may have happened', async () => {
    const seen: string[] = [];
    answer = (asked, response) => {
      seen.push(asked.method ?? '');
      if (seen.length % 2 === 0) asked.socket.resetAndDestroy();
      else response.end('ok');
    };
    const url = `${urls.peer}/files/1`;
    await (await fetch(url)).text();
    expect(await (await fetch(url)).text()).toBe('ok'); // the second one broke, and the third was good
    const deleted = await fetch(url, { method: 'DELETE' });
    expect([deleted.status, await code(deleted)]).toEqual([502, 'gateway-lost']);
    expect(seen).toEqual(['GET', 'GET', 'GET', 'DELETE']);
  });

  it('asks who the gateway is when that was restarted, and sends again what it has at hand', async () => {
    const later = newRun();
    const restarted = new ForwardProof('a secret', later, 60_000);
    answer = (asked, response) => {
      const from = restarted.verify(asked);
      if (from === 'other-run') response.writeHead(503, { [OTHER_RUN_HEADER]: '1' }).end();
      else response.end(String(from?.node));
      asked.resume();
    };
    relearned = later;
    for (const method of ['GET', 'DELETE']) expect(await (await fetch(urls.peer, { method })).text()).toBe('2');
    expect(await (await fetch(urls.peer, { method: 'PUT', body: 'small' })).text()).toBe('2');
    const stored = await fetch(urls.peer, { method: 'PUT', body: Buffer.alloc(MiB) });
    expect([stored.status, stored.headers.get(OTHER_RUN_HEADER)]).toEqual([503, null]);
    relearned = RUN; // once and not for ever
    expect((await fetch(urls.peer)).status).toBe(503);
    relearned = undefined;
    expect(await code(await fetch(urls.peer))).toBe('gateway-unavailable');
  });

  it('lets nobody wait for a gateway that is known to be silent, and sends nothing twice', async () => {
    forwarder.close();
    forwarder = makeForwarder(60_000);
    const seen: string[] = [];
    answer = (asked) => seen.push(asked.method ?? '');
    const waiting = ['GET', 'DELETE'].map((method) => fetch(urls.peer, { method }));
    await until(() => seen.length === 2);
    const began = performance.now();
    forwarder.note(true);
    const answers = await Promise.all(waiting);
    expect(performance.now() - began).toBeLessThan(500);
    expect(await Promise.all(answers.map(async (one) => [one.status, one.headers.get('retry-after'), await code(one)]))).toEqual([
      [503, '2', 'gateway-unavailable'],
      [502, null, 'gateway-lost'],
    ]);
    expect(seen).toEqual(['GET', 'DELETE']);
  });

  it('stops what moves no more while the gateway is silent, and not what does', async () => {
    forwarder.close();
    forwarder = makeForwarder(60_000);
    answer = (asked, response) => {
      if (asked.url === '/still') response.writeHead(200).write('begun');
      else if (asked.url === '/moves') {
        response.writeHead(200);
        const timer = setInterval(() => response.write('more'), 100);
        setTimeout(() => (clearInterval(timer), response.end('end')), 2500);
      } else asked.once('close', () => closed.resolve(undefined)); // reads nothing
    };
    const closed = Promise.withResolvers<undefined>();
    const [still, moves] = await Promise.all(['/still', '/moves'].map((path) => fetch(urls.peer + path)));
    const uploading = request(`${urls.peer}/upload`, { method: 'PUT' });
    const uploaded = once(uploading, 'response') as Promise<[IncomingMessage]>;
    uploading.write('half of it');
    await sleep(200);
    forwarder.note(true);
    await expect(still!.text()).rejects.toThrow();
    const [lost] = await uploaded;
    expect(lost.statusCode).toBe(502);
    lost.resume();
    await closed.promise;
    expect(await moves!.text()).toMatch(/^(more)+end$/);
  });

  it('waits as before when the gateway answers again', async () => {
    forwarder.close();
    forwarder = makeForwarder(60_000);
    answer = (_asked, response) => {
      response.writeHead(200).write('a');
      setTimeout(() => response.end('b'), 1600);
    };
    const response = await fetch(urls.peer);
    forwarder.note(true);
    forwarder.note(false);
    expect(await response.text()).toBe('ab');
  });

  it('tells a request that cannot have happened from one of which that is not known', async () => {
    answer = (_asked, response: ServerResponse) => void response.destroy();
    const broken = await fetch(urls.peer, { method: 'PUT', body: 'x' });
    expect([broken.status, await code(broken)]).toEqual([502, 'gateway-lost']);
    answer = () => undefined; // frozen
    const silent = await fetch(urls.peer, { method: 'DELETE' });
    expect([silent.status, await code(silent)]).toEqual([502, 'gateway-lost']);
    const asked = await fetch(urls.peer);
    expect([asked.status, asked.headers.get('retry-after'), await code(asked)]).toEqual([503, '2', 'gateway-unavailable']);
    gateway.closeAllConnections();
    gateway.close();
    await once(gateway, 'close');
    const gone = await fetch(urls.peer, { method: 'PUT', body: 'x' });
    expect([gone.status, gone.headers.get('retry-after'), await code(gone)]).toEqual([503, '2', 'gateway-unavailable']);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(10);
}

/** Waits until a count stands still. */
async function settled(count: () => number): Promise<void> {
  for (let before = -1; before !== count();) {
    before = count();
    await sleep(200);
  }
}
