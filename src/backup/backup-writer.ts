import { Injectable } from '@nestjs/common';
import { ClusterFile } from '../config/cluster-file.js';
import { LiveConfig } from '../config/live-config.js';
import { BackupCrypto } from '../crypto/backup-crypto.js';
import { sealStream } from '../crypto/open-stream.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { backupStream } from './backup-stream.js';
import { publicConfig } from './public-config.js';

/** Makes backups of an index. */
@Injectable()
export class BackupWriter {
  constructor(
    private readonly config: LiveConfig,
    private readonly cluster: ClusterFile,
    private readonly crypto: BackupCrypto,
  ) {}

  /** A backup, sealed, in pieces; the snapshot is of the moment at which the first one is asked for, and lasts until the last one was. */
  async *write(index: MetadataStore, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { head, sealer } = this.crypto.seal();
    yield head;
    const { map } = this.cluster;
    const plain = backupStream(
      {
        kind: 'head',
        clusterId: map.clusterId,
        createdAt: Date.now(),
        config: publicConfig(this.config.current),
        cluster: JSON.stringify(map),
      },
      index.snapshot(signal),
    );
    yield* sealStream(plain, sealer);
  }
}
