import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { DomainError } from '../common/errors.js';
import type { Limits } from '../config/limits.js';
import { nameInDisposition } from '../http/disposition.js';
import { inviteBody } from '../http/invite-body.js';
import { type IncomingFile, readMultipart } from '../http/multipart.js';
import { checkContentType, checkName } from './file-name.js';

/** An upload as the service takes it: checked, and its body not read yet. */
export interface Upload {
  readonly name: string | undefined;
  readonly contentType: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** SHA-256 that the client expects of the body (RFC 9530). */
  readonly expectedDigest: Buffer | undefined;
}

/** Makes an upload of a request: raw bytes of any content type, or a form with one file. Nothing is read of a body that is refused. */
export async function incomingFile(
  request: IncomingMessage,
  nameInQuery: string | undefined,
  limits: Limits,
  signal: AbortSignal,
): Promise<Upload> {
  refuseUnsupported(request.headers);
  const { body_bytes_max: bytesMax } = limits;
  if (bytesMax > 0 && (announced(request.headers) ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const isForm = /^multipart\/form-data\b/i.test(request.headers['content-type'] ?? '');
  const { name, contentType, body } = isForm ? await readMultipart(request, signal) : rawFile(request);
  const chosenName = nameInQuery ?? name;
  return {
    name: chosenName === undefined ? undefined : checkName(chosenName, limits.name_bytes_max),
    contentType: contentType === undefined ? undefined : checkContentType(contentType, limits.content_type_bytes_max),
    body: bytesMax > 0 ? limited(body, bytesMax) : body,
    expectedDigest: isForm ? undefined : digestOf(request.headers['repr-digest'] ?? request.headers['content-digest']),
  };
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

function rawFile(request: IncomingMessage): IncomingFile {
  return {
    name: nameInDisposition(request.headers['content-disposition']),
    contentType: request.headers['content-type'],
    body: {
      [Symbol.asyncIterator]: () => {
        inviteBody(request);
        // Leaving the loop early must not destroy the socket: the answer that says why still has to go through it.
        return request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
      },
    },
  };
}

function tooLarge(bytesMax: number): DomainError {
  return new DomainError('body-too-large', `a file may have at most ${bytesMax} bytes`);
}

async function* limited(body: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    yield chunk;
  }
}

/** The SHA-256 in a digest header of RFC 9530; other algorithms are ignored, as the RFC allows. */
function digestOf(header: string | string[] | undefined): Buffer | undefined {
  if (header === undefined) return undefined;
  const match = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(String(header));
  return match?.[1] === undefined ? undefined : Buffer.from(match[1], 'base64');
}
