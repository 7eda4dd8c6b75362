import { Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { MetadataStore } from './metadata-store.js';
import { MovableMetadataStore } from './moving/movable.metadata-store.js';
import { indexPlaceOf } from './open-index-place.js';

@Module({
  providers: [
    { provide: MovableMetadataStore, useFactory: openIndex, inject: [AppConfig, ClusterFile] },
    { provide: MetadataStore, useExisting: MovableMetadataStore },
  ],
  exports: [MetadataStore, MovableMetadataStore],
})
export class MetadataModule {}

async function openIndex(config: AppConfig, cluster: ClusterFile): Promise<MovableMetadataStore> {
  return new MovableMetadataStore(await indexPlaceOf(config, cluster).open(cluster.isNew));
}
