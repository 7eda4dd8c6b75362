import type { IncomingMessage } from 'node:http';
import { DomainError } from '../common/errors.js';
import type { Limits } from '../config/limits.js';
import { nameInDisposition } from '../http/disposition.js';
import { readMultipart } from '../http/multipart.js';
import { checkContentType, checkName } from './file-name.js';

/** An upload as the service takes it: checked, and its body not read yet. */
export interface Upload {
  readonly name: string | undefined;
  readonly contentType: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** What the client says that the body's length is; undefined if it does not. */
  readonly announcedBytes: number | undefined;
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
  const { headers } = request;
  if (headers['content-range'] !== undefined)
    throw new DomainError('partial-upload', 'send the whole file, without Content-Range');
  const coding = headers['content-encoding'];
  if (coding !== undefined && coding !== 'identity')
    throw new DomainError('unsupported-encoding', 'send the file as it is to be stored, without Content-Encoding');
  const announcedBytes = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const { body_bytes_max: bytesMax } = limits;
  if (bytesMax > 0 && (announcedBytes ?? 0) > bytesMax)
    throw new DomainError('body-too-large', `a file may have at most ${bytesMax} bytes`);

  const isForm = /^multipart\/form-data\b/i.test(headers['content-type'] ?? '');
  const { name, contentType, body } = isForm
    ? await readMultipart(request, signal)
    : {
        name: nameInDisposition(headers['content-disposition']),
        contentType: headers['content-type'],
        // Leaving the loop early must not destroy the socket: the answer that says why still has to go through it.
        body: request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>,
      };
  const chosenName = nameInQuery ?? name;
  return {
    name: chosenName === undefined ? undefined : checkName(chosenName, limits.name_bytes_max),
    contentType: contentType === undefined ? undefined : checkContentType(contentType, limits.content_type_bytes_max),
    body: bytesMax > 0 ? limited(body, bytesMax) : body,
    announcedBytes,
    expectedDigest: isForm ? undefined : digestOf(headers['repr-digest'] ?? headers['content-digest']),
  };
}

async function* limited(body: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new DomainError('body-too-large', `a file may have at most ${bytesMax} bytes`);
    yield chunk;
  }
}

/** The SHA-256 in a digest header of RFC 9530; other algorithms are ignored, as the RFC allows. */
function digestOf(header: string | string[] | undefined): Buffer | undefined {
  if (header === undefined) return undefined;
  const match = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(String(header));
  return match?.[1] === undefined ? undefined : Buffer.from(match[1], 'base64');
}
