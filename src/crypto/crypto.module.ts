import { existsSync } from 'node:fs';
import { Logger, Module } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { BackupCrypto } from './backup-crypto.js';
import { createKeyRing } from './key-ring-file.js';
import { KeyRingHolder } from './key-ring.holder.js';
import { RecordCrypto } from './record-crypto.js';
import { VersionCrypto } from './version-keys.js';

@Module({
  providers: [
    { provide: KeyRingHolder, useFactory: openKeyRing, inject: [AppConfig, ClusterFile] },
    {
      provide: VersionCrypto,
      useFactory: (keys: KeyRingHolder) => new VersionCrypto(() => keys.current()),
      inject: [KeyRingHolder],
    },
    {
      provide: RecordCrypto,
      useFactory: (keys: KeyRingHolder, { clusterId }: ClusterFile) => new RecordCrypto(clusterId, () => keys.current()),
      inject: [KeyRingHolder, ClusterFile],
    },
    {
      provide: BackupCrypto,
      useFactory: (keys: KeyRingHolder) => new BackupCrypto(() => keys.current()),
      inject: [KeyRingHolder],
    },
  ],
  exports: [BackupCrypto, KeyRingHolder, RecordCrypto, VersionCrypto],
})
export class CryptoModule {}

/** Opens the key ring; makes one only for a store in which nothing can be sealed yet. */
function openKeyRing({ key_ring: path }: AppConfig, { clusterId, isNew }: ClusterFile): KeyRingHolder {
  if (path === null) throw new TypeError('the configuration is not complete');
  if (isNew && !existsSync(path)) {
    createKeyRing(path, clusterId, Date.now());
    new Logger('KeyRing').warn(
      { keyRing: path },
      'made a new key ring: keep a copy of it in a safe place, for whoever loses it loses every file',
    );
  } else if (!existsSync(path)) {
    throw new DomainError('storage-missing', `the key ring ${path} is missing, and without it no file can be read: put it back`);
  }
  return new KeyRingHolder(path, clusterId);
}
