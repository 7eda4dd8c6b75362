import { Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { LmdbMetadataStore } from './embedded/lmdb.metadata-store.js';
import { MetadataStore } from './metadata-store.js';

@Module({
  providers: [{ provide: MetadataStore, useFactory: openIndex, inject: [AppConfig, ClusterFile] }],
  exports: [MetadataStore],
})
export class MetadataModule {}

async function openIndex({ metadata: { directory } }: AppConfig, { clusterId, isNew }: ClusterFile): Promise<MetadataStore> {
  if (directory === null) throw new TypeError('the configuration is not complete');
  return LmdbMetadataStore.open({ directory, clusterId, mayCreate: isNew });
}
