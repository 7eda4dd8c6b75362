import { pipeline } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { ByteRange } from '../common/byte-range.js';
import type { FileId } from '../common/ids.js';
import { requestedRange } from '../http/byte-range.js';
import { httpDate, isNotModified, isRangeCurrent, type Validators, validatorsOf } from '../http/conditional.js';
import { dispositionOf } from '../http/disposition.js';
import { requestSignal } from '../http/request-signal.js';
import type { FileRecord, Manifest } from '../metadata/metadata-store.js';
import { Admission } from './admission.js';
import { DownloadService, type OpenFile } from './download.service.js';

/** Answers GET and HEAD of a file's bytes. */
@Injectable()
export class FileSender {
  constructor(
    private readonly downloads: DownloadService,
    private readonly admission: Admission,
  ) {}

  async send(id: FileId, request: Request, response: Response): Promise<void> {
    const signal = requestSignal(request, response);
    const open = await this.downloads.open(id, signal);
    try {
      const { file } = open;
      const validators = validatorsOf(file);
      setValidators(response, validators);
      if (isNotModified(request.headers, validators)) {
        response.status(304).end();
        return;
      }
      const range = this.range(request, response, { file, validators });
      this.describe(response, open);
      response.setHeader('Content-Length', range.to - range.from);
      if (request.method === 'HEAD') response.end();
      else await this.stream(open, range, response, signal);
    } finally {
      open.release();
    }
  }

  /** The part that is asked for; sets the status and the header that name it. */
  private range(
    request: Request,
    response: Response,
    { file, validators }: { readonly file: FileRecord; readonly validators: Validators },
  ): ByteRange {
    if (request.method !== 'GET') return { from: 0, to: file.size }; // RFC 9110 §14.2: a range is defined for GET alone
    const { range } = request.headers;
    const ifRange = request.header('if-range');
    response.setHeader('Content-Range', `bytes */${file.size}`); // what a 416 has to say
    const asked = isRangeCurrent(ifRange, validators) ? requestedRange(range, file.size) : undefined;
    if (asked === undefined) {
      response.removeHeader('Content-Range');
      return { from: 0, to: file.size };
    }
    response.status(206).setHeader('Content-Range', `bytes ${asked.from}-${asked.to - 1}/${file.size}`);
    return asked;
  }

  private describe(response: Response, open: OpenFile): void {
    response.setHeader('Content-Type', open.file.contentType);
    response.setHeader('Content-Disposition', dispositionOf(open.file.name));
    response.setHeader('Repr-Digest', `sha-256=:${Buffer.from(this.downloads.digest(open)).toString('base64')}:`);
    // A stored page must never act in the name of this origin, whoever opens it.
    response.setHeader('Content-Security-Policy', "sandbox; default-src 'none'");
    response.setHeader('X-Content-Type-Options', 'nosniff');
  }

  /** Streams under backpressure. The first bytes are read before the answer begins, so that a file that cannot be read is a clear error. */
  private async stream(open: OpenFile, range: ByteRange, response: Response, signal: AbortSignal): Promise<void> {
    const release = await this.admission.admit(bytesRead(range, open.manifest), signal);
    try {
      const pieces = this.downloads.read(open, range, signal);
      const first = await pieces.next();
      const bytes = first.done === true ? new Uint8Array(0) : first.value;
      if (bytes.length === range.to - range.from) {
        await pieces.return(); // all of it: most files are that small, and need no stream
        response.end(bytes);
        return;
      }
      // A failure in the middle destroys the connection: the client sees that the body is not complete.
      await pipeline(startingWith(bytes, pieces), response, { signal });
    } finally {
      release();
    }
  }
}

/** At the most: a range is read with the whole slices around its ends. */
function bytesRead({ from, to }: ByteRange, { sealedSize, sliceBytes }: Manifest): number {
  return Math.min(sealedSize, to - from + 2 * sliceBytes);
}

function setValidators(response: Response, { etag, lastModified }: Validators): void {
  response.setHeader('ETag', etag);
  response.setHeader('Last-Modified', httpDate(lastModified));
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Cache-Control', 'private, no-cache');
}

async function* startingWith(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  yield* rest;
}
