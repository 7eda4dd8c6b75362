import { once } from 'node:events';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '../config/limits.js';
import { LiveTls } from '../config/live-tls.js';
import { createGuardedServer } from './guarded-server.js';
import { linger } from './linger.js';

const BODY = Buffer.alloc(8 * 1024 * 1024);
const HEAD = `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n`;
const SOON_MS = 300;

let server: Server;

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

interface Early {
  readonly msMax?: number;
  /** Takes the methods that were asked. */
  readonly seen?: string[];
  /** What has been done with a request before it is answered. */
  readonly before?: (request: IncomingMessage) => unknown;
}

/** A server that answers before it has read a body, and a connection to it. */
async function start({ msMax, seen, before }: Early = {}): Promise<Socket> {
  const answer = async (...[request, response]: Parameters<RequestListener>): Promise<void> => {
    seen?.push(request.method ?? '');
    if (request.method === 'GET') {
      await sleep(200);
      response.end('late');
      return;
    }
    await before?.(request);
    linger(request, msMax);
    response.writeHead(503, { Connection: 'close', 'Content-Length': 4 }).end('full');
  };
  server = createGuardedServer(LIMITS, (...exchange) => void answer(...exchange), LiveTls.none());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
}

/** Reads a connection to its end, which may be one in the middle of what is sent. */
async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined).resume();
  await new Promise((resolve) => void socket.once('close', resolve));
}

describe('an answer before the end of its request', () => {
  it.each<[string, Early['before']]>([
    ['has not looked at it', undefined],
    ['has passed it to somebody who takes no more', (request) => void request.pipe(new Writable({ write: () => undefined }))],
    ['has read the begin of it', (request) => request[Symbol.asyncIterator]().next()],
  ])('reaches a client that sends everything before it looks, if the server %s', async (_, before) => {
    const socket = await start({ ...(before !== undefined && { before }) });
    for (const part of [HEAD, BODY.subarray(0, 1000), BODY.subarray(1000)]) {
      await promisify<string | Uint8Array>(socket.write.bind(socket))(part);
      await sleep(50); // answered by now, or reset
    }
    const text = Buffer.concat(await Array.fromAsync<Buffer>(socket)).toString();
    expect(text).toMatch(/^HTTP\/1\.1 503 .*\r\n\r\nfull$/s);
  });

  it('is followed by the end of the connection, whatever the client goes on to send', async () => {
    const socket = await start({ msMax: SOON_MS });
    const begin = performance.now();
    const sending = setInterval(() => socket.write('x'), 10);
    socket.write(HEAD);
    await closed(socket);
    clearInterval(sending);
    expect(performance.now() - begin).toBeGreaterThan(SOON_MS * 0.9);
    expect(performance.now() - begin).toBeLessThan(SOON_MS * 10);
  });

  it.each([
    ['is', ''],
    ['waits for one before it and is', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('%s the last one: a request behind the body is not done', async (_, first) => {
    const seen: string[] = [];
    const socket = await start({ seen });
    socket.write(first + HEAD);
    await sleep(50); // answered by now, or waiting for that
    socket.write(Buffer.concat([BODY, Buffer.from('DELETE / HTTP/1.1\r\nHost: a\r\n\r\n')]));
    const text = Buffer.concat(await Array.fromAsync<Buffer>(socket)).toString();
    expect(text.match(/late|full/g)).toEqual(first === '' ? ['full'] : ['late', 'full']);
    expect(seen).toEqual(first === '' ? ['PUT'] : ['GET', 'PUT']);
  });

  it('does not hold up a connection whose client leaves', async () => {
    const socket = await start();
    socket.write(HEAD);
    await once(socket, 'data');
    socket.destroy();
    const begin = performance.now();
    server.close();
    await once(server, 'close');
    expect(performance.now() - begin).toBeLessThan(SOON_MS * 3);
  });
});
