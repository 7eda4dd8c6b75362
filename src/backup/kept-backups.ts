import type { FileHandle } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import type { OwnerId } from '../common/ids.js';
import { BackupCrypto } from '../crypto/backup-crypto.js';
import { AmendService } from '../files/amend.service.js';
import { RetiredVersions } from '../files/retired-versions.js';
import { UploadService } from '../files/upload.service.js';
import type { FileRecord } from '../metadata/metadata-store.js';
import { openBackup } from './open-backup.js';

/** Whose the backups on the nodes are: no account's, and no collection of documents that anybody reads. */
const BACKUPS_OWNER = 'system:backups' as OwnerId;

/** The newest first. */
export const KEPT_BACKUPS = { owner: BACKUPS_OWNER, order: '-createdAt', prefix: '', limit: 1000 } as const;

/** The backups on the nodes: files of an owner of their own, so they are sealed, copied, repaired and found again by a rebuild as all files are. */
@Injectable()
export class KeptBackups {
  constructor(
    private readonly crypto: BackupCrypto,
    private readonly uploads: UploadService,
    private readonly amends: AmendService,
    private readonly retired: RetiredVersions,
  ) {}

  /** Keeps what is sealed in a backup: as a file it gets a key of its own, which is wrapped anew when keys are rotated. */
  async add(backup: FileHandle, signal: AbortSignal): Promise<FileRecord> {
    const upload = {
      name: `backup ${new Date().toISOString()}`,
      contentType: 'application/octet-stream',
      body: openBackup(backup, this.crypto, signal),
      expectedDigest: undefined,
    };
    return this.uploads.create(upload, { owner: BACKUPS_OWNER }, signal);
  }

  /** The newest first. */
  async list(signal: AbortSignal): Promise<readonly FileRecord[]> {
    return (await this.amends.metadata.list(KEPT_BACKUPS, signal)).files;
  }

  /** Removes all but the newest. */
  async prune(keptMax: number, signal: AbortSignal): Promise<void> {
    for (const { id } of (await this.list(signal)).slice(keptMax)) {
      const { manifest } = await this.amends.remove(id, { owner: BACKUPS_OWNER }, signal);
      this.retired.drop(manifest);
    }
  }
}
