import type { FileId, OwnerId, VersionId } from '../common/ids.js';

/** What a user sees of a file. Times are milliseconds since 1970. */
export interface FileRecord {
  readonly id: FileId;
  /** Whose it is, from its creation to its end. */
  readonly owner: OwnerId;
  readonly name: string;
  readonly contentType: string;
  /** Bytes of the content as the user sent it. */
  readonly size: number;
  readonly versionId: VersionId;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Of its last change, be it of content, name or keys; grows over the whole store (docs/adr/0008). */
  readonly revision: number;
}

/** How many shards of a version lie on a node, and their bytes without headers. */
export interface NodeUsage {
  readonly node: number;
  readonly shards: number;
  readonly bytes: number;
}

/** What an owner has: files, and bytes of their content as the users sent it. */
export interface OwnerUsage {
  readonly files: number;
  readonly bytes: number;
}

/** What several owners have together. */
export async function usageOfAll(metadata: MetadataStore, owners: readonly OwnerId[], signal: AbortSignal): Promise<OwnerUsage> {
  const usages = await Promise.all(owners.map((owner) => metadata.usageOf(owner, signal)));
  const sum = { files: 0, bytes: 0 };
  for (const { files, bytes } of usages) {
    sum.files += files;
    sum.bytes += bytes;
  }
  return sum;
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
  /** Nodes that keep the record of this version, as of the file's revision. */
  readonly recordNodes: readonly number[];
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

/** Shards and records that no file needs any more and that still lie on nodes. Its layout pages are kept until it is cleared. */
export interface GarbageVersion {
  readonly versionId: VersionId;
  /** Nodes that have not confirmed the deletion yet. */
  readonly nodes: readonly number[];
  /** Number of layout pages. */
  readonly pages: number;
}

/** A shard that is not on its node as it was put there. */
export interface Damage {
  readonly node: number;
  readonly shard: { readonly versionId: VersionId; readonly stripe: number; readonly index: number };
}

/** How far a scrub has come that is not finished, so that it goes on after a restart. */
export interface ScrubNote {
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The last file that was looked at; files are walked over in the order of their ids. */
  readonly after: FileId;
  /** Nodes of which not everything could be looked at so far. */
  readonly unproven: readonly number[];
}

/** By name: by its UTF-8 bytes, then by id. By creation: by id, which is a UUIDv7. */
export type ListOrder = 'name' | '-name' | 'createdAt' | '-createdAt';

export interface ListQuery {
  readonly owner: OwnerId;
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
      readonly revision: number;
      /** The revision of the file that its record on the nodes was made from; see {@link StaleBasisError}. */
      readonly basis: number;
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

/** A change of a file that is no new content: its name, or the key that wraps its version's key, or just where its record lies. */
export interface Amendment {
  readonly revision: number;
  /** The revision that the file must have; see {@link StaleBasisError}. */
  readonly basis: number;
  readonly recordNodes: readonly number[];
  readonly name?: string;
  readonly contentType?: string;
  readonly updatedAt?: number;
  readonly wrapped?: { readonly kekId: string; readonly wrappedKey: Uint8Array };
  /** All layout pages were put on the nodes anew, with this revision. Absent: they are as they were. */
  readonly layoutRevision?: number;
}

/** Other places for shards of the current version of a file: its content stays as it is. */
export interface Relocation {
  readonly fileId: FileId;
  /** The version that has to be the current one. */
  readonly versionId: VersionId;
  readonly revision: number;
  /** The revision that the file must have; see {@link StaleBasisError}. */
  readonly basis: number;
  /** Of the stripes of the version from now on; the pages that do not change may still have another width. */
  readonly m: number;
  /** Of the whole version, from now on. */
  readonly usage: readonly NodeUsage[];
  readonly recordNodes: readonly number[];
  /** The pages that change, each with its stripes as before; those before the last lie on the nodes with the revision of this change. */
  readonly pages: readonly LayoutPage[];
}

/** What the nodes keep of a deleted file, so that a rebuilt index does not raise it. */
export interface Tombstone {
  readonly fileId: FileId;
  /** Higher than that of any record of the file. */
  readonly revision: number;
  /** The key of the key ring under which it is sealed. */
  readonly kekId: string;
  readonly nodes: readonly number[];
}

/**
 * The file has another revision than the change was made from. The records on the nodes were written before the index is asked, so of two
 * changes that overlap only one may pass, and the other has to be made anew.
 */
export class StaleBasisError extends Error {
  override readonly name = 'StaleBasisError';
  readonly code = 'ERR_STALE_BASIS';

  constructor() {
    super('the file has changed since');
  }
}

/** A record of a node as the rebuild takes it in: of a file with its current version, a page of a layout, or a file that was deleted. */
export type ImportedRecord =
  | { readonly kind: 'file'; readonly file: FileRecord; readonly manifest: Manifest; readonly lastPage: LayoutPage }
  | { readonly kind: 'layout'; readonly versionId: VersionId; readonly page: LayoutPage; readonly revision: number }
  | { readonly kind: 'tombstone'; readonly tombstone: Tombstone };

/** What a snapshot has: all that a rebuild takes in, and what the index alone knows of nodes and shards. */
export type SnapshotEntry =
  | ImportedRecord
  | { readonly kind: 'damage'; readonly damage: Damage }
  | { readonly kind: 'proven'; readonly node: number; readonly at: number }
  | { readonly kind: 'scrub'; readonly note: ScrubNote };

/**
 * The index: which files there are and where their shards lie. Each method that changes something resolves when the change is durable
 * (it survives a power cut) and is atomic: all of it happens or nothing. What has resolved is seen by every later call.
 * Nothing here blocks the event loop for an fsync, and concurrent changes share one (group commit).
 *
 * Throws DomainError `file-not-found`, `precondition-failed`, `invalid-cursor`; `index-unavailable` for everything the engine cannot do;
 * {@link StaleBasisError}; OutcomeUnknownError from `commit`, `amend`, `relocate` and `remove`.
 */
export abstract class MetadataStore {
  /**
   * A number for a change, higher than any that was given before, also by another process or before a crash. Most are made of the clock, so
   * that they go on growing even where the index was lost.
   */
  abstract nextRevision(signal: AbortSignal): Promise<number>;

  /** No revision above it was ever given: a node that has one knows of changes that this index has lost. */
  abstract revisionCeiling(signal: AbortSignal): Promise<number>;

  /** No revision up to this one is given any more: a node has it, and this index did not give it. */
  abstract raiseRevision(revision: number, signal: AbortSignal): Promise<void>;

  /** Notes that no change with a revision up to this one is under way: each was committed, or taken back on the nodes. */
  abstract noteSettled(revision: number, signal: AbortSignal): Promise<void>;

  /** What was noted by {@link noteSettled}; what nodes keep with a higher revision may be of a change that a crash cut short. */
  abstract settledThrough(signal: AbortSignal): Promise<number>;

  /** Keeps one page of a version's layout. It counts only once the version is committed; pages may be staged while the upload runs. */
  abstract stageLayout(versionId: VersionId, page: LayoutPage, signal: AbortSignal): Promise<void>;

  /** One page of the layout of a committed or staged or garbage version; undefined if there is none. */
  abstract readLayout(versionId: VersionId, page: number, signal: AbortSignal): Promise<Uint8Array | undefined>;

  /** Makes a version the current one of its file. The version it replaces becomes garbage in the same step. */
  abstract commit(commit: Commit, signal: AbortSignal): Promise<Committed>;

  abstract find(id: FileId, signal: AbortSignal): Promise<StoredFile | undefined>;

  /** Changes what is no content. `expected`: the version that must be current (If-Match). */
  abstract amend(id: FileId, amendment: Amendment, expected: VersionId | undefined, signal: AbortSignal): Promise<FileRecord>;

  /**
   * Moves shards of the current version, on the layout alone: pages, usage, m and the nodes of its record change in one step. What lies where
   * the layout named it before is nobody's from then on; whoever calls this deletes it, and the walk over the nodes finds what he could not reach.
   * `precondition-failed` if another version is the current one.
   */
  abstract relocate(relocation: Relocation, signal: AbortSignal): Promise<StoredFile>;

  /** The revision with which the nodes keep a layout page before the last one: 1, unless it was put anew since the upload. */
  abstract layoutRevision(versionId: VersionId, page: number, signal: AbortSignal): Promise<number>;

  /**
   * Deletes the file; its version's key is gone with it and its shards become garbage. The tombstone is kept until it is dropped.
   * `basis`: the revision that the file must have.
   */
  abstract remove(
    removal: { readonly tombstone: Tombstone; readonly basis: number },
    expected: VersionId | undefined,
    signal: AbortSignal,
  ): Promise<StoredFile>;

  /** Keeps a tombstone for a file that the index does not have; false, and nothing is kept, if it has it. */
  abstract addTombstone(tombstone: Tombstone, signal: AbortSignal): Promise<boolean>;

  abstract findTombstone(id: FileId, signal: AbortSignal): Promise<Tombstone | undefined>;

  /** All tombstones, in no order, in pages read as they are needed. */
  abstract tombstones(signal: AbortSignal): AsyncIterable<Tombstone>;

  /** Lets go of a tombstone, if it still has this revision. */
  abstract dropTombstone(tombstone: Tombstone, signal: AbortSignal): Promise<void>;

  /** Notes that a node has no record of a revision up to this one but those that the index knows. */
  abstract noteSwept(node: number, revision: number, signal: AbortSignal): Promise<void>;

  /** What was noted by {@link noteSwept}; 0 for nodes of which nothing was. */
  abstract sweptThrough(node: number, signal: AbortSignal): Promise<number>;

  /** One page of the files of an owner. Reads only what it returns, wherever the page lies and whatever others have. */
  abstract list(query: ListQuery, signal: AbortSignal): Promise<FilePage>;

  /** The file of an owner with exactly this name; of several the one that changed last. */
  abstract findByName(owner: OwnerId, name: string, signal: AbortSignal): Promise<StoredFile | undefined>;

  /** What an owner has. It is counted with each change and not when it is asked for. */
  abstract usageOf(owner: OwnerId, signal: AbortSignal): Promise<OwnerUsage>;

  /** True if the version is the current one of some file. */
  abstract isCommitted(versionId: VersionId, signal: AbortSignal): Promise<boolean>;

  /** The file of which the version is the current one. */
  abstract findByVersion(versionId: VersionId, signal: AbortSignal): Promise<StoredFile | undefined>;

  /** All files of all owners, in the order of their ids, in pages read as they are needed. */
  abstract files(signal: AbortSignal): AsyncIterable<StoredFile>;

  /**
   * Takes in what nodes keep, in any order and any number of times: of each file, and of each page of a layout, the record with the highest
   * revision counts. For an index that is being rebuilt and serves nobody.
   */
  abstract importRecords(records: readonly ImportedRecord[], signal: AbortSignal): Promise<void>;

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

  /** Shards and bytes of all committed versions, by node. */
  abstract usage(signal: AbortSignal): Promise<readonly NodeUsage[]>;

  /** Keeps damage until it is cleared, each once. Of what exceeds `max` in all nothing is kept: it will be found again. */
  abstract noteDamage(damage: readonly Damage[], max: number, signal: AbortSignal): Promise<void>;

  /** All damage, that of one version together, in pages read as they are needed. */
  abstract damage(signal: AbortSignal): AsyncIterable<Damage>;

  /** What of it is of the shards of one version. */
  abstract damageOf(versionId: VersionId, signal: AbortSignal): Promise<readonly Damage[]>;

  abstract clearDamage(damage: readonly Damage[], signal: AbortSignal): Promise<void>;

  /** Notes that all shards on a node were proven, or found bad and noted, since this time; undefined: that nothing on it was, ever. */
  abstract noteProven(node: number, at: number | undefined, signal: AbortSignal): Promise<void>;

  /** What was noted by {@link noteProven}; undefined if nothing was. */
  abstract provenAt(node: number, signal: AbortSignal): Promise<number | undefined>;

  /** Keeps how far a scrub has come; undefined: none is unfinished. */
  abstract noteScrub(note: ScrubNote | undefined, signal: AbortSignal): Promise<void>;

  abstract scrubNote(signal: AbortSignal): Promise<ScrubNote | undefined>;

  /**
   * Everything as it was at one moment, whatever is changed meanwhile: pages of a layout before the manifest that they belong to. It holds up what the
   * engine gives back of what was deleted, so it is to be read at once, and ended.
   */
  abstract snapshot(signal: AbortSignal): AsyncIterable<SnapshotEntry>;

  /** Proves that the index can be written: a durable write of nothing. */
  abstract probe(signal: AbortSignal): Promise<void>;

  abstract close(): Promise<void>;
}
