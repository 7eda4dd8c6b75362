import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
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

/** A server that answers before it has read a body, and a connection to it. */
async function start(msMax?: number, seen: string[] = []): Promise<Socket> {
  const answer: RequestListener = (request, response) => {
    seen.push(request.method ?? '');
    linger(request, msMax);
    response.writeHead(503, { Connection: 'close', 'Content-Length': 4 }).end('full');
  };
  server = createGuardedServer(LIMITS, answer, LiveTls.none());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
}

/** Reads a connection to its end, which may be one in the middle of what is sent. */
async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined).resume();
  await new Promise((resolve) => void socket.once('close', resolve));
}

describe('an answer before the end of its request', () => {
  it('reaches a client that sends everything before it looks', async () => {
    const socket = await start();
    for (const part of [HEAD, BODY.subarray(0, 1000), BODY.subarray(1000)]) {
      socket.write(part);
      await sleep(50); // answered by now, or reset
    }
    const text = Buffer.concat(await Array.fromAsync<Buffer>(socket)).toString();
    expect(text).toMatch(/^HTTP\/1\.1 503 .*\r\n\r\nfull$/s);
  });

  it('is followed by the end of the connection, whatever the client goes on to send', async () => {
    const socket = await start(SOON_MS);
    const begin = performance.now();
    const sending = setInterval(() => socket.write('x'), 10);
    socket.write(HEAD);
    await closed(socket);
    clearInterval(sending);
    expect(performance.now() - begin).toBeGreaterThan(SOON_MS * 0.9);
    expect(performance.now() - begin).toBeLessThan(SOON_MS * 10);
  });

  it('is the last one: a request behind the body is not done', async () => {
    const seen: string[] = [];
    const socket = await start(undefined, seen);
    socket.write(HEAD);
    await sleep(50); // answered by now
    socket.end(Buffer.concat([BODY, Buffer.from('DELETE / HTTP/1.1\r\nHost: a\r\n\r\n')]));
    await closed(socket);
    expect(seen).toEqual(['PUT']);
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
