import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import type { FileId, VersionId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import { demandedVersions } from '../http/conditional.js';
import { type FilePage, type FileRecord, type ListQuery, MetadataStore, type StoredFile } from '../metadata/metadata-store.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import type { LayoutReport } from '../redundancy/survival.js';
import { checkContentType, checkName } from './file-name.js';

/** Everything about files that does not touch their bytes. */
@Injectable()
export class RecordsService {
  constructor(
    private readonly config: AppConfig,
    private readonly metadata: MetadataStore,
    private readonly redundancy: RedundancyService,
  ) {}

  list(query: ListQuery, signal: AbortSignal): Promise<FilePage> {
    return this.metadata.list(query, signal);
  }

  async find(id: FileId, signal: AbortSignal): Promise<StoredFile> {
    const stored = await this.metadata.find(id, signal);
    if (stored === undefined) throw new DomainError('file-not-found', 'no file has this id');
    return stored;
  }

  async info(id: FileId, signal: AbortSignal): Promise<StoredFile & { readonly report: LayoutReport }> {
    const stored = await this.find(id, signal);
    return { ...stored, report: await this.redundancy.report(stored.manifest, signal) };
  }

  async update(
    id: FileId,
    changes: { readonly name?: string | undefined; readonly contentType?: string | undefined },
    ifMatch: string | undefined,
    signal: AbortSignal,
  ): Promise<FileRecord> {
    const { name_bytes_max, content_type_bytes_max } = this.config.limits;
    const checked = {
      ...(changes.name === undefined ? {} : { name: checkName(changes.name, name_bytes_max) }),
      ...(changes.contentType === undefined
        ? {}
        : { contentType: checkContentType(changes.contentType, content_type_bytes_max) }),
    };
    const expected = await this.expectedVersion(id, ifMatch, signal);
    return this.metadata.update(id, { ...checked, updatedAt: Date.now() }, expected, signal);
  }

  async remove(id: FileId, ifMatch: string | undefined, signal: AbortSignal): Promise<void> {
    const expected = await this.expectedVersion(id, ifMatch, signal);
    const { manifest } = await this.metadata.remove(id, expected, signal);
    this.redundancy.dropped(manifest);
  }

  /**
   * The version that a change insists on. `If-Match` may name several; the one that is current now is what the index then compares with,
   * in the same step as the change.
   * @throws DomainError `file-not-found`, `precondition-failed`
   */
  async expectedVersion(id: FileId, ifMatch: string | undefined, signal: AbortSignal): Promise<VersionId | undefined> {
    const demanded = demandedVersions(ifMatch);
    if (demanded === undefined) return undefined;
    const { versionId } = (await this.find(id, signal)).file;
    if (!demanded.includes(versionId))
      throw new DomainError('precondition-failed', 'the file has another version than If-Match names');
    return versionId;
  }
}
