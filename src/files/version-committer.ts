import { Injectable } from '@nestjs/common';
import type { FileId, OwnerId, VersionId } from '../common/ids.js';
import type { Committed, FileRecord, Manifest } from '../metadata/metadata-store.js';
import type { FileStatement } from '../metadata/record-codec.js';
import { RecordSealer } from '../records/record-sealer.js';
import type { PutRecord } from '../redundancy/record-store.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import type { VersionSealer, VersionWriter, WrittenVersion } from '../redundancy/version-writer.js';
import { AmendService } from './amend.service.js';
import type { FileChanges } from './file-changes.js';
import { RetiredVersions } from './retired-versions.js';

/** A version whose body is written, and what it is to be. */
export interface VersionDraft {
  readonly fileId: FileId;
  /** Whose it is to be, or must be already. */
  readonly owner: OwnerId;
  /** What its name must begin with, as long as it is not replaced. */
  readonly prefix?: string | undefined;
  /** True if the file is there already and gets new content. */
  readonly replaces: boolean;
  /** Absent: as before, or by default. */
  readonly name: string | undefined;
  readonly contentType: string | undefined;
  /** The version that must be current (If-Match). */
  readonly expected?: VersionId | undefined;
  readonly manifest: Omit<Manifest, 'usage' | 'recordNodes'>;
}

const DEFAULT_CONTENT_TYPE = 'application/octet-stream';

/** The moment at which an upload becomes a file: first its record is durable on the nodes, then the index commits. */
@Injectable()
export class VersionCommitter {
  constructor(
    private readonly sealer: RecordSealer,
    private readonly amends: AmendService,
    private readonly redundancy: RedundancyService,
    private readonly retired: RetiredVersions,
  ) {}

  private get changes(): FileChanges {
    return this.amends.changes;
  }

  /** See `RedundancyService.writer`. */
  writer(versionId: VersionId): VersionWriter {
    return this.redundancy.writer(versionId);
  }

  async commit(draft: VersionDraft, writer: VersionWriter, signal: AbortSignal): Promise<FileRecord> {
    const { kekId } = draft.manifest.seal;
    const { file, replaced } = await this.amends.keyUse.during(kekId, () =>
      draft.replaces
        ? this.changes.change(draft.fileId, (put) => this.replace(draft, writer, put, signal))
        : this.changes.records.change((put) => this.create(draft, writer, put, signal)),
    );
    if (replaced !== undefined) this.retired.drop(replaced);
    return file;
  }

  /** Makes the nodes know better than the record of a version that was not committed. @throws DomainError if that cannot be done now */
  async takeBack(id: FileId): Promise<void> {
    await this.amends.reconcile(id);
  }

  /** Nobody knows the id yet, so nothing can come between. */
  private async create(draft: VersionDraft, writer: VersionWriter, put: PutRecord, signal: AbortSignal): Promise<Committed> {
    const { fileId: id, owner, manifest } = draft;
    const file = {
      id,
      owner,
      name: draft.name ?? id,
      contentType: draft.contentType ?? DEFAULT_CONTENT_TYPE,
      createdAt: manifest.createdAt,
    };
    const state = (written: WrittenVersion): FileStatement => statement(file, manifest, written);
    const written = await writer.record(put, this.versionSealer(draft, state), signal);
    return this.changes.metadata.commit({ kind: 'create', ...state(written) }, signal);
  }

  private async replace(draft: VersionDraft, writer: VersionWriter, put: PutRecord, signal: AbortSignal): Promise<Committed> {
    const { fileId, manifest, name, contentType, expected } = draft;
    const { file: before } = await this.amends.find(fileId, draft, signal);
    const file = { ...before, name: name ?? before.name, contentType: contentType ?? before.contentType };
    const state = (written: WrittenVersion): FileStatement => statement(file, manifest, written);
    const written = await writer.record(put, this.versionSealer(draft, state), signal);
    const { lastPage, ...after } = state(written);
    return this.changes.metadata.commit(
      {
        kind: 'replace',
        fileId,
        manifest: after.manifest,
        lastPage,
        updatedAt: after.file.updatedAt,
        revision: after.file.revision,
        basis: before.revision,
        ...(name === undefined ? {} : { name }),
        ...(contentType === undefined ? {} : { contentType }),
        ...(expected === undefined ? {} : { expected }),
      },
      signal,
    );
  }

  private versionSealer({ fileId, manifest }: VersionDraft, state: (written: WrittenVersion) => FileStatement): VersionSealer {
    const { versionId, seal } = manifest;
    return {
      manifest: (written) => this.sealer.manifest(state(written)),
      page: (page, revision) => this.sealer.page({ fileId, versionId, revision, kekId: seal.kekId }, page),
    };
  }
}

function statement(
  file: Pick<FileRecord, 'id' | 'owner' | 'name' | 'contentType' | 'createdAt'>,
  body: VersionDraft['manifest'],
  { usage, nodes, revision, lastPage }: WrittenVersion,
): FileStatement {
  const { id, owner, name, contentType, createdAt } = file;
  const { versionId, size, createdAt: updatedAt } = body;
  return {
    file: { id, owner, name, contentType, size, versionId, createdAt, updatedAt, revision },
    manifest: { ...body, usage, recordNodes: nodes },
    lastPage,
  };
}
