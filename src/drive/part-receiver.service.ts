import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { driveOf, type FileId } from '../common/ids.js';
import { within } from '../common/within.js';
import { Admission } from '../files/admission.js';
import { digestOf, incomingFile } from '../files/incoming-file.js';
import { UploadService } from '../files/upload.service.js';
import { announcedBytes } from '../http/announced-bytes.js';
import type { Exchange } from '../http/exchange.js';
import { principalOf } from '../http/principal.js';
import { attemptsOf, partKey } from './drive-keys.js';
import type { StoredPart } from './stored-revision.js';
import type { OpenUpload } from './uploads.js';
import { UploadsService } from './uploads.service.js';

/** 64 MiB, and what sealing adds to them. */
export const PART_BYTES_MAX = 65 * 1024 * 1024;

/** What a request says of the part that it sends. */
interface AnnouncedPart {
  readonly part: number;
  readonly bytes: number;
  readonly digest: Uint8Array;
}

/** Takes the parts of uploads. The body goes from the socket to the nodes; nothing of it is parsed. */
@Injectable()
export class PartReceiver {
  constructor(
    private readonly service: UploadsService,
    private readonly files: UploadService,
    private readonly admission: Admission,
  ) {}

  /** What must fail is refused before a byte of the body is read. */
  async receive(exchange: Exchange, uploadId: FileId, part: number): Promise<StoredPart & { readonly part: number }> {
    const sent = { part, ...announcedPart(exchange) };
    const entrance = this.service.gate.enter(uploadId, exchange.signal);
    const { signal } = entrance;
    try {
      const upload = await this.service.require(principalOf(exchange.request), uploadId, signal);
      const release = await this.admission.admit(sent.bytes, signal);
      try {
        const id = await this.store(upload, sent, exchange, signal);
        await this.keepNewest(upload, part, signal);
        return { ...sent, id };
      } finally {
        release();
      }
    } finally {
      entrance.leave();
    }
  }

  private async store(upload: OpenUpload, sent: AnnouncedPart, exchange: Exchange, signal: AbortSignal): Promise<FileId> {
    const { account, nodeId, id } = upload;
    const { store } = this.service.uploads;
    return store.storing(account, { bytes: sent.bytes }, signal, async () => {
      const incoming = await within(signal, incomingFile(exchange, undefined, this.admission.limits));
      const name = partKey(nodeId, id, sent.part, sent.digest);
      const body = until(signal, incoming.body);
      const file = { ...incoming, name, contentType: undefined, body };
      return (await this.files.create(file, { owner: driveOf(account) }, signal)).id;
    });
  }

  /** Of several that were sent for one part the one begun last counts, whichever arrived first. */
  private async keepNewest({ account, nodeId, id }: OpenUpload, part: number, signal: AbortSignal): Promise<void> {
    const { store } = this.service.uploads;
    const attempts = await Array.fromAsync(store.headsIn(account, attemptsOf(nodeId, id, part), signal));
    const older = attempts.map((attempt) => attempt.id).sort();
    older.pop();
    for (const attempt of older) await store.removeIfThere(account, { id: attempt }, signal);
  }
}

/** @throws DomainError `invalid-request`, `invalid-digest`, `body-too-large` */
function announcedPart({ request: { headers } }: Exchange): Omit<AnnouncedPart, 'part'> {
  const bytes = announcedBytes(headers);
  if (bytes === undefined) throw new DomainError('invalid-request', 'say how long the part is: Content-Length is missing');
  if (/^multipart\//i.test(headers['content-type'] ?? ''))
    throw new DomainError('invalid-content-type', 'send the part as it is, and no form');
  const digest = digestOf(headers['repr-digest']);
  if (digest === undefined) throw new DomainError('invalid-digest', 'say what the part is: Repr-Digest with sha-256 is missing');
  if (bytes > PART_BYTES_MAX) throw new DomainError('body-too-large', `a sealed part may have at most ${PART_BYTES_MAX} bytes`);
  return { bytes, digest };
}

/** The same body, which fails when the signal says so and not only when the next bytes have come. */
async function* until(signal: AbortSignal, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces = body[Symbol.asyncIterator]();
  for (;;) {
    const next = await within(signal, pieces.next());
    if (next.done === true) return;
    yield next.value;
  }
}
