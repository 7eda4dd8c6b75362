import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ClientGone } from './request-signal.js';
import { readWholeBody } from './whole-body.js';

/** A request as the parser feeds it: a stream into which the test pushes. */
function exchange(signal = new AbortController().signal): Parameters<typeof readWholeBody>[0] {
  const request = new IncomingMessage(new Socket());
  return { request, response: new ServerResponse(request), signal };
}

describe('readWholeBody', () => {
  it('gives the same bytes however they arrive, before or after it was asked', async () => {
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.nat(), async (chunks, early) => {
        const bytes = Buffer.concat(chunks);
        const given = exchange();
        const before = chunks.length === 0 ? 0 : early % (chunks.length + 1);
        for (const chunk of chunks.slice(0, before)) given.request.push(Buffer.from(chunk));
        const reading = readWholeBody(given, bytes.length);
        await new Promise(setImmediate);
        for (const chunk of chunks.slice(before)) given.request.push(Buffer.from(chunk));
        given.request.push(null);
        expect(Buffer.from(await reading).equals(bytes)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('fails with what ended the connection', async () => {
    const given = exchange();
    const reading = readWholeBody(given, 10);
    given.request.push(Buffer.from('half'));
    const reason = Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    given.request.destroy(reason);
    await expect(reading).rejects.toBe(reason);
  });

  it('fails if the client has left before it is asked, for nothing would tell it any more', async () => {
    const left = exchange(AbortSignal.abort());
    await expect(readWholeBody(left, 10)).rejects.toThrow(ClientGone);
    const destroyed = exchange();
    destroyed.request.destroy();
    await expect(readWholeBody(destroyed, 10)).rejects.toThrow(ClientGone);
  });
});
