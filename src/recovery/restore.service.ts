import type { FileHandle } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { BackupCrypto } from '../crypto/backup-crypto.js';
import { VersionCrypto } from '../crypto/version-keys.js';
import { AnyShapeCodec } from '../redundancy/any-shape.stripe-codec.js';
import { ErasureCodec } from '../redundancy/erasure/erasure.stripe-codec.js';
import { loadErasureKernel } from '../redundancy/erasure/load-erasure-kernel.js';
import { proveBackupFile, proveKeptBackup, type WholeBackup } from './backup-source.js';
import { GapFiller, type FillCounts } from './gap-filler.js';
import { RebuildService, type Harvested, type RebuildOptions, type RebuildResult } from './rebuild.service.js';

export interface RestoreResult extends RebuildResult {
  readonly backup: WholeBackup['head'];
  readonly filled: FillCounts;
}

/** What opens backups: those in files, and those on the nodes. */
@Injectable()
export class RestoreCrypto {
  constructor(
    readonly backups: BackupCrypto,
    readonly versions: VersionCrypto,
  ) {}
}

/** Makes the index anew from the nodes, which know best, and from a backup what they do not know. */
@Injectable()
export class RestoreService {
  constructor(
    private readonly config: AppConfig,
    private readonly cluster: ClusterFile,
    private readonly rebuild: RebuildService,
    private readonly crypto: RestoreCrypto,
  ) {}

  /**
   * @param file the backup; undefined: the newest one on the nodes that is whole
   * @throws DomainError `backup-unusable`, `storage-mismatch`, `key-missing` before anything is changed, and those of a rebuild
   */
  async run(file: FileHandle | undefined, { progress }: RebuildOptions, signal: AbortSignal): Promise<RestoreResult> {
    let backup = file && (await proveBackupFile(file, this.crypto.backups, signal));
    let filled: FillCounts = { records: 0, damage: 0, proven: 0 };
    const onHarvested = async (harvested: Harvested): Promise<void> => {
      backup ??= await this.keptBackup(harvested, signal);
      const { rebuild, index } = harvested;
      const parts = { rebuild, index, map: this.cluster.map, damageMax: this.config.limits.damage_max };
      filled = await new GapFiller(parts).fill(backup.entries(signal), signal);
    };
    const result = await this.rebuild.run({ progress, onHarvested }, signal);
    if (backup === undefined) throw new TypeError('an index was made without its backup');
    return { ...result, backup: backup.head, filled };
  }

  private async keptBackup({ index, nodes }: Harvested, signal: AbortSignal): Promise<WholeBackup> {
    const codec = new AnyShapeCodec(new ErasureCodec(await loadErasureKernel(() => undefined)));
    return proveKeptBackup({ index, nodes, codec, crypto: this.crypto.versions }, signal);
  }
}
