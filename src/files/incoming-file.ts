import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { DomainError } from '../common/errors.js';
import type { Limits } from '../config/limits.js';
import { announcedBytes } from '../http/announced-bytes.js';
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
  const length = announcedBytes(headers);
  refuseUnsupported(headers);
  if (bytesMax > 0 && (length ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const expectedDigest = digestOf(headers['repr-digest']) ?? digestOf(headers['content-digest']);
  if (FORM.test(headers['content-type'] ?? '')) {
    if (expectedDigest !== undefined) throw digestOfForm();
    const form = await readMultipart(exchange);
    const checked = check(nameInQuery ?? form.name, form.contentType, limits);
    return { ...checked, body: limited(form.body, bytesMax), bytes: undefined, expectedDigest: undefined };
  }
  const name = nameInQuery ?? nameInDisposition(headers['content-disposition']);
  const { name: checkedName, contentType } = check(name, headers['content-type'], limits);
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

/** It would be of the form and not of the file (RFC 9530 §3), and nobody proves that one. */
function digestOfForm(): DomainError {
  return new DomainError('invalid-digest', 'a digest goes with the plain bytes of the file, and not with a form: leave it out');
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

/** A member of a dictionary: its key, and what it has beside that. */
const MEMBER = /^([a-z*][a-z0-9_.*-]*)(?:[=;](.*))?$/;
/** 32 bytes as a byte sequence, which may have parameters. */
const SHA_256 = /^:([A-Za-z0-9+/]{43})=?:(?:;.*)?$/;

/**
 * The SHA-256 in a digest header of RFC 9530; other algorithms are ignored, as the RFC allows.
 * @throws DomainError `invalid-digest` if it cannot be read: who sent it relies on it
 */
export function digestOf(header: string | string[] | undefined): Buffer | undefined {
  const text = String(header ?? '').trim();
  if (text === '') return undefined;
  let digest: Buffer | undefined;
  for (const member of text.split(',')) {
    const [, algorithm, value = ''] = MEMBER.exec(member.trim()) ?? [];
    if (algorithm === undefined) throw unreadable();
    if (algorithm !== 'sha-256') continue;
    const base64 = SHA_256.exec(value)?.[1];
    if (base64 === undefined) throw unreadable();
    digest = Buffer.from(base64, 'base64');
  }
  return digest;
}

function unreadable(): DomainError {
  const detail = 'the digest cannot be read: write sha-256=:<base64>:, the 32 bytes in base64 between colons (RFC 9530)';
  return new DomainError('invalid-digest', detail);
}
