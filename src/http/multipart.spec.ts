import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BOUNDARY, form, type FormPart, FORM_HEADERS } from '../../test/support/multipart.js';
import { readMultipart } from './multipart.js';

/** A request whose body arrives in these pieces. The parser looks at the headers and pipes the stream, no more. */
function request(pieces: readonly Uint8Array[], contentType: string = FORM_HEADERS['content-type']): IncomingMessage {
  return Object.assign(Readable.from(pieces, { objectMode: false }), {
    headers: { 'content-type': contentType },
  }) as unknown as IncomingMessage;
}

/** Nobody asked first, so the parser has nothing to do with the answer. */
function exchange(of: IncomingMessage, signal: AbortSignal): Parameters<typeof readMultipart>[0] {
  return { request: of, response: {} as ServerResponse, signal };
}

function cut(bytes: Uint8Array, size: number): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

const never = new AbortController().signal;
const part: FormPart = { disposition: 'name="file"; filename="a.txt"', contentType: 'text/plain', body: 'content' };
const invalid = expect.objectContaining({ name: 'DomainError', code: 'invalid-multipart' });

async function read(pieces: readonly Uint8Array[]): Promise<{ readonly name: string | undefined; readonly body: Buffer }> {
  const { name, body } = await readMultipart(exchange(request(pieces), never));
  return { name, body: Buffer.concat(await Array.fromAsync(body)) };
}

describe('readMultipart', () => {
  it('gives name, type and bytes of the one part', async () => {
    const file = await readMultipart(exchange(request([form(part)]), never));
    expect([file.name, file.contentType]).toEqual(['a.txt', 'text/plain']);
    expect(Buffer.concat(await Array.fromAsync(file.body)).toString()).toBe('content');
  });

  it('gives the same bytes however the form arrives in pieces, and whatever they are', async () => {
    const chunk = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom('\r\n', `\r\n--${BOUNDARY.slice(0, -1)}`, '--', '\r').map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { maxLength: 8 }), fc.integer({ min: 1, max: 200 }), async (chunks, size) => {
        const bytes = Buffer.concat(chunks);
        fc.pre(!bytes.includes(`\r\n--${BOUNDARY}`)); // a client chooses a boundary that is not in the file
        const { body } = await read(cut(form({ ...part, body: bytes }), size));
        expect(body.equals(bytes)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it.each<[string, string, string | undefined]>([
    ['Unicode', 'name="file"; filename="naïve 😀"', 'naïve 😀'],
    ['a path', 'name="file"; filename="../a/b"', '../a/b'],
    ['a quote as browsers write it', 'name="file"; filename="a%22b"', 'a"b'],
    ['nothing', 'name="file"; filename=""', undefined],
  ])('takes %s as a name', async (_what, disposition, name) => {
    expect((await read([form({ ...part, disposition })])).name).toBe(name);
  });

  it.each<[string, Uint8Array]>([
    ['no part', form()],
    ['a field', form({ disposition: 'name="file"', body: 'x' })],
    ['another name', form({ ...part, disposition: 'name="other"; filename="a"' })],
    ['a field before', form({ disposition: 'name="x"', body: 'x' }, part)],
    ['a field behind', form(part, { disposition: 'name="x"', body: 'x' })],
    ['two files', form(part, part)],
    ['garbage', Buffer.from('garbage')],
    ['nothing', Buffer.alloc(0)],
  ])('refuses a form with %s, whole and in pieces', async (_what, bytes) => {
    for (const size of [1, 7, 100_000]) await expect(read(cut(bytes, size))).rejects.toEqual(invalid);
  });

  it('refuses a form that is cut off anywhere, in one piece or in many', async () => {
    const whole = form(part);
    // The last two bytes are a line end behind the last boundary, which may be absent (RFC 2046 §5.1.1).
    for (let length = 0; length < whole.length - 2; length += 1) {
      for (const size of [5, 100_000]) await expect(read(cut(whole.subarray(0, length), size))).rejects.toEqual(invalid);
    }
  });

  it('does not end the process when a part that nobody reads any more is cut off', async () => {
    const { body } = await readMultipart(exchange(request(cut(form(part).subarray(0, -10), 20)), never));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(Array.fromAsync(body)).rejects.toEqual(invalid);
  });

  it('refuses a type without a boundary', async () => {
    for (const type of ['multipart/form-data', 'multipart/form-data; boundary=']) {
      await expect(readMultipart(exchange(request([form(part)], type), never))).rejects.toEqual(invalid);
    }
  });

  it('fails with the reason when the client leaves, before the part and in the middle of it', async () => {
    const reason = new Error('left');
    const controller = new AbortController();
    const stalled = new Readable({ read: () => undefined });
    const waiting = Object.assign(stalled, { headers: FORM_HEADERS }) as unknown as IncomingMessage;
    const before = readMultipart(exchange(waiting, controller.signal));
    controller.abort(reason);
    await expect(before).rejects.toBe(reason);

    await expect(readMultipart(exchange(request([form(part)]), controller.signal))).rejects.toBe(reason); // had left already

    const second = new AbortController();
    const half = new Readable({ read: () => undefined });
    half.push(form(part).subarray(0, -50)); // into the content
    const halfRequest = Object.assign(half, { headers: FORM_HEADERS }) as unknown as IncomingMessage;
    const { body } = await readMultipart(exchange(halfRequest, second.signal));
    const reading = Array.fromAsync(body);
    second.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });
});
