import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { AppConfig } from '../config/app-config.js';
import { newId, timeOfId, type FileId } from '../common/ids.js';
import type { DocumentHead, StoredDocument } from '../documents/document-store.js';
import { nodeOfKey, partsOf, readPartKey, uploadKey, uploadsOf } from './drive-keys.js';
import { isNode } from './drive-reach.js';
import type { DriveStore } from './drive-store.js';
import { committed, Revisions } from './revisions.js';
import { decodeNode } from './stored-node.js';
import type { StoredPart } from './stored-revision.js';
import { decodeUpload, encodeUpload, type StoredUpload } from './stored-upload.js';

const UPLOADS = 'u/';

/** An upload under way. */
export interface OpenUpload extends StoredUpload {
  /** Also of the revision that it is for. */
  readonly id: FileId;
  /** In whose drive it lies. */
  readonly account: AccountId;
  readonly nodeId: FileId;
}

/** What was sent for one part. */
export interface UploadedPart extends StoredPart {
  readonly part: number;
  readonly updatedAt: number;
}

/** The parts of an upload. */
export interface UploadedParts {
  /** The newest of each number, by their numbers. */
  readonly parts: readonly UploadedPart[];
  /** What was sent again. */
  readonly superseded: readonly FileId[];
}

/** Which part, whose, and of what. */
type UploadIds = Pick<OpenUpload, 'account' | 'nodeId' | 'id'>;

/** What clients are uploading: documents, and the parts below them. */
@Injectable()
export class Uploads {
  constructor(
    readonly revisions: Revisions,
    private readonly config: AppConfig,
  ) {}

  get store(): DriveStore {
    return this.revisions.store;
  }

  async begin(account: AccountId, nodeId: FileId, upload: StoredUpload, signal: AbortSignal): Promise<OpenUpload> {
    const key = uploadKey(nodeId, newId<FileId>());
    const { id } = await this.store.create(account, { key, bytes: encodeUpload(upload) }, signal);
    return { ...upload, id, account, nodeId };
  }

  /** Undefined also for one whose content was committed, and of which a crash has left the document. */
  async find(id: FileId, signal: AbortSignal): Promise<OpenUpload | undefined> {
    const found = await this.store.find(id, signal);
    if (found === undefined || !isUpload(found.document)) return undefined;
    const upload = openUpload(found.account, found.document);
    return (await this.isCommitted(upload, signal)) ? undefined : upload;
  }

  /** Those of one node. */
  async of(account: AccountId, node: FileId, signal: AbortSignal): Promise<readonly DocumentHead[]> {
    return Array.fromAsync(this.store.headsIn(account, uploadsOf(node), signal));
  }

  async parts(upload: UploadIds, signal: AbortSignal): Promise<UploadedParts> {
    const prefix = partsOf(upload.nodeId, upload.id);
    const newest = new Map<number, UploadedPart>();
    const superseded: FileId[] = [];
    for await (const head of this.store.headsIn(upload.account, prefix, signal)) {
      const { part, digest } = readPartKey(head.key);
      const sent = { part, digest, id: head.id, bytes: head.size, updatedAt: head.updatedAt };
      const other = newest.get(part);
      const isNewer = other === undefined || other.id < sent.id;
      if (isNewer) newest.set(part, sent);
      if (other !== undefined) superseded.push(isNewer ? other.id : sent.id);
    }
    const parts = [...newest.values()].sort((one, next) => one.part - next.part);
    return { parts, superseded };
  }

  /** When it is removed if nothing is added; milliseconds since 1970. */
  expiresAt({ id }: Pick<OpenUpload, 'id'>, parts: readonly Pick<UploadedPart, 'updatedAt'>[]): number {
    const last = parts.reduce((newest, { updatedAt }) => Math.max(newest, updatedAt), timeOfId(id));
    return last + this.config.limits.drive_upload_idle_ms;
  }

  /** First the upload, so that nothing of it can be committed, then its parts. Only for who has it alone. */
  async discard(upload: UploadIds, signal: AbortSignal): Promise<void> {
    const { account, id, nodeId } = upload;
    await this.store.removeIfThere(account, { id }, signal);
    for await (const part of this.store.headsIn(account, partsOf(nodeId, id), signal))
      await this.store.removeIfThere(account, { id: part.id }, signal);
  }

  /** Between the node that names a content and the end of its upload a crash can come; from then on the parts are the revision's. */
  private async isCommitted({ account, nodeId, id }: UploadIds, signal: AbortSignal): Promise<boolean> {
    const named = (await this.revisions.heads(account, nodeId, signal)).filter(({ revisionId }) => revisionId === id);
    if (named.length === 0) return false;
    const node = await this.store.find(nodeId, signal);
    if (node?.account !== account || !isNode(node.document)) return false;
    return committed(named, decodeNode(node.document.bytes).content).length > 0;
  }
}

function isUpload({ key }: Pick<StoredDocument, 'key'>): boolean {
  return key.startsWith(UPLOADS);
}

function openUpload(account: AccountId, { id, key, bytes }: StoredDocument): OpenUpload {
  return { ...decodeUpload(bytes), id, account, nodeId: nodeOfKey(key) };
}
