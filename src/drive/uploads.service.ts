import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { DomainError } from '../common/errors.js';
import { newId, type FileId } from '../common/ids.js';
import type { Principal } from '../http/principal.js';
import { DriveReach } from './drive-reach.js';
import { placeIn } from './node-rules.js';
import { UploadGate } from './upload-gate.js';
import { type OpenUpload, type UploadedPart, Uploads } from './uploads.js';
import { WriterCheck } from './writer-check.js';

/** What an upload is for: a new file in a folder, or new content of a file. */
export type UploadTarget = { readonly parentId: FileId } | { readonly nodeId: FileId };

/** An upload as its client sees it. */
export interface UploadState {
  readonly upload: OpenUpload;
  readonly parts: readonly UploadedPart[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Begins and ends uploads, for those who may write where they are for. */
@Injectable()
export class UploadsService {
  constructor(
    private readonly reach: DriveReach,
    private readonly writers: WriterCheck,
    readonly uploads: Uploads,
    readonly gate: UploadGate,
  ) {}

  /** @throws DomainError `node-not-found`, `forbidden`, `invalid-request` for a folder that is a file or the other way round, `quota-exceeded` */
  async begin(principal: Principal, target: UploadTarget, signal: AbortSignal): Promise<UploadState> {
    const isNew = 'parentId' in target;
    const seen = await this.reach.see(principal, isNew ? target.parentId : target.nodeId, signal);
    if ((seen.head.kind === 'folder') !== isNew)
      throw new DomainError('invalid-request', 'parentId is of a folder, nodeId of a file');
    const by = this.writers.requireWriter(seen.reach, placeIn(seen));
    const nodeId = isNew ? newId<FileId>() : seen.id;
    const upload = await this.uploads.begin(seen.account, nodeId, { by, parentId: isNew ? seen.id : undefined }, signal);
    return { upload, parts: [], expiresAt: this.uploads.expiresAt(upload, []) };
  }

  /** An upload of who asks, who may still write there. @throws DomainError `upload-not-found`, `node-not-found`, `forbidden` */
  async require(principal: Principal, id: FileId, signal: AbortSignal): Promise<OpenUpload> {
    const caller = this.reach.callers.accountOf(principal);
    const upload = await this.uploads.find(id, signal);
    if (upload === undefined || !isOf(upload, caller)) throw notFound();
    const seen = await this.reach.see(principal, upload.parentId ?? upload.nodeId, signal);
    if (seen.account !== upload.account) throw notFound();
    this.writers.requireWriter(seen.reach, placeIn(seen));
    return upload;
  }

  /** @throws DomainError as {@link require} */
  async state(principal: Principal, id: FileId, signal: AbortSignal): Promise<UploadState> {
    const upload = await this.require(principal, id, signal);
    const { parts } = await this.uploads.parts(upload, signal);
    return { upload, parts, expiresAt: this.uploads.expiresAt(upload, parts) };
  }

  /** Whoever began it may, whatever became of the place that it is for. @throws DomainError `upload-not-found` */
  async remove(principal: Principal, id: FileId, signal: AbortSignal): Promise<void> {
    const caller = this.reach.callers.accountOf(principal);
    await this.gate.alone(id, async () => {
      const upload = await this.uploads.find(id, signal);
      if (upload === undefined || !isOf(upload, caller)) throw notFound();
      await this.uploads.discard(upload, signal);
    });
  }
}

function isOf({ by }: OpenUpload, caller: AccountId): boolean {
  return by === caller;
}

function notFound(): DomainError {
  return new DomainError('upload-not-found', 'you have no upload of this id: it was committed, removed, or not begun');
}
