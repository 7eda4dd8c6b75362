import { DomainError } from '../../src/common/errors.js';
import { newId, type FileId, type VersionId } from '../../src/common/ids.js';
import { checkBytes, checkCollection, checkKey } from '../../src/documents/check-document.js';
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
} from '../../src/documents/document-store.js';

/** A DocumentStore that forgets all at its end, and keeps the contract otherwise. */
export class MemoryDocumentStore extends DocumentStore {
  private readonly updatedAt = new Map<VersionId, number>();
  private readonly collections = new Map<Collection, Map<FileId, StoredDocument>>();

  override create(collection: Collection, key: string, bytes: Uint8Array, signal: AbortSignal): Promise<StoredDocument> {
    return this.place(collection, { id: newId<FileId>(), key, bytes }, signal);
  }

  override async place(collection: Collection, { id, key, bytes }: NewDocument, signal: AbortSignal): Promise<StoredDocument> {
    const documents = await this.open(collection, signal);
    checkKey(key);
    checkBytes(bytes);
    if (keyed(documents, key) !== undefined) throw new DomainError('document-exists', 'the key is taken');
    return this.put(documents, { id, key, bytes });
  }

  override async get(collection: Collection, key: string, signal: AbortSignal): Promise<StoredDocument | undefined> {
    const documents = await this.open(collection, signal);
    checkKey(key);
    return copied(keyed(documents, key));
  }

  override async find(collection: Collection, id: FileId, signal: AbortSignal): Promise<StoredDocument | undefined> {
    return copied((await this.open(collection, signal)).get(id));
  }

  override async replace(
    collection: Collection,
    id: FileId,
    change: DocumentChange,
    signal: AbortSignal,
  ): Promise<StoredDocument> {
    const documents = await this.open(collection, signal);
    const { bytes, expected } = change;
    checkBytes(bytes);
    if (change.key !== undefined) checkKey(change.key);
    const before = current(documents, id, expected);
    const key = change.key ?? before.key;
    if ((keyed(documents, key)?.id ?? id) !== id) throw new DomainError('document-exists', 'the key is taken');
    return this.put(documents, { id, key, bytes });
  }

  override async remove(collection: Collection, id: FileId, expected: VersionId | undefined, signal: AbortSignal): Promise<void> {
    const documents = await this.open(collection, signal);
    current(documents, id, expected);
    documents.delete(id);
  }

  override async findAnywhere(id: FileId, signal: AbortSignal): Promise<PlacedDocument | undefined> {
    const collection = await this.collectionOf(id, signal);
    const document = collection === undefined ? undefined : await this.find(collection, id, signal);
    return document === undefined || collection === undefined ? undefined : { collection, document };
  }

  override async collectionOf(id: FileId, signal: AbortSignal): Promise<Collection | undefined> {
    await Promise.resolve();
    signal.throwIfAborted();
    for (const [collection, documents] of this.collections) if (documents.has(id)) return collection;
    return undefined;
  }

  override async heads(collection: Collection, query: DocumentQuery, signal: AbortSignal): Promise<HeadPage> {
    const { documents, ...rest } = await this.list(collection, query, signal);
    const heads = documents.map(({ id, key, revision, bytes }) => ({
      ...{ id, key, revision, size: bytes.length },
      updatedAt: this.updatedAt.get(revision) ?? 0,
    }));
    return { heads, ...rest };
  }

  override async list(collection: Collection, query: DocumentQuery, signal: AbortSignal): Promise<DocumentPage> {
    const { prefix, limit, cursor } = query;
    const documents = [...(await this.open(collection, signal)).values()]
      .filter(({ key }) => key.startsWith(prefix))
      .sort((one, other) => Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)))
      .filter(({ key }) => cursor === undefined || Buffer.compare(Buffer.from(key), cursor) > 0);
    const page = documents.slice(0, limit).map((document) => ({ ...document, bytes: Uint8Array.from(document.bytes) }));
    const last = page.at(-1);
    const isMore = documents.length > limit && last !== undefined;
    return isMore ? { documents: page, nextCursor: Buffer.from(last.key) } : { documents: page };
  }

  private put(documents: Map<FileId, StoredDocument>, document: Omit<StoredDocument, 'revision'>): StoredDocument {
    const { id, key, bytes } = document;
    const stored = { id, key, revision: newId<VersionId>(), bytes: Uint8Array.from(bytes) };
    documents.set(id, stored);
    this.updatedAt.set(stored.revision, Date.now());
    return { ...stored, bytes: Uint8Array.from(bytes) };
  }

  private async open(collection: Collection, signal: AbortSignal): Promise<Map<FileId, StoredDocument>> {
    await Promise.resolve();
    signal.throwIfAborted();
    checkCollection(collection);
    const documents = this.collections.get(collection) ?? new Map<FileId, StoredDocument>();
    this.collections.set(collection, documents);
    return documents;
  }
}

function keyed(documents: ReadonlyMap<FileId, StoredDocument>, key: string): StoredDocument | undefined {
  return [...documents.values()].find((document) => document.key === key);
}

function current(documents: ReadonlyMap<FileId, StoredDocument>, id: FileId, expected?: VersionId): StoredDocument {
  const before = documents.get(id);
  if (before === undefined) throw new DomainError('document-not-found', 'no document has this id');
  if (expected !== undefined && before.revision !== expected)
    throw new DomainError('precondition-failed', 'the document has another revision by now');
  return before;
}

function copied(document: StoredDocument | undefined): StoredDocument | undefined {
  return document && { ...document, bytes: Uint8Array.from(document.bytes) };
}
