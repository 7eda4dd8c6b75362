import { Injectable } from '@nestjs/common';
import { type Commit, type FileRecord, MetadataStore } from '../metadata/metadata-store.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import { KeyUse } from './key-use.js';

/** The moment at which an upload becomes a file. */
@Injectable()
export class VersionCommitter {
  constructor(
    private readonly metadata: MetadataStore,
    private readonly redundancy: RedundancyService,
    private readonly keyUse: KeyUse,
  ) {}

  async commit(commit: Commit, signal: AbortSignal): Promise<FileRecord> {
    const { file, replaced } = await this.keyUse.during(commit.manifest.seal.kekId, () => this.metadata.commit(commit, signal));
    if (replaced !== undefined) this.redundancy.dropped(replaced);
    return file;
  }
}
