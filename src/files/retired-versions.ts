import { Injectable } from '@nestjs/common';
import type { Manifest } from '../metadata/metadata-store.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import { SmallFileCache } from './small-file-cache.js';

/** What becomes of versions that no file has any more. */
@Injectable()
export class RetiredVersions {
  constructor(
    private readonly redundancy: RedundancyService,
    private readonly cache: SmallFileCache,
  ) {}

  /** Lets go of its key in memory, and of what lies on the nodes as soon as nobody reads it. */
  drop(manifest: Manifest): void {
    this.cache.forget(manifest.versionId);
    this.redundancy.dropped(manifest);
  }
}
