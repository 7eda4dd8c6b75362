import { Injectable } from '@nestjs/common';
import type { FileId, VersionId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import { checkChange, isConditional, type Preconditions, validatorsOf } from '../http/conditional.js';
import type { FilePage, FileRecord, ListQuery, MetadataStore, StoredFile } from '../metadata/metadata-store.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import type { LayoutReport } from '../redundancy/survival.js';
import { AmendService } from './amend.service.js';
import { checkContentType, checkName } from './file-name.js';
import { RetiredVersions } from './retired-versions.js';

/** Everything about files that does not touch their bytes. */
@Injectable()
export class RecordsService {
  constructor(
    private readonly config: AppConfig,
    private readonly redundancy: RedundancyService,
    private readonly amends: AmendService,
    private readonly retired: RetiredVersions,
  ) {}

  private get metadata(): MetadataStore {
    return this.amends.metadata;
  }

  list(query: ListQuery, signal: AbortSignal): Promise<FilePage> {
    return this.metadata.list(query, signal);
  }

  async find(id: FileId, signal: AbortSignal): Promise<StoredFile> {
    return this.amends.find(id, undefined, signal);
  }

  async info(id: FileId, signal: AbortSignal): Promise<StoredFile & { readonly report: LayoutReport }> {
    const stored = await this.find(id, signal);
    return { ...stored, report: await this.redundancy.report(stored.manifest, signal) };
  }

  async update(
    id: FileId,
    changes: { readonly name?: string | undefined; readonly contentType?: string | undefined },
    preconditions: Preconditions,
    signal: AbortSignal,
  ): Promise<FileRecord> {
    const { name_bytes_max, content_type_bytes_max } = this.config.limits;
    const checked = {
      ...(changes.name === undefined ? {} : { name: checkName(changes.name, name_bytes_max) }),
      ...(changes.contentType === undefined
        ? {}
        : { contentType: checkContentType(changes.contentType, content_type_bytes_max) }),
    };
    const expected = await this.expectedVersion(id, preconditions, signal);
    return this.amends.amend(id, () => ({ ...checked, updatedAt: Date.now() }), expected, signal);
  }

  async remove(id: FileId, preconditions: Preconditions, signal: AbortSignal): Promise<void> {
    const expected = await this.expectedVersion(id, preconditions, signal);
    const { manifest } = await this.amends.remove(id, expected, signal);
    this.retired.drop(manifest);
  }

  /**
   * The version that a change with preconditions insists on: the one that is current now and meets them. The index compares with it in the
   * same step as the change, so that nothing comes between the two.
   * @throws DomainError `file-not-found`, `precondition-failed`
   */
  async expectedVersion(id: FileId, preconditions: Preconditions, signal: AbortSignal): Promise<VersionId | undefined> {
    if (!isConditional(preconditions)) return undefined;
    const { file } = await this.find(id, signal);
    checkChange(preconditions, validatorsOf(file));
    return file.versionId;
  }
}
