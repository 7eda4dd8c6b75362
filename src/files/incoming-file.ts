import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { DomainError } from '../common/errors.js';
import type { Limits } from '../config/limits.js';
import { nameInDisposition } from '../http/disposition.js';
import { BodyDelegate, delegateOf } from '../http/body-delegate.js';
import type { Exchange } from '../http/exchange.js';
import { inviteBody } from '../http/invite-body.js';
import { readMultipart } from '../http/multipart.js';
import { readWholeBody, WHOLE_BODY_BYTES_MAX } from '../http/whole-body.js';
import { checkContentType, checkName } from './file-name.js';

const FORM = /^multipart\/form-data\b/i;

/** An upload as the service takes it: checked, and its body not read yet, unless it is small. */
export interface Upload {
  readonly name: string | undefined;
  readonly contentType: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** How many they are, if that was said. */
  readonly bytes?: number | undefined;
  /** The same bytes as `body`, if they are few and have all arrived. */
  readonly whole?: Uint8Array;
  /** How the peer through which it comes can store the body itself; absent: it comes through none that does. */
  readonly delegate?: BodyDelegate | undefined;
  /** SHA-256 that the client expects of the body (RFC 9530). */
  readonly expectedDigest: Buffer | undefined;
}

/** Makes an upload of a request: raw bytes of any content type, or a form with one file. Nothing is read of a body that is refused. */
export async function incomingFile(exchange: Exchange, nameInQuery: string | undefined, limits: Limits): Promise<Upload> {
  const { headers } = exchange.request;
  const { body_bytes_max: bytesMax } = limits;
  const length = announced(headers);
  refuseUnsupported(headers);
  if (bytesMax > 0 && (length ?? 0) > bytesMax) throw tooLarge(bytesMax);
  if (FORM.test(headers['content-type'] ?? '')) {
    const form = await readMultipart(exchange);
    const checked = check(nameInQuery ?? form.name, form.contentType, limits);
    return { ...checked, body: limited(form.body, bytesMax), bytes: undefined, expectedDigest: undefined };
  }
  const name = nameInQuery ?? nameInDisposition(headers['content-disposition']);
  const { name: checkedName, contentType } = check(name, headers['content-type'], limits);
  const expectedDigest = digestOf(headers['repr-digest'] ?? headers['content-digest']);
  if (length === undefined || length > WHOLE_BODY_BYTES_MAX)
    return { name: checkedName, contentType, ...largeBody(exchange, length, bytesMax), bytes: length, expectedDigest };
  const whole = await readWholeBody(exchange, length);
  return { name: checkedName, contentType, body: wholeBody(whole), bytes: length, whole, expectedDigest };
}

function check(name: string | undefined, contentType: string | undefined, limits: Limits): Pick<Upload, 'name' | 'contentType'> {
  return {
    name: name === undefined ? undefined : checkName(name, limits.name_bytes_max),
    contentType: contentType === undefined ? undefined : checkContentType(contentType, limits.content_type_bytes_max),
  };
}

function largeBody(exchange: Exchange, length: number | undefined, bytesMax: number): Pick<Upload, 'body' | 'delegate'> {
  const delegate = length === undefined ? undefined : delegateOf(exchange);
  return { body: limited(delegate ?? streamed(exchange), bytesMax), delegate };
}

/** What a request says of the length of its body; undefined if it does not. */
export function announced(headers: IncomingHttpHeaders): number | undefined {
  return headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
}

function refuseUnsupported(headers: IncomingHttpHeaders): void {
  if (headers['content-range'] !== undefined)
    throw new DomainError('partial-upload', 'send the whole file, without Content-Range');
  const coding = headers['content-encoding'];
  if (coding === undefined || coding === 'identity') return;
  throw new DomainError('unsupported-encoding', 'send the file as it is to be stored, without Content-Encoding');
}

function streamed({ request, response }: Exchange): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]: () => {
      inviteBody(request, response);
      // Leaving the loop early must not destroy the socket: the answer that says why still has to go through it.
      return request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
    },
  };
}

/** @throws DomainError `invalid-digest` if the body is not the one that was announced */
export function requireDigest(sum: Uint8Array, expected: Uint8Array | undefined): void {
  if (expected !== undefined && !timingSafeEqual(sum, expected))
    throw new DomainError('invalid-digest', 'the bytes that arrived have another SHA-256 than was announced');
}

/** A body that is at hand. */
export function wholeBody(whole: Uint8Array): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => only(whole) };
}

/** A body that is one piece, or none. */
async function* only(piece: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (piece.length > 0) yield await Promise.resolve(piece);
}

function tooLarge(bytesMax: number): DomainError {
  return new DomainError('body-too-large', `a file may have at most ${bytesMax} bytes`);
}

/** The same body, which fails behind `bytesMax`; 0 is no limit. */
function limited(body: AsyncIterable<Uint8Array>, bytesMax: number): AsyncIterable<Uint8Array> {
  return bytesMax > 0 ? cutOff(body, bytesMax) : body;
}

async function* cutOff(body: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    yield chunk;
  }
}

/** The SHA-256 in a digest header of RFC 9530; other algorithms are ignored, as the RFC allows. */
export function digestOf(header: string | string[] | undefined): Buffer | undefined {
  if (header === undefined) return undefined;
  const match = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(String(header));
  return match?.[1] === undefined ? undefined : Buffer.from(match[1], 'base64');
}
