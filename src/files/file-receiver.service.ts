import { Injectable } from '@nestjs/common';
import type { FileId } from '../common/ids.js';
import { announcedBytes } from '../http/announced-bytes.js';
import type { Exchange } from '../http/exchange.js';
import { ticketProverOf } from '../http/forwarded.js';
import { WHOLE_BODY_BYTES_MAX } from '../http/whole-body.js';
import type { FileRecord } from '../metadata/metadata-store.js';
import { Admission } from './admission.js';
import { FileDto } from './file.dto.js';
import { incomingFile, type Upload } from './incoming-file.js';
import { checkReach, type Reach, reachOf } from './owner-of.js';
import { QuotaLedger } from './quota-ledger.js';
import { RecordsService } from './records.service.js';
import { UploadService } from './upload.service.js';

/** Where an upload goes. */
export interface Destination {
  /** From the query; wins over any other. */
  readonly name: string | undefined;
  /** The file that gets new content; undefined for a new file. */
  readonly replaces?: FileId;
}

/** Answers a PUT: takes its body and hands it to the service that stores it, which knows nothing of HTTP. */
@Injectable()
export class FileReceiver {
  constructor(
    private readonly uploads: UploadService,
    private readonly records: RecordsService,
    private readonly admission: Admission,
    private readonly quotas: QuotaLedger,
  ) {}

  async receive(exchange: Exchange, destination: Destination): Promise<void> {
    const file = new FileDto(await this.store(exchange, destination));
    exchange.header('ETag', file.etag);
    if (destination.replaces !== undefined) {
      exchange.json(200, file);
      return;
    }
    exchange.made(file.id);
    exchange.header('Location', `/files/${file.id}`);
    exchange.json(201, file);
  }

  /** What must fail is refused before a byte of the body is read. */
  private async store(exchange: Exchange, { name, replaces }: Destination): Promise<FileRecord> {
    const { request, signal } = exchange;
    const reach = reachOf(request);
    const target = replaces === undefined ? undefined : { id: replaces, ...reach };
    if (target !== undefined) await this.records.find(target, signal);
    const expected = target === undefined ? undefined : await this.records.expectedVersion(target, request.headers, signal);
    const bytes = announcedBytes(request.headers);
    // Of a body that the peer stores itself nothing comes here; if it does all the same, it waits for its share then.
    const isLater = ticketProverOf(request) !== undefined && (bytes ?? 0) > WHOLE_BODY_BYTES_MAX;
    const release = isLater ? () => undefined : await this.admission.admit(bytes, signal);
    try {
      const incoming = await incomingFile(exchange, name, this.admission.limits);
      const upload = isLater ? { ...incoming, body: this.admission.admitted(incoming.body, bytes, signal) } : incoming;
      if (replaces === undefined || upload.name !== undefined) checkReach(upload.name, reach);
      return await this.withinQuota({ upload, reach, replaces }, signal, (counted) =>
        replaces === undefined
          ? this.uploads.create(counted, { owner: reach.owner }, signal)
          : this.uploads.replace(replaces, counted, { ...reach, expected }, signal),
      );
    } finally {
      release();
    }
  }

  private withinQuota(
    {
      upload,
      reach: { owner },
      replaces,
    }: { readonly upload: Upload; readonly reach: Reach; readonly replaces: FileId | undefined },
    signal: AbortSignal,
    store: (upload: Upload) => Promise<FileRecord>,
  ): Promise<FileRecord> {
    const { bytes } = upload;
    return this.quotas.during({ owner, bytes, replaces }, signal, (room) =>
      store(bytes === undefined ? { ...upload, body: room.counted(upload.body, signal) } : upload),
    );
  }
}
