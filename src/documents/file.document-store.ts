import { Injectable } from '@nestjs/common';
import { DomainError, errorCode } from '../common/errors.js';
import { accountOfDrive, newId, type FileId, type OwnerId, type VersionId } from '../common/ids.js';
import { mapOrdered } from '../common/map-ordered.js';
import { Turns } from '../common/turns.js';
import { AmendService } from '../files/amend.service.js';
import { DownloadService, type OpenFile } from '../files/download.service.js';
import { wholeBody, type Upload } from '../files/incoming-file.js';
import { RetiredVersions } from '../files/retired-versions.js';
import { UploadService } from '../files/upload.service.js';
import type { FileRecord, MetadataStore, StoredFile } from '../metadata/metadata-store.js';
import { checkBytes, checkCollection, checkKey } from './check-document.js';
import {
  DocumentStore,
  type Collection,
  type DocumentChange,
  type DocumentPage,
  type DocumentQuery,
  type HeadPage,
  type NewDocument,
  type PlacedDocument,
  type StoredDocument,
} from './document-store.js';

/** Documents of a page that are read at once. */
const WIDTH = 8;
const SYSTEM = 'system:';

/** A document is a file: its owner is the collection, its name the key, its version the revision. */
@Injectable()
export class FileDocumentStore extends DocumentStore {
  /**
   * The index lets several files have one name, so whoever wants a key waits for the others that want it. Turns in this process are enough:
   * the index has one process, and that is the one that answers. Only a key that was taken right before a crash and was not committed can come
   * back by a rebuild beside the one that took it afterwards; then the later one counts.
   */
  private readonly turns = new Turns<string>();

  constructor(
    private readonly uploads: UploadService,
    private readonly downloads: DownloadService,
    private readonly amends: AmendService,
    private readonly retired: RetiredVersions,
  ) {
    super();
  }

  private get metadata(): MetadataStore {
    return this.amends.metadata;
  }

  override create(collection: Collection, key: string, bytes: Uint8Array, signal: AbortSignal): Promise<StoredDocument> {
    return this.place(collection, { id: newId<FileId>(), key, bytes }, signal);
  }

  override async place(collection: Collection, { id, key, bytes }: NewDocument, signal: AbortSignal): Promise<StoredDocument> {
    const owner = ownerOf(collection);
    checkKey(key);
    checkBytes(bytes);
    const content = Uint8Array.from(bytes);
    return this.turns.take(turnOf(owner, key), async () => {
      await this.requireFree({ owner, key }, signal);
      return documentOf(await this.uploads.create(uploadOf(key, content), { owner, id }, signal), content);
    });
  }

  override async get(collection: Collection, key: string, signal: AbortSignal): Promise<StoredDocument | undefined> {
    const owner = ownerOf(collection);
    checkKey(key);
    return this.read(() => this.metadata.findByName(owner, key, signal), signal);
  }

  override async find(collection: Collection, id: FileId, signal: AbortSignal): Promise<StoredDocument | undefined> {
    const owner = ownerOf(collection);
    return this.read(() => this.findOwn(owner, id, signal), signal);
  }

  override async replace(
    collection: Collection,
    id: FileId,
    { bytes, key, expected }: DocumentChange,
    signal: AbortSignal,
  ): Promise<StoredDocument> {
    const owner = ownerOf(collection);
    checkBytes(bytes);
    if (key !== undefined) checkKey(key);
    const content = Uint8Array.from(bytes);
    const replace = async (): Promise<StoredDocument> => {
      // What cannot succeed should not be stored first; the index compares once more when it commits.
      await this.amends.find(id, { owner, expected }, signal);
      if (key !== undefined) await this.requireFree({ owner, key, for: id }, signal);
      return documentOf(await this.uploads.replace(id, uploadOf(key, content), { owner, expected }, signal), content);
    };
    return asDocuments(() => (key === undefined ? replace() : this.turns.take(turnOf(owner, key), replace)));
  }

  override async remove(collection: Collection, id: FileId, expected: VersionId | undefined, signal: AbortSignal): Promise<void> {
    const owner = ownerOf(collection);
    const { manifest } = await asDocuments(() => this.amends.remove(id, { owner, expected }, signal));
    this.retired.drop(manifest);
  }

  override async findAnywhere(id: FileId, signal: AbortSignal): Promise<PlacedDocument | undefined> {
    let collection: Collection | undefined;
    const find = async (): Promise<StoredFile | undefined> => {
      const stored = await this.metadata.find(id, signal);
      collection = collectionOf(stored);
      return collection === undefined ? undefined : stored;
    };
    const document = await this.read(find, signal);
    return document === undefined || collection === undefined ? undefined : { collection, document };
  }

  override async collectionOf(id: FileId, signal: AbortSignal): Promise<Collection | undefined> {
    return collectionOf(await this.metadata.find(id, signal));
  }

  override async heads(collection: Collection, query: DocumentQuery, signal: AbortSignal): Promise<HeadPage> {
    const owner = ownerOf(collection);
    const { files, nextCursor } = await this.metadata.list({ owner, order: 'name', ...query }, signal);
    const heads = files.map(({ id, name: key, versionId: revision, size, updatedAt }) => ({
      id,
      key,
      revision,
      size,
      updatedAt,
    }));
    return nextCursor === undefined ? { heads } : { heads, nextCursor };
  }

  override async list(collection: Collection, query: DocumentQuery, signal: AbortSignal): Promise<DocumentPage> {
    const owner = ownerOf(collection);
    const { files, nextCursor } = await this.metadata.list({ owner, order: 'name', ...query }, signal);
    const documents: StoredDocument[] = [];
    const reads = mapOrdered(files, WIDTH, ({ id }) => this.read(() => this.findOwn(owner, id, signal), signal));
    for await (const document of reads) {
      // Removed since, or moved to another key: then it is not here any more.
      if (document?.key.startsWith(query.prefix) === true) documents.push(document);
    }
    return nextCursor === undefined ? { documents } : { documents, nextCursor };
  }

  private async findOwn(owner: OwnerId, id: FileId, signal: AbortSignal): Promise<StoredFile | undefined> {
    const stored = await this.metadata.find(id, signal);
    return stored?.file.owner === owner ? stored : undefined;
  }

  /** @throws DomainError `document-exists` if another document than the one it is for has the key */
  private async requireFree(
    wanted: { readonly owner: OwnerId; readonly key: string; readonly for?: FileId },
    signal: AbortSignal,
  ): Promise<void> {
    const holder = await this.metadata.findByName(wanted.owner, wanted.key, signal);
    if (holder !== undefined && holder.file.id !== wanted.for)
      throw new DomainError('document-exists', 'another document has this key');
  }

  private async read(find: () => Promise<StoredFile | undefined>, signal: AbortSignal): Promise<StoredDocument | undefined> {
    const open = await this.downloads.openFound(find, signal);
    if (open === undefined) return undefined;
    try {
      return documentOf(open.file, await this.contentOf(open, signal));
    } finally {
      open.release();
    }
  }

  private async contentOf(open: OpenFile, signal: AbortSignal): Promise<Uint8Array> {
    const small = await this.downloads.small(open, signal);
    if (small !== undefined) return small;
    return Buffer.concat(await Array.fromAsync(this.downloads.read(open, { from: 0, to: open.file.size }, signal)));
  }
}

function ownerOf(collection: Collection): OwnerId {
  checkCollection(collection);
  return (accountOfDrive(collection) !== undefined ? collection : `${SYSTEM}${collection}`) as OwnerId;
}

/** Undefined for a file that is no document. */
function collectionOf(stored: StoredFile | undefined): Collection | undefined {
  const owner = stored?.file.owner;
  if (owner?.startsWith(SYSTEM) === true) return owner.slice(SYSTEM.length);
  return owner !== undefined && accountOfDrive(owner) !== undefined ? owner : undefined;
}

function turnOf(owner: OwnerId, key: string): string {
  return `${owner}\0${key}`;
}

function uploadOf(key: string | undefined, whole: Uint8Array): Upload {
  return { name: key, contentType: undefined, body: wholeBody(whole), whole, expectedDigest: undefined };
}

function documentOf({ id, name: key, versionId: revision }: FileRecord, bytes: Uint8Array): StoredDocument {
  return { id, key, revision, bytes };
}

/** Says of a document what the files say of a file. */
async function asDocuments<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (errorCode(cause) !== 'file-not-found') throw cause;
    throw new DomainError('document-not-found', 'no document of this collection has this id', { cause });
  }
}
