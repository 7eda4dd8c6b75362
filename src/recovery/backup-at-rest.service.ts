import { Injectable } from '@nestjs/common';
import { writeBackupFile } from '../backup/backup-file.js';
import type { BackupTarget } from '../backup/backup-target.js';
import { BackupWriter } from '../backup/backup-writer.js';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { indexPlaceOf } from '../metadata/open-index-place.js';

/** Makes a backup while no server runs. */
@Injectable()
export class BackupAtRest {
  constructor(
    private readonly config: AppConfig,
    private readonly cluster: ClusterFile,
    private readonly writer: BackupWriter,
  ) {}

  /** Returns its bytes. @throws DomainError `storage-missing` without an index, `storage-locked`, `storage-unusable`, `backup-failed` */
  async run(target: BackupTarget, signal: AbortSignal): Promise<number> {
    const index = await indexPlaceOf(this.config, this.cluster).open(false);
    try {
      return await writeBackupFile(target, this.writer.write(index, signal), signal);
    } finally {
      await index.close();
    }
  }
}
