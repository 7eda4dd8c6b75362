import { Injectable } from '@nestjs/common';
import type { ByteRange } from '../common/byte-range.js';
import type { FileId } from '../common/ids.js';
import { release } from '../common/release.js';
import { requestedRange } from '../http/byte-range.js';
import { httpDate, isNotModified, isRangeCurrent, type Validators, validatorsOf } from '../http/conditional.js';
import { dispositionOf } from '../http/disposition.js';
import type { Exchange } from '../http/exchange.js';
import { sendBody } from '../http/send-body.js';
import { DELEGATED_HEADER } from '../http/ticket-wire.js';
import type { FileRecord } from '../metadata/metadata-store.js';
import { Admission } from './admission.js';
import { bytesRead, startingWith } from './body-reader.js';
import { DelegatedReads } from './delegated-reads.service.js';
import { DownloadService, type OpenFile } from './download.service.js';
import { type FileTarget, targetOf } from './owner-of.js';

/** Of a sealed content. */
const UNNAMED_CONTENT_TYPE = 'application/octet-stream';

/** What of a file is sent, and how that is called. */
interface Span {
  readonly range: ByteRange;
  readonly status: 200 | 206;
}

/** Bytes of a version that need not be read any more. */
export interface BytesAtHand extends Pick<FileRecord, 'versionId' | 'updatedAt'> {
  readonly bytes: Uint8Array;
  /** SHA-256 of all of them. */
  readonly digest: Uint8Array;
}

/** Answers GET and HEAD of a file's bytes. */
@Injectable()
export class FileSender {
  constructor(
    private readonly downloads: DownloadService,
    private readonly admission: Admission,
    private readonly delegated: DelegatedReads,
  ) {}

  async send(id: FileId, exchange: Exchange): Promise<void> {
    await this.sendFrom(await this.downloads.open(targetOf(id, exchange.request), exchange.signal), exchange, true);
  }

  /** The same for a file of which the caller knows that the request may have it, and whose name is nothing to show. */
  async sendUnnamed(target: FileTarget, exchange: Exchange): Promise<void> {
    await this.sendFrom(await this.downloads.open(target, exchange.signal), exchange, false);
  }

  /** The same for bytes that are at hand. */
  sendBytes({ bytes, digest, ...version }: BytesAtHand, exchange: Exchange): void {
    try {
      const span = spanOf(exchange, { ...version, size: bytes.length });
      if (span === undefined) return;
      describe(exchange, { contentType: UNNAMED_CONTENT_TYPE, digest });
      const { status, range } = span;
      exchange.header('Content-Length', String(range.to - range.from));
      if (exchange.request.method === 'HEAD') exchange.end(status);
      else exchange.bytes(status, bytes.subarray(range.from, range.to));
    } catch (error) {
      exchange.leaveHeaders();
      throw error;
    }
  }

  private async sendFrom(open: OpenFile, exchange: Exchange, isNamed: boolean): Promise<void> {
    try {
      await this.answer(open, exchange, isNamed);
    } catch (error) {
      exchange.leaveHeaders();
      throw error;
    } finally {
      open.release();
    }
  }

  private async answer(open: OpenFile, exchange: Exchange, isNamed: boolean): Promise<void> {
    const { name, contentType } = open.file;
    const span = spanOf(exchange, open.file);
    if (span === undefined) return;
    describe(exchange, { contentType, digest: this.downloads.digest(open), ...(isNamed && { name }) });
    const { method } = exchange.request;
    if (method !== 'HEAD' && this.delegate(open, span, exchange)) return;
    exchange.header('Content-Length', String(span.range.to - span.range.from));
    if (method === 'HEAD') exchange.end(span.status);
    else await this.stream(open, span.range, span.status, exchange);
  }

  /** Answers a peer that reads the body itself. False if there is none, or the body is not worth it. */
  private delegate(open: OpenFile, { range, status }: Span, exchange: Exchange): boolean {
    const offer = this.delegated.offer(open, range, exchange.request);
    if (offer === undefined) return false;
    exchange.header(DELEGATED_HEADER, offer.proof);
    exchange.header('Content-Length', String(offer.ticket.length));
    exchange.bytes(status, offer.ticket);
    return true;
  }

  /** Streams under backpressure. The first bytes are read before the answer begins, so that a file that cannot be read is a clear error. */
  private async stream(open: OpenFile, range: ByteRange, status: number, exchange: Exchange): Promise<void> {
    const { response, signal } = exchange;
    const leave = await this.admission.admit(bytesRead(range, open.manifest), signal);
    try {
      const small = await this.downloads.small(open, signal);
      if (small !== undefined) {
        exchange.bytes(status, small.subarray(range.from, range.to), () => release(small));
        return;
      }
      const pieces = this.downloads.read(open, range, signal);
      const first = await pieces.next();
      const bytes = first.done === true ? new Uint8Array(0) : first.value;
      if (bytes.length === range.to - range.from) {
        await pieces.return(); // all of it: most files are that small, and need no stream
        exchange.bytes(status, bytes, () => release(bytes));
        return;
      }
      exchange.begin(status);
      await sendBody(response, startingWith(bytes, pieces), signal);
    } finally {
      leave();
    }
  }
}

/** What is to be sent, with the headers that say so; undefined if the answer is that the client has it already. */
function spanOf(exchange: Exchange, file: Pick<FileRecord, 'versionId' | 'updatedAt' | 'size'>): Span | undefined {
  const validators = validatorsOf(file);
  tellValidators(exchange, validators);
  if (isNotModified(exchange.request.headers, validators)) {
    exchange.end(304);
    return undefined;
  }
  const asked = askedRange(exchange, file, validators);
  if (asked === undefined) return { range: { from: 0, to: file.size }, status: 200 };
  exchange.header('Content-Range', `bytes ${asked.from}-${asked.to - 1}/${file.size}`);
  return { range: asked, status: 206 };
}

function describe(
  exchange: Exchange,
  { contentType, name, digest }: { readonly contentType: string; readonly name?: string; readonly digest: Uint8Array },
): void {
  exchange.header('Content-Type', contentType);
  if (name !== undefined) exchange.header('Content-Disposition', dispositionOf(name));
  exchange.header('Repr-Digest', `sha-256=:${Buffer.from(digest).toString('base64')}:`);
  // A stored page must never act in the name of this origin, whoever opens it.
  exchange.header('Content-Security-Policy', "sandbox; default-src 'none'");
  exchange.header('X-Content-Type-Options', 'nosniff');
}

/** The part that is asked for; undefined: all of it. @throws DomainError `range-not-satisfiable` */
function askedRange(exchange: Exchange, file: Pick<FileRecord, 'size'>, validators: Validators): ByteRange | undefined {
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

function tellValidators(exchange: Exchange, { etag, lastModified }: Validators): void {
  exchange.header('ETag', etag);
  exchange.header('Last-Modified', httpDate(lastModified));
  exchange.header('Accept-Ranges', 'bytes');
  exchange.header('Cache-Control', 'private, no-cache');
}
