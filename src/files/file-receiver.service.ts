import { Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { FileId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import type { FileRecord } from '../metadata/metadata-store.js';
import { Admission } from './admission.js';
import { announced, incomingFile } from './incoming-file.js';
import { RecordsService } from './records.service.js';
import { UploadService } from './upload.service.js';

/** Where an upload goes. */
export interface Destination {
  /** From the query; wins over any other. */
  readonly name: string | undefined;
  /** The file that gets new content; undefined for a new file. */
  readonly replaces?: FileId;
}

/** Takes the body of a PUT and hands it to the service that stores it, which knows nothing of HTTP. */
@Injectable()
export class FileReceiver {
  constructor(
    private readonly config: AppConfig,
    private readonly uploads: UploadService,
    private readonly records: RecordsService,
    private readonly admission: Admission,
  ) {}

  /** What must fail is refused before a byte of the body is read. */
  async receive(request: IncomingMessage, { name, replaces }: Destination, signal: AbortSignal): Promise<FileRecord> {
    if (replaces !== undefined) await this.records.find(replaces, signal);
    const expected = replaces === undefined ? undefined : await this.records.expectedVersion(replaces, request.headers, signal);
    const release = await this.admission.admit(announced(request.headers), signal);
    try {
      const upload = await incomingFile(request, name, this.config.limits, signal);
      return await (replaces === undefined
        ? this.uploads.create(upload, signal)
        : this.uploads.replace(replaces, upload, expected, signal));
    } finally {
      release();
    }
  }
}
