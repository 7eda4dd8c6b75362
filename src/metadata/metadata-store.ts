import type { FileId, VersionId } from '../common/ids.js';

/** What a user sees of a file. Times are milliseconds since 1970. */
export interface FileRecord {
  readonly id: FileId;
  readonly name: string;
  readonly contentType: string;
  /** Bytes of the content as the user sent it. */
  readonly size: number;
  readonly versionId: VersionId;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** How many shards of a version lie on a node, and their bytes without headers. */
export interface NodeUsage {
  readonly node: number;
  readonly shards: number;
  readonly bytes: number;
}

/** The sealed key material of one version (CRYPTO.md, "At rest"). */
export interface VersionSeal {
  /** Id of the key (of the key ring) that wraps the version's key. */
  readonly kekId: string;
  /** The version's key, wrapped: 61 bytes. */
  readonly wrappedKey: Uint8Array;
  /** The FLOE header of the body: 74 bytes. */
  readonly header: Uint8Array;
  /** SHA-256 of the plaintext, sealed under the version's key. */
  readonly sealedDigest: Uint8Array;
}

/** The record of one version without its layout, which is kept in pages beside it. */
export interface Manifest {
  readonly versionId: VersionId;
  readonly fileId: FileId;
  readonly size: number;
  /** Bytes of the sealed body, which is what was cut into slices. */
  readonly sealedSize: number;
  readonly sliceBytes: number;
  /** Shape of its stripes: k data and m further shards each. */
  readonly k: number;
  readonly m: number;
  readonly seal: VersionSeal;
  readonly usage: readonly NodeUsage[];
  readonly createdAt: number;
}

export interface StoredFile {
  readonly file: FileRecord;
  readonly manifest: Manifest;
}

/** A page of a version's layout: which node holds which shard, for a fixed number of stripes. Its bytes are the caller's business. */
export interface LayoutPage {
  /** From 0, without gaps. */
  readonly page: number;
  readonly bytes: Uint8Array;
}

/** Shards that no file needs any more and that still lie on nodes. Its layout pages are kept until it is cleared. */
export interface GarbageVersion {
  readonly versionId: VersionId;
  /** Nodes that have not confirmed the deletion yet. */
  readonly nodes: readonly number[];
  /** Number of layout pages. */
  readonly pages: number;
}

/** By name: by its UTF-8 bytes, then by id. By creation: by id, which is a UUIDv7. */
export type ListOrder = 'name' | '-name' | 'createdAt' | '-createdAt';

export interface ListQuery {
  readonly order: ListOrder;
  /** Only names that begin with it; with the orders by name only. */
  readonly prefix: string;
  /** Files to return at the most. */
  readonly limit: number;
  /** Where the page before ended: `nextCursor` of it. */
  readonly cursor?: Uint8Array;
}

export interface FilePage {
  readonly files: readonly FileRecord[];
  /** Present if there is more. Opaque bytes of this adapter; an order's cursor is for that order alone. */
  readonly nextCursor?: Uint8Array;
}

/**
 * What the commit of a version does to the file: makes it, or gives it new content. The last layout page (often the only one) rides
 * in the commit, so that a small file costs one transaction; the pages before it were staged.
 */
export type Commit =
  | { readonly kind: 'create'; readonly file: FileRecord; readonly manifest: Manifest; readonly lastPage: LayoutPage }
  | {
      readonly kind: 'replace';
      readonly fileId: FileId;
      readonly manifest: Manifest;
      readonly lastPage: LayoutPage;
      readonly updatedAt: number;
      /** Absent: as before. */
      readonly name?: string;
      readonly contentType?: string;
      /** If-Match: the version that must be the current one at the moment of the commit. */
      readonly expected?: VersionId;
    };

/** What a commit did. */
export interface Committed {
  readonly file: FileRecord;
  /** The version that it replaced, which is garbage now. */
  readonly replaced?: Manifest;
}

export interface FileChanges {
  readonly name?: string;
  readonly contentType?: string;
  readonly updatedAt: number;
}

/**
 * The index: which files there are and where their shards lie. Each method that changes something resolves when the change is durable
 * (it survives a power cut) and is atomic: all of it happens or nothing. What has resolved is seen by every later call.
 * Nothing here blocks the event loop for an fsync, and concurrent changes share one (group commit).
 *
 * Throws DomainError `file-not-found`, `precondition-failed`, `invalid-cursor`; `index-unavailable` for everything the engine cannot do.
 */
export abstract class MetadataStore {
  /** Keeps one page of a version's layout. It counts only once the version is committed; pages may be staged while the upload runs. */
  abstract stageLayout(versionId: VersionId, page: LayoutPage, signal: AbortSignal): Promise<void>;

  /** One page of the layout of a committed or staged or garbage version; undefined if there is none. */
  abstract readLayout(versionId: VersionId, page: number, signal: AbortSignal): Promise<Uint8Array | undefined>;

  /** Makes a version the current one of its file. The version it replaces becomes garbage in the same step. */
  abstract commit(commit: Commit, signal: AbortSignal): Promise<Committed>;

  abstract find(id: FileId, signal: AbortSignal): Promise<StoredFile | undefined>;

  /** Renames, or changes the content type. `expected`: the version that must be current (If-Match). */
  abstract update(id: FileId, changes: FileChanges, expected: VersionId | undefined, signal: AbortSignal): Promise<FileRecord>;

  /** Deletes the file; its version's key is gone with it and its shards become garbage. */
  abstract remove(id: FileId, expected: VersionId | undefined, signal: AbortSignal): Promise<StoredFile>;

  /** One page of files. Reads only what it returns, wherever the page lies. */
  abstract list(query: ListQuery, signal: AbortSignal): Promise<FilePage>;

  /** True if the version is the current one of some file. */
  abstract isCommitted(versionId: VersionId, signal: AbortSignal): Promise<boolean>;

  /** Makes the shards of an upload that will never be committed garbage. Its pages say where they lie: the staged ones and this last one. */
  abstract abandon(garbage: Omit<GarbageVersion, 'pages'>, lastPage: LayoutPage, signal: AbortSignal): Promise<void>;

  /** All garbage, in no order, in pages read as they are needed. */
  abstract garbage(signal: AbortSignal): AsyncIterable<GarbageVersion>;

  /** Notes that a node has no shard of a garbage version any more; with the last node the record and its layout pages go. */
  abstract clearGarbage(versionId: VersionId, node: number, signal: AbortSignal): Promise<void>;

  /** Removes layout pages that were staged for versions that are neither committed nor garbage nor `live`: what a crash left behind. Returns how many pages. */
  abstract sweepStaged(isLive: (versionId: VersionId) => boolean, signal: AbortSignal): Promise<number>;

  /** Committed versions whose key is wrapped by this key, at most `limit` of them. */
  abstract wrappedBy(kekId: string, limit: number, signal: AbortSignal): Promise<readonly Manifest[]>;

  /** Replaces a version's wrapped key, if it is still wrapped by `from`; false if it is not, or the version is gone. */
  abstract rewrap(
    versionId: VersionId,
    change: { readonly from: string; readonly kekId: string; readonly wrappedKey: Uint8Array },
    signal: AbortSignal,
  ): Promise<boolean>;

  /** Shards and bytes of all committed versions, by node. */
  abstract usage(signal: AbortSignal): Promise<readonly NodeUsage[]>;

  /** Proves that the index can be written: a durable write of nothing. */
  abstract probe(signal: AbortSignal): Promise<void>;

  abstract close(): Promise<void>;
}
