import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sendBody } from './send-body.js';

const PIECE = 64 * 1024;
const PIECES = 200;

describe('the body of an answer', () => {
  let server: Server;
  let sent: PromiseWithResolvers<unknown>;
  let answer: (response: ServerResponse, signal: AbortSignal) => Promise<void>;

  beforeEach(async () => {
    sent = Promise.withResolvers();
    server = createServer((_, response) => {
      const stop = new AbortController();
      response.on('close', () => (response.writableFinished ? undefined : stop.abort(new Error('left'))));
      answer(response, stop.signal).then(sent.resolve, sent.resolve);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => void server.close(resolve));
  });

  const ask = async (): Promise<IncomingMessage> => {
    const asked = request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return response;
  };

  it('is whole at a reader that is slow, and the memory of its pieces is given back', async () => {
    const digest = createHash('sha256');
    const given: Uint8Array[] = [];
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < PIECES; at += 1) {
        const piece = new Uint8Array(PIECE);
        piece.set(randomBytes(PIECE));
        digest.update(piece);
        given.push(piece);
        yield await Promise.resolve(piece);
      }
    };
    answer = (response, signal) => sendBody(response.writeHead(200, { 'Content-Length': PIECE * PIECES }), pieces(), signal);
    const seen = createHash('sha256');
    const response = await ask();
    for await (const chunk of response) {
      if (Math.random() < 0.1) await sleep(5);
      seen.update(chunk as Buffer);
    }
    expect(await sent.promise).toBeUndefined();
    expect(seen.digest('hex')).toBe(digest.digest('hex'));
    expect(given.map((piece) => piece.byteLength)).toEqual(Array.from({ length: PIECES }, () => 0));
  });

  it('breaks the connection off if the pieces end with an error', async () => {
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(new Uint8Array(PIECE));
      await sleep(100); // the client has the head by now
      throw new Error('damaged');
    };
    answer = (response, signal) => sendBody(response.writeHead(200, { 'Content-Length': PIECE * 2 }), pieces(), signal);
    const response = await ask();
    await expect(Array.fromAsync(response)).rejects.toThrow('aborted');
    expect(await sent.promise).toEqual(new Error('damaged'));
  });

  it('asks for no further piece when the client has left', async () => {
    let isReturned = false;
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield await Promise.resolve(new Uint8Array(PIECE));
      } finally {
        isReturned = true;
      }
    };
    answer = (response, signal) => sendBody(response.writeHead(200), pieces(), signal);
    const response = await ask();
    await once(response, 'readable');
    response.destroy();
    expect(await sent.promise).toEqual(new Error('left'));
    expect(isReturned).toBe(true);
  });
});
