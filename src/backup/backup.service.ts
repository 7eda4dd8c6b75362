import type { FileHandle } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { AppConfig } from '../config/app-config.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { spool } from './backup-spool.js';
import { BackupWriter } from './backup-writer.js';

/** A backup, whole, in a file without a name. */
export interface MadeBackup {
  readonly file: FileHandle;
  /** To be called once. */
  readonly close: () => Promise<void>;
}

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
   * A backup of now, which the caller closes; before that there is room for no other one.
   * @throws DomainError `backup-running` while another one is made or not closed, `backup-failed`, `index-unavailable`
   */
  async make(signal: AbortSignal): Promise<MadeBackup> {
    if (this.isRunning)
      throw new DomainError('backup-running', 'another backup is being written or fetched: try again when it is done');
    this.isRunning = true;
    try {
      const backup = await spool(this.config.storage_directory, this.writer.write(this.metadata, signal));
      return { file: backup, close: () => this.close(backup) };
    } catch (error) {
      this.isRunning = false;
      throw error;
    }
  }

  private async close(file: FileHandle): Promise<void> {
    try {
      await file.close();
    } finally {
      this.isRunning = false;
    }
  }
}
