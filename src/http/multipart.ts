import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { DomainError } from '../common/errors.js';
import type { Exchange } from './exchange.js';
import { inviteBody } from './invite-body.js';

/** A file that arrives; its bytes must be read to the end before anything after it is known. */
export interface IncomingFile {
  readonly name: string | undefined;
  readonly contentType: string | undefined;
  /** Ends normally only if the whole request was as it should be. */
  readonly body: AsyncIterable<Uint8Array>;
}

const PART_NAME = 'file';

/** What the parser tells of a file part when it begins. */
type FilePart = [field: string, stream: Readable, name: string | undefined, encoding: string, contentType: string];

/**
 * Reads a `multipart/form-data` request with exactly one part named `file`. Resolves when the part begins.
 * @throws DomainError `invalid-multipart` for anything else, now or, if it comes to light later, at the end of the body
 */
export async function readMultipart({
  request,
  response,
  signal,
}: Pick<Exchange, 'request' | 'response' | 'signal'>): Promise<IncomingFile> {
  signal.throwIfAborted(); // a signal that has fired already tells no listener
  const parser = createParser(request);
  const { promise: part, resolve: begin, reject: fail } = Promise.withResolvers<IncomingFile>();
  const { promise: end, resolve: finish, reject: break_ } = Promise.withResolvers<undefined>();
  end.catch(() => undefined); // also awaited behind the file's last byte, if that is ever reached
  let failure: Error | undefined;
  const refuse = (error: Error): void => {
    failure ??= error;
    fail(error);
    break_(error);
    parser.destroy();
  };
  let files = 0;
  parser.on('file', (...[field, stream, name, , contentType]: FilePart) => {
    files += 1;
    // Whatever becomes of this part: an error of it that nobody hears would end the whole process.
    stream.on('error', (error: unknown) => refuse(invalid('it cannot be parsed', error)));
    if (files > 1) refuse(invalid('more than one file'));
    else if (field !== PART_NAME) refuse(invalid(`the file part must be named "${PART_NAME}"`));
    else begin({ name: nameOf(name), contentType, body: untilComplete(stream, end, () => failure) });
  });
  parser.on('field', () => refuse(invalid('a field beside the file')));
  parser.once('finish', () => (files === 0 ? refuse(invalid('no file')) : finish(undefined)));
  parser.once('error', (error: unknown) => refuse(invalid('it cannot be parsed', error)));
  request.once('error', refuse);
  signal.addEventListener('abort', () => refuse(signal.reason as Error), { once: true });
  inviteBody(request, response);
  request.pipe(parser);
  return part;
}

/** Browsers and curl write a quote in a name as `%22` (HTML, "multipart form data"), and nothing else of it in another way. */
function nameOf(name: string | undefined): string | undefined {
  return name === '' ? undefined : name?.replaceAll('%22', '"');
}

function createParser(request: IncomingMessage): BusboyInstance {
  try {
    return new Busboy({
      headers: { ...request.headers, 'content-type': request.headers['content-type'] ?? '' },
      limits: { files: 2, fields: 1, parts: 3, headerPairs: 32, fieldSize: 1024 },
      preservePath: true, // the name is checked as a name; a path in it is refused or kept, never cut silently
      defCharset: 'utf8',
    });
  } catch (cause) {
    throw invalid((cause as Error).message, cause);
  }
}

/** The bytes of the part; ends only when the whole request has, and fails with what was wrong with it, whichever stream tells first. */
async function* untilComplete(
  stream: Readable,
  end: Promise<undefined>,
  failure: () => Error | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  end.catch((error: unknown) => stream.destroy(error as Error));
  try {
    yield* stream as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw failure() ?? error;
  }
  await end;
}

function invalid(detail: string, cause?: unknown): DomainError {
  return new DomainError('invalid-multipart', detail, { cause });
}
