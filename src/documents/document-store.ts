import type { FileId, VersionId } from '../common/ids.js';

/**
 * Which documents: the name of a kind of them (lower case letters and dashes, at most {@link COLLECTION_CHARACTERS_MAX}), or the drive of an account:
 * `drive:` and its id.
 */
export type Collection = string;

export const COLLECTION_CHARACTERS_MAX = 32;
/** Of a key in UTF-8. A key is not empty, well formed, and without control characters. */
export const KEY_BYTES_MAX = 1024;
/** The record of a large file on a drive; nearly all documents have less than 16 KiB, sealed, and ride in their records. */
export const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

/** A document as it was at one moment. */
export interface StoredDocument {
  /** Never changes. */
  readonly id: FileId;
  /** Unique in its collection. */
  readonly key: string;
  /** Changes with each change of the content or the key. */
  readonly revision: VersionId;
  /** The caller's. */
  readonly bytes: Uint8Array;
}

export interface PlacedDocument {
  readonly collection: Collection;
  readonly document: StoredDocument;
}

export interface DocumentQuery {
  /** Only keys that begin with it; empty: all. */
  readonly prefix: string;
  /** Documents to return at the most; at least 1. */
  readonly limit: number;
  /** `nextCursor` of the page before, with the same prefix. */
  readonly cursor?: Uint8Array;
}

export interface DocumentPage {
  /** In the order of the UTF-8 bytes of their keys. */
  readonly documents: readonly StoredDocument[];
  /** Present if there is more. */
  readonly nextCursor?: Uint8Array;
}

/** A document as a list shows it without reading it. */
export interface DocumentHead extends Pick<StoredDocument, 'id' | 'key' | 'revision'> {
  /** Of the content. */
  readonly size: number;
  /** Milliseconds since 1970, of the last change. */
  readonly updatedAt: number;
}

export interface HeadPage {
  readonly heads: readonly DocumentHead[];
  readonly nextCursor?: Uint8Array;
}

/** A document whose id was given out before it. */
export interface NewDocument {
  /** Of `newId`, never used for anything: an id that was comes back to life. */
  readonly id: FileId;
  readonly key: string;
  readonly bytes: Uint8Array;
}

export interface DocumentChange {
  readonly bytes: Uint8Array;
  /** Absent: as before. */
  readonly key?: string;
  /** The revision that must be the current one. */
  readonly expected: VersionId;
}

/**
 * What the server itself has to keep: accounts, tokens, shares. Small records with all the promises of files, since they are files: durable on
 * as many nodes before a change resolves, sealed at rest, repaired, and there again after the index was rebuilt (docs/adr/0016).
 * Each change is atomic, and what has resolved is seen by every later call. Names, keys and bytes outside of the limits are errors of the caller
 * and fail an assertion. Throws the errors of files too: `not-enough-nodes`, `data-unavailable`, `data-damaged`, `index-unavailable`.
 */
export abstract class DocumentStore {
  /** @throws DomainError `document-exists` if the key is taken */
  abstract create(collection: Collection, key: string, bytes: Uint8Array, signal: AbortSignal): Promise<StoredDocument>;

  /** {@link create} with an id that the caller has. @throws DomainError `document-exists` if the key is taken */
  abstract place(collection: Collection, document: NewDocument, signal: AbortSignal): Promise<StoredDocument>;

  abstract get(collection: Collection, key: string, signal: AbortSignal): Promise<StoredDocument | undefined>;

  abstract find(collection: Collection, id: FileId, signal: AbortSignal): Promise<StoredDocument | undefined>;

  /**
   * Content, and the key if one is given, in one step.
   * @throws DomainError `precondition-failed` if `expected` is not the current revision, `document-exists` if another document has the key,
   * `document-not-found`
   */
  abstract replace(collection: Collection, id: FileId, change: DocumentChange, signal: AbortSignal): Promise<StoredDocument>;

  /** @throws DomainError `precondition-failed` if `expected` is given and is not the current revision, `document-not-found` */
  abstract remove(collection: Collection, id: FileId, expected: VersionId | undefined, signal: AbortSignal): Promise<void>;

  /** A document, in whatever collection it is. */
  abstract findAnywhere(id: FileId, signal: AbortSignal): Promise<PlacedDocument | undefined>;

  /** The collection of a document; undefined if there is none with this id. */
  abstract collectionOf(id: FileId, signal: AbortSignal): Promise<Collection | undefined>;

  /** {@link list}, as the index alone can tell it: nothing is read from the nodes. */
  abstract heads(collection: Collection, query: DocumentQuery, signal: AbortSignal): Promise<HeadPage>;

  /** Pages are no snapshot: what changes between them is seen or not. @throws DomainError `invalid-cursor` */
  abstract list(collection: Collection, query: DocumentQuery, signal: AbortSignal): Promise<DocumentPage>;
}
