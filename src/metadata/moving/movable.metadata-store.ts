import { DomainError } from '../../common/errors.js';
import type { FileId, OwnerId, VersionId } from '../../common/ids.js';
import {
  MetadataStore,
  type Amendment,
  type Commit,
  type Committed,
  type Damage,
  type FilePage,
  type FileRecord,
  type GarbageVersion,
  type ImportedRecord,
  type LayoutPage,
  type ListQuery,
  type Manifest,
  type NodeUsage,
  type OwnerUsage,
  type Relocation,
  type ScrubNote,
  type SnapshotEntry,
  type StoredFile,
  type Tombstone,
} from '../metadata-store.js';
import type { TransferableStore } from './index-transfer.js';

/** After so long a client may ask again. */
const RETRY_SECONDS = 2;

/**
 * The index of a running server, which may be moved to another engine below it. While it is held, everything that is there can be read, and
 * whoever wants to change something is told to come again.
 */
export class MovableMetadataStore extends MetadataStore {
  private isHeld = false;
  private isClosed = false;
  private readonly underWay = new Set<Promise<unknown>>();

  constructor(private store: TransferableStore) {
    super();
  }

  get current(): TransferableStore {
    return this.store;
  }

  /** Lets nothing change the index any more; resolves when nothing does. */
  async hold(): Promise<void> {
    this.isHeld = true;
    while (this.underWay.size > 0) await Promise.allSettled(this.underWay);
  }

  letGo(): void {
    this.isHeld = false;
  }

  /** Uses another one from now on, and at once lets it be changed. Resolves when the one before is closed: whoever walks over it begins anew. */
  async replaceBy(store: TransferableStore): Promise<void> {
    const before = this.store;
    this.store = store;
    this.letGo();
    await Promise.all([before.close(), ...(this.isClosed ? [store.close()] : [])]);
  }

  override nextRevision(signal: AbortSignal): Promise<number> {
    return this.change((store) => store.nextRevision(signal));
  }

  override revisionCeiling(signal: AbortSignal): Promise<number> {
    return this.store.revisionCeiling(signal);
  }

  override raiseRevision(revision: number, signal: AbortSignal): Promise<void> {
    return this.change((store) => store.raiseRevision(revision, signal));
  }

  override noteSettled(revision: number, signal: AbortSignal): Promise<void> {
    return this.change((store) => store.noteSettled(revision, signal));
  }

  override settledThrough(signal: AbortSignal): Promise<number> {
    return this.store.settledThrough(signal);
  }

  override stageLayout(versionId: VersionId, page: LayoutPage, signal: AbortSignal): Promise<void> {
    return this.change((store) => store.stageLayout(versionId, page, signal));
  }

  override readLayout(versionId: VersionId, page: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.store.readLayout(versionId, page, signal);
  }

  override commit(commit: Commit, signal: AbortSignal): Promise<Committed> {
    return this.change((store) => store.commit(commit, signal));
  }

  override find(id: FileId, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.store.find(id, signal);
  }

  override amend(id: FileId, amendment: Amendment, expected: VersionId | undefined, signal: AbortSignal): Promise<FileRecord> {
    return this.change((store) => store.amend(id, amendment, expected, signal));
  }

  override relocate(relocation: Relocation, signal: AbortSignal): Promise<StoredFile> {
    return this.change((store) => store.relocate(relocation, signal));
  }

  override layoutRevision(versionId: VersionId, page: number, signal: AbortSignal): Promise<number> {
    return this.store.layoutRevision(versionId, page, signal);
  }

  override remove(
    removal: { readonly tombstone: Tombstone; readonly basis: number },
    expected: VersionId | undefined,
    signal: AbortSignal,
  ): Promise<StoredFile> {
    return this.change((store) => store.remove(removal, expected, signal));
  }

  override addTombstone(tombstone: Tombstone, signal: AbortSignal): Promise<boolean> {
    return this.change((store) => store.addTombstone(tombstone, signal));
  }

  override findTombstone(id: FileId, signal: AbortSignal): Promise<Tombstone | undefined> {
    return this.store.findTombstone(id, signal);
  }

  override tombstones(signal: AbortSignal): AsyncIterable<Tombstone> {
    return this.store.tombstones(signal);
  }

  override dropTombstone(tombstone: Tombstone, signal: AbortSignal): Promise<void> {
    return this.change((store) => store.dropTombstone(tombstone, signal));
  }

  override noteSwept(node: number, revision: number, signal: AbortSignal): Promise<void> {
    return this.change((store) => store.noteSwept(node, revision, signal));
  }

  override sweptThrough(node: number, signal: AbortSignal): Promise<number> {
    return this.store.sweptThrough(node, signal);
  }

  override list(query: ListQuery, signal: AbortSignal): Promise<FilePage> {
    return this.store.list(query, signal);
  }

  override findByName(owner: OwnerId, name: string, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.store.findByName(owner, name, signal);
  }

  override usageOf(owner: OwnerId, signal: AbortSignal): Promise<OwnerUsage> {
    return this.store.usageOf(owner, signal);
  }

  override isCommitted(versionId: VersionId, signal: AbortSignal): Promise<boolean> {
    return this.store.isCommitted(versionId, signal);
  }

  override findByVersion(versionId: VersionId, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.store.findByVersion(versionId, signal);
  }

  override files(signal: AbortSignal): AsyncIterable<StoredFile> {
    return this.store.files(signal);
  }

  override importRecords(records: readonly ImportedRecord[], signal: AbortSignal): Promise<void> {
    return this.change((store) => store.importRecords(records, signal));
  }

  override abandon(garbage: Omit<GarbageVersion, 'pages'>, lastPage: LayoutPage, signal: AbortSignal): Promise<void> {
    return this.change((store) => store.abandon(garbage, lastPage, signal));
  }

  override garbage(signal: AbortSignal): AsyncIterable<GarbageVersion> {
    return this.store.garbage(signal);
  }

  override clearGarbage(versionId: VersionId, node: number, signal: AbortSignal): Promise<void> {
    return this.change((store) => store.clearGarbage(versionId, node, signal));
  }

  override sweepStaged(isLive: (versionId: VersionId) => boolean, signal: AbortSignal): Promise<number> {
    return this.change((store) => store.sweepStaged(isLive, signal));
  }

  override wrappedBy(kekId: string, limit: number, signal: AbortSignal): Promise<readonly Manifest[]> {
    return this.store.wrappedBy(kekId, limit, signal);
  }

  override usage(signal: AbortSignal): Promise<readonly NodeUsage[]> {
    return this.store.usage(signal);
  }

  override noteDamage(damage: readonly Damage[], max: number, signal: AbortSignal): Promise<void> {
    return this.change((store) => store.noteDamage(damage, max, signal));
  }

  override damage(signal: AbortSignal): AsyncIterable<Damage> {
    return this.store.damage(signal);
  }

  override damageOf(versionId: VersionId, signal: AbortSignal): Promise<readonly Damage[]> {
    return this.store.damageOf(versionId, signal);
  }

  override clearDamage(damage: readonly Damage[], signal: AbortSignal): Promise<void> {
    return this.change((store) => store.clearDamage(damage, signal));
  }

  override noteProven(node: number, at: number | undefined, signal: AbortSignal): Promise<void> {
    return this.change((store) => store.noteProven(node, at, signal));
  }

  override provenAt(node: number, signal: AbortSignal): Promise<number | undefined> {
    return this.store.provenAt(node, signal);
  }

  override noteScrub(note: ScrubNote | undefined, signal: AbortSignal): Promise<void> {
    return this.change((store) => store.noteScrub(note, signal));
  }

  override scrubNote(signal: AbortSignal): Promise<ScrubNote | undefined> {
    return this.store.scrubNote(signal);
  }

  override snapshot(signal: AbortSignal): AsyncIterable<SnapshotEntry> {
    return this.store.snapshot(signal);
  }

  override probe(signal: AbortSignal): Promise<void> {
    return this.change((store) => store.probe(signal));
  }

  override close(): Promise<void> {
    this.isClosed = true;
    return this.store.close();
  }

  private async change<Result>(work: (store: MetadataStore) => Promise<Result>): Promise<Result> {
    if (this.isHeld) throw heldError();
    const running = work(this.store);
    this.underWay.add(running);
    try {
      return await running;
    } finally {
      this.underWay.delete(running);
    }
  }
}

export function heldError(): DomainError {
  const detail = 'the index is being moved to another engine: it can be read, and be changed again in a moment';
  return new DomainError('index-unavailable', detail, { retryAfterSeconds: RETRY_SECONDS });
}
