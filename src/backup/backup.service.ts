import type { FileHandle } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { AppConfig } from '../config/app-config.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { spool } from './backup-spool.js';
import { BackupWriter } from './backup-writer.js';

/** Makes backups of the index that is served. */
@Injectable()
export class BackupService {
  private isRunning = false;

  constructor(
    private readonly config: AppConfig,
    private readonly metadata: MetadataStore,
    private readonly writer: BackupWriter,
  ) {}

  /**
   * A backup of now, whole, in a file without a name that the caller closes.
   * @throws DomainError `backup-running` while another one is made, `backup-failed`, `index-unavailable`
   */
  async make(signal: AbortSignal): Promise<FileHandle> {
    if (this.isRunning) throw new DomainError('backup-running', 'another backup is being written: try again when it is done');
    this.isRunning = true;
    try {
      return await spool(this.config.storage_directory, this.writer.write(this.metadata, signal));
    } finally {
      this.isRunning = false;
    }
  }
}
