import { Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { MetadataStore } from './metadata-store.js';
import { indexPlaceOf } from './open-index-place.js';

@Module({
  providers: [{ provide: MetadataStore, useFactory: openIndex, inject: [AppConfig, ClusterFile] }],
  exports: [MetadataStore],
})
export class MetadataModule {}

async function openIndex(config: AppConfig, cluster: ClusterFile): Promise<MetadataStore> {
  return indexPlaceOf(config, cluster).open(cluster.isNew);
}
