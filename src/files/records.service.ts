import { Injectable } from '@nestjs/common';
import type { VersionId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import { checkChange, isConditional, type Preconditions, validatorsOf } from '../http/conditional.js';
import type { FilePage, FileRecord, ListQuery, MetadataStore, StoredFile } from '../metadata/metadata-store.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import type { LayoutReport } from '../redundancy/survival.js';
import { AmendService } from './amend.service.js';
import { checkContentType, checkName } from './file-name.js';
import { checkReach, type FileTarget } from './owner-of.js';
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

  async find(target: FileTarget, signal: AbortSignal): Promise<StoredFile> {
    return this.amends.find(target.id, target, signal);
  }

  async info(target: FileTarget, signal: AbortSignal): Promise<StoredFile & { readonly report: LayoutReport }> {
    const stored = await this.find(target, signal);
    return { ...stored, report: await this.redundancy.report(stored.manifest, signal) };
  }

  async update(
    target: FileTarget,
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
    if (checked.name !== undefined) checkReach(checked.name, target);
    const { id, owner, prefix } = target;
    const expected = await this.expectedVersion(target, preconditions, signal);
    return this.amends.amend(id, () => ({ ...checked, updatedAt: Date.now() }), { owner, prefix, expected }, signal);
  }

  async remove(target: FileTarget, preconditions: Preconditions, signal: AbortSignal): Promise<void> {
    const { id, owner, prefix } = target;
    const expected = await this.expectedVersion(target, preconditions, signal);
    const { manifest } = await this.amends.remove(id, { owner, prefix, expected }, signal);
    this.retired.drop(manifest);
  }

  /**
   * The version that a change with preconditions insists on: the one that is current now and meets them. The index compares with it in the
   * same step as the change, so that nothing comes between the two.
   * @throws DomainError `file-not-found`, `precondition-failed`
   */
  async expectedVersion(target: FileTarget, preconditions: Preconditions, signal: AbortSignal): Promise<VersionId | undefined> {
    if (!isConditional(preconditions)) return undefined;
    const { file } = await this.find(target, signal);
    checkChange(preconditions, validatorsOf(file));
    return file.versionId;
  }
}
