import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Pool } from 'undici';
import { PeerResponse } from './peer-response.js';

const MiB = 1024 * 1024;
const NEVER = new AbortController().signal;

let server: Server;
let pool: Pool;
let answer: RequestListener;

beforeEach(async () => {
  server = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  pool = new Pool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { connections: 1 });
});
afterEach(async () => {
  await pool.destroy();
  server.closeAllConnections();
  server.close();
});

function ask(signal: AbortSignal = NEVER): PeerResponse {
  const response = new PeerResponse(signal);
  pool.dispatch({ method: 'GET', path: '/' }, response);
  return response;
}

async function bytesOf(response: PeerResponse): Promise<number> {
  let bytes = 0;
  for await (const piece of response.body()) bytes += piece.length;
  return bytes;
}

describe('a response of a peer', () => {
  it('has a head and a body', async () => {
    answer = (_, response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' });
      response.writeHead(201, { 'x-is': 'it' }).write(Buffer.alloc(MiB));
      response.end(Buffer.alloc(MiB));
    };
    const response = ask();
    expect(await response.head).toMatchObject({ statusCode: 201, headers: { 'x-is': 'it' } });
    expect(await bytesOf(response)).toBe(2 * MiB);
    answer = (_, next) => next.end();
    expect(await bytesOf(ask())).toBe(0); // the connection is as good as before
  });

  it('holds little that nobody asks for, and the rest comes when somebody does', async () => {
    let written = 0;
    answer = (_, response) => {
      const write = (): void => {
        for (let more = true; more && written < 100 * MiB; written += MiB) more = response.write(Buffer.alloc(MiB));
        if (written < 100 * MiB) response.once('drain', write);
        else response.end();
      };
      write();
    };
    const response = ask();
    await response.head;
    await sleep(200);
    expect(written).toBeLessThan(50 * MiB);
    expect(await bytesOf(response)).toBe(100 * MiB);
  });

  it('ends the connection when nobody wants the rest', async () => {
    const closed = Promise.withResolvers<undefined>();
    answer = (_, response) => {
      response.on('close', () => closed.resolve(undefined));
      response.write(Buffer.alloc(1000));
    };
    for await (const piece of ask().body()) {
      expect(piece).toHaveLength(1000);
      break;
    }
    await closed.promise;
  });

  it('throws what cut it off', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': 2000 }).write(Buffer.alloc(1000));
      setTimeout(() => response.destroy(), 20);
    };
    const response = ask();
    await expect(bytesOf(response)).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
  });

  it('throws the reason of its signal: before it begins, while it waits, and in the middle', async () => {
    answer = () => undefined;
    const waiting = new AbortController();
    const response = ask(waiting.signal);
    const queued = new AbortController();
    const behind = ask(queued.signal); // there is but one connection
    queued.abort(new Error('left the queue'));
    await expect(behind.head).rejects.toThrow('left the queue');
    await expect(ask(AbortSignal.abort(new Error('never meant'))).head).rejects.toThrow('never meant');
    waiting.abort(new Error('waited long enough'));
    await expect(response.head).rejects.toThrow('waited long enough');
    answer = (_, next) => next.write(Buffer.alloc(1000));
    const middle = new AbortController();
    const begun = ask(middle.signal);
    await begun.head;
    setTimeout(() => middle.abort(new Error('seen enough')), 20);
    await expect(bytesOf(begun)).rejects.toThrow('seen enough');
  });
});
