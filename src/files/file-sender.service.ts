import { pipeline } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import type { ByteRange } from '../common/byte-range.js';
import type { FileId } from '../common/ids.js';
import { requestedRange } from '../http/byte-range.js';
import { httpDate, isNotModified, isRangeCurrent, type Validators, validatorsOf } from '../http/conditional.js';
import { dispositionOf } from '../http/disposition.js';
import type { Exchange } from '../http/exchange.js';
import type { FileRecord, Manifest } from '../metadata/metadata-store.js';
import { Admission } from './admission.js';
import { DownloadService, type OpenFile } from './download.service.js';
import { targetOf } from './owner-of.js';

/** Answers GET and HEAD of a file's bytes. */
@Injectable()
export class FileSender {
  constructor(
    private readonly downloads: DownloadService,
    private readonly admission: Admission,
  ) {}

  async send(id: FileId, exchange: Exchange): Promise<void> {
    const open = await this.downloads.open(targetOf(id, exchange.request), exchange.signal);
    try {
      await this.answer(open, exchange);
    } catch (error) {
      exchange.leaveHeaders();
      throw error;
    } finally {
      open.release();
    }
  }

  private async answer(open: OpenFile, exchange: Exchange): Promise<void> {
    const { request } = exchange;
    const { file } = open;
    const validators = validatorsOf(file);
    tellValidators(exchange, validators);
    if (isNotModified(request.headers, validators)) {
      exchange.end(304);
      return;
    }
    const asked = askedRange(exchange, file, validators);
    const range = asked ?? { from: 0, to: file.size };
    if (asked !== undefined) exchange.header('Content-Range', `bytes ${asked.from}-${asked.to - 1}/${file.size}`);
    this.describe(exchange, open);
    exchange.header('Content-Length', String(range.to - range.from));
    const status = asked === undefined ? 200 : 206;
    if (request.method === 'HEAD') exchange.end(status);
    else await this.stream(open, range, status, exchange);
  }

  private describe(exchange: Exchange, open: OpenFile): void {
    exchange.header('Content-Type', open.file.contentType);
    exchange.header('Content-Disposition', dispositionOf(open.file.name));
    exchange.header('Repr-Digest', `sha-256=:${Buffer.from(this.downloads.digest(open)).toString('base64')}:`);
    // A stored page must never act in the name of this origin, whoever opens it.
    exchange.header('Content-Security-Policy', "sandbox; default-src 'none'");
    exchange.header('X-Content-Type-Options', 'nosniff');
  }

  /** Streams under backpressure. The first bytes are read before the answer begins, so that a file that cannot be read is a clear error. */
  private async stream(open: OpenFile, range: ByteRange, status: number, exchange: Exchange): Promise<void> {
    const { response, signal } = exchange;
    const release = await this.admission.admit(bytesRead(range, open.manifest), signal);
    try {
      const small = await this.downloads.small(open, signal);
      if (small !== undefined) {
        exchange.bytes(status, small.subarray(range.from, range.to));
        return;
      }
      const pieces = this.downloads.read(open, range, signal);
      const first = await pieces.next();
      const bytes = first.done === true ? new Uint8Array(0) : first.value;
      if (bytes.length === range.to - range.from) {
        await pieces.return(); // all of it: most files are that small, and need no stream
        exchange.bytes(status, bytes);
        return;
      }
      exchange.begin(status);
      // A failure in the middle destroys the connection: the client sees that the body is not complete.
      await pipeline(startingWith(bytes, pieces), response, { signal });
    } finally {
      release();
    }
  }
}

/** The part that is asked for; undefined: all of it. @throws DomainError `range-not-satisfiable` */
function askedRange(exchange: Exchange, file: FileRecord, validators: Validators): ByteRange | undefined {
  const { headers, method } = exchange.request;
  if (method !== 'GET' || headers.range === undefined) return undefined; // RFC 9110 §14.2: a range is defined for GET alone
  if (!isRangeCurrent(headers['if-range']?.toString(), validators)) return undefined;
  try {
    return requestedRange(headers.range, file.size);
  } catch (error) {
    exchange.header('Content-Range', `bytes */${file.size}`); // what a 416 has to say
    throw error;
  }
}

/** At the most: a range is read with the whole slices around its ends. */
function bytesRead({ from, to }: ByteRange, { sealedSize, sliceBytes }: Manifest): number {
  return Math.min(sealedSize, to - from + 2 * sliceBytes);
}

function tellValidators(exchange: Exchange, { etag, lastModified }: Validators): void {
  exchange.header('ETag', etag);
  exchange.header('Last-Modified', httpDate(lastModified));
  exchange.header('Accept-Ranges', 'bytes');
  exchange.header('Cache-Control', 'private, no-cache');
}

async function* startingWith(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  yield* rest;
}
