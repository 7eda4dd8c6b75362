import { Injectable } from '@nestjs/common';
import type { FileId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import type { Exchange } from '../http/exchange.js';
import type { FileRecord } from '../metadata/metadata-store.js';
import { Admission } from './admission.js';
import { FileDto } from './file.dto.js';
import { announced, incomingFile } from './incoming-file.js';
import { ownerOf } from './owner-of.js';
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
    private readonly config: AppConfig,
    private readonly uploads: UploadService,
    private readonly records: RecordsService,
    private readonly admission: Admission,
  ) {}

  async receive(exchange: Exchange, destination: Destination): Promise<void> {
    const file = new FileDto(await this.store(exchange, destination));
    exchange.header('ETag', file.etag);
    if (destination.replaces !== undefined) {
      exchange.json(200, file);
      return;
    }
    exchange.header('Location', `/files/${file.id}`);
    exchange.json(201, file);
  }

  /** What must fail is refused before a byte of the body is read. */
  private async store(exchange: Exchange, { name, replaces }: Destination): Promise<FileRecord> {
    const { request, signal } = exchange;
    const owner = ownerOf(request);
    const target = replaces === undefined ? undefined : { id: replaces, owner };
    if (target !== undefined) await this.records.find(target, signal);
    const expected = target === undefined ? undefined : await this.records.expectedVersion(target, request.headers, signal);
    const release = await this.admission.admit(announced(request.headers), signal);
    try {
      const upload = await incomingFile(exchange, name, this.config.limits);
      return await (replaces === undefined
        ? this.uploads.create(upload, owner, signal)
        : this.uploads.replace(replaces, upload, { owner, expected }, signal));
    } finally {
      release();
    }
  }
}
