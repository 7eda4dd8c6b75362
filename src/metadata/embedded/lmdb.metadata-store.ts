import type { FileId, OwnerId, VersionId } from '../../common/ids.js';
import { MetadataStore } from '../metadata-store.js';
import type {
  Amendment,
  Commit,
  Committed,
  Damage,
  FilePage,
  FileRecord,
  GarbageVersion,
  ImportedRecord,
  LayoutPage,
  ListQuery,
  Manifest,
  NodeUsage,
  OwnerUsage,
  Relocation,
  ScrubNote,
  SnapshotEntry,
  StoredFile,
  Tombstone,
} from '../metadata-store.js';
import type { IndexTransfer } from '../moving/index-transfer.js';
import { GroupCommit } from './group-commit.js';
import * as changes from './index-changes.js';
import { clearDamage, damageOf, noteDamage, readScrubNote, writeScrubNote } from './index-damage.js';
import { usageOf } from './index-files.js';
import { importRecord, revisionOf } from './index-import.js';
import { closedError, toIndexError } from '../index-error.js';
import { idKey, layoutKey, nodeKey } from './index-keys.js';
import { findByName, listFiles, wrappedVersions } from './index-listing.js';
import { layoutRevision } from './index-page-revisions.js';
import { relocateVersion } from './index-relocation.js';
import { raiseCeiling, raiseRevision, raiseSettled, readCeiling, readRevision, readSettled } from './index-revisions.js';
import { snapshotOf } from './index-snapshot.js';
import { type IndexAccess, sweepStaged } from './index-suspects.js';
import type { IndexTables } from './index-tables.js';
import { embeddedTransfer } from './index-transfer.js';
import { DAMAGE, GARBAGE, type TableWalk, TOMBSTONES, walkFiles, walkTable } from './index-walk.js';
import { openIndex } from './lmdb-index.js';
import type { OpenIndex, OpenOptions } from './lmdb-index.js';
import { ReadTurns } from './read-turns.js';
import { RevisionClock } from '../revision-clock.js';

const PROBE = Buffer.from('probe');

/**
 * The index in a directory of this process, on LMDB. Reads are synchronous underneath: they touch mapped memory, which is faster than
 * a thread would be told of them. Changes are synced on lmdb's own thread, many by one fsync.
 */
export class LmdbMetadataStore extends MetadataStore {
  readonly transfer: IndexTransfer;
  private readonly group: GroupCommit;
  private readonly revisions: RevisionClock;
  private closing: Promise<void> | undefined;
  private probes = 0;
  private readonly turns = new ReadTurns();

  private constructor(private readonly index: OpenIndex) {
    super();
    this.group = new GroupCommit(index.database);
    this.revisions = new RevisionClock(readCeiling(index.database.current.tables.meta), (ceiling) =>
      this.group.run(({ meta }) => raiseCeiling(meta, ceiling)),
    );
    this.transfer = embeddedTransfer(this.access(new AbortController().signal), () => this.revisions.rest());
  }

  /**
   * @throws DomainError `storage-missing` if there is no index and none may be made, `storage-mismatch` if it is another cluster's,
   * `storage-locked` if another process has it, `storage-unusable` if it is damaged, newer than this program, or cannot be reached.
   */
  static async open(options: OpenOptions): Promise<LmdbMetadataStore> {
    return new LmdbMetadataStore(await openIndex(options));
  }

  override async nextRevision(signal: AbortSignal): Promise<number> {
    this.requireUsable(signal);
    return this.revisions.next();
  }

  override async revisionCeiling(signal: AbortSignal): Promise<number> {
    this.requireUsable(signal);
    return Promise.resolve(this.revisions.reserved);
  }

  override async raiseRevision(revision: number, signal: AbortSignal): Promise<void> {
    await this.change(signal, ({ meta }) => raiseCeiling(meta, revision));
    this.revisions.seen(revision);
  }

  override noteSettled(revision: number, signal: AbortSignal): Promise<void> {
    return this.change(signal, ({ meta }) => raiseSettled(meta, revision));
  }

  override settledThrough(signal: AbortSignal): Promise<number> {
    return this.look(signal, ({ meta }) => readSettled(meta));
  }

  override stageLayout(versionId: VersionId, page: LayoutPage, signal: AbortSignal): Promise<void> {
    return this.change(signal, ({ layouts }) => {
      layouts.putSync(layoutKey(versionId, page.page), page.bytes);
    });
  }

  override readLayout(versionId: VersionId, page: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.look(signal, ({ layouts }) => layouts.getBinary(layoutKey(versionId, page)));
  }

  override commit(commit: Commit, signal: AbortSignal): Promise<Committed> {
    return this.change(signal, (tables) => changes.commitVersion(tables, commit));
  }

  override find(id: FileId, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.look(signal, (tables) => changes.readStored(tables, id));
  }

  override amend(id: FileId, amendment: Amendment, expected: VersionId | undefined, signal: AbortSignal): Promise<FileRecord> {
    return this.change(signal, (tables) => changes.amendFile(tables, id, amendment, expected));
  }

  override relocate(relocation: Relocation, signal: AbortSignal): Promise<StoredFile> {
    return this.change(signal, (tables) => relocateVersion(tables, relocation));
  }

  override layoutRevision(versionId: VersionId, page: number, signal: AbortSignal): Promise<number> {
    return this.look(signal, (tables) => layoutRevision(tables, versionId, page));
  }

  override remove(
    removal: { readonly tombstone: Tombstone; readonly basis: number },
    expected: VersionId | undefined,
    signal: AbortSignal,
  ): Promise<StoredFile> {
    return this.change(signal, (tables) => changes.removeFile(tables, removal, expected));
  }

  override addTombstone(tombstone: Tombstone, signal: AbortSignal): Promise<boolean> {
    return this.change(signal, (tables) => changes.addTombstone(tables, tombstone));
  }

  override findTombstone(id: FileId, signal: AbortSignal): Promise<Tombstone | undefined> {
    return this.look(signal, (tables) => changes.readTombstone(tables, id));
  }

  override tombstones(signal: AbortSignal): AsyncIterable<Tombstone> {
    return this.walk(signal, TOMBSTONES);
  }

  override dropTombstone(tombstone: Tombstone, signal: AbortSignal): Promise<void> {
    return this.change(signal, (tables) => changes.dropTombstone(tables, tombstone));
  }

  override noteSwept(node: number, revision: number, signal: AbortSignal): Promise<void> {
    return this.change(signal, ({ swept }) => raiseRevision(swept, nodeKey(node), revision));
  }

  override sweptThrough(node: number, signal: AbortSignal): Promise<number> {
    return this.look(signal, ({ swept }) => readRevision(swept, nodeKey(node)));
  }

  /** The orders by creation are those of the file ids, which are UUIDv7. */
  override list(query: ListQuery, signal: AbortSignal): Promise<FilePage> {
    return this.turns.page(() => listFiles((read) => this.look(signal, read), query));
  }

  override findByName(owner: OwnerId, name: string, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.look(signal, (tables) => findByName(tables, owner, name));
  }

  override usageOf(owner: OwnerId, signal: AbortSignal): Promise<OwnerUsage> {
    return this.look(signal, (tables) => usageOf(tables, owner));
  }

  override isCommitted(versionId: VersionId, signal: AbortSignal): Promise<boolean> {
    return this.look(signal, ({ versions }) => versions.doesExist(idKey(versionId)));
  }

  override findByVersion(versionId: VersionId, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.look(signal, (tables) => changes.readByVersion(tables, versionId));
  }

  override async *files(signal: AbortSignal): AsyncGenerator<StoredFile, void, undefined> {
    for await (const id of walkFiles((read) => this.look(signal, read), this.turns)) {
      const found = await this.find(id, signal);
      if (found !== undefined) yield found;
    }
  }

  override async importRecords(records: readonly ImportedRecord[], signal: AbortSignal): Promise<void> {
    const revisions = records.map(revisionOf);
    const newest = Math.max(0, ...revisions);
    await this.change(signal, (tables) => {
      for (const record of records) importRecord(tables, record);
      raiseCeiling(tables.meta, newest);
    });
    this.revisions.seen(newest);
  }

  override abandon(garbage: Omit<GarbageVersion, 'pages'>, lastPage: LayoutPage, signal: AbortSignal): Promise<void> {
    return this.change(signal, (tables) => changes.abandonVersion(tables, garbage, lastPage));
  }

  override garbage(signal: AbortSignal): AsyncIterable<GarbageVersion> {
    return this.walk(signal, GARBAGE);
  }

  override clearGarbage(versionId: VersionId, node: number, signal: AbortSignal): Promise<void> {
    return this.change(signal, (tables) => changes.clearGarbageOf(tables, versionId, node));
  }

  override sweepStaged(isLive: (versionId: VersionId) => boolean, signal: AbortSignal): Promise<number> {
    return sweepStaged(this.access(signal), isLive);
  }

  override wrappedBy(kekId: string, limit: number, signal: AbortSignal): Promise<readonly Manifest[]> {
    return this.look(signal, (tables) => wrappedVersions(tables, kekId, limit));
  }

  override usage(signal: AbortSignal): Promise<readonly NodeUsage[]> {
    return this.look(signal, changes.readUsage);
  }

  override noteDamage(damage: readonly Damage[], max: number, signal: AbortSignal): Promise<void> {
    return this.change(signal, (tables) => noteDamage(tables, damage, max));
  }

  override damage(signal: AbortSignal): AsyncIterable<Damage> {
    return this.walk(signal, DAMAGE);
  }

  override damageOf(versionId: VersionId, signal: AbortSignal): Promise<readonly Damage[]> {
    return this.look(signal, (tables) => damageOf(tables, versionId));
  }

  override clearDamage(damage: readonly Damage[], signal: AbortSignal): Promise<void> {
    return this.change(signal, (tables) => clearDamage(tables, damage));
  }

  override noteProven(node: number, at: number | undefined, signal: AbortSignal): Promise<void> {
    return this.change(signal, ({ proven }) => raiseRevision(proven, nodeKey(node), at));
  }

  override provenAt(node: number, signal: AbortSignal): Promise<number | undefined> {
    return this.look(signal, ({ proven }) => readRevision(proven, nodeKey(node)) || undefined);
  }

  override noteScrub(note: ScrubNote | undefined, signal: AbortSignal): Promise<void> {
    return this.change(signal, (tables) => writeScrubNote(tables, note));
  }

  override scrubNote(signal: AbortSignal): Promise<ScrubNote | undefined> {
    return this.look(signal, readScrubNote);
  }

  override snapshot(signal: AbortSignal): AsyncGenerator<SnapshotEntry, void, undefined> {
    return snapshotOf(this.index.database, this.turns, signal);
  }

  /** Writes a row of its own: LMDB does not sync a transaction that changed nothing. */
  override probe(signal: AbortSignal): Promise<void> {
    return this.change(signal, ({ meta }) => {
      meta.putSync(PROBE, Buffer.from(String(++this.probes)));
    });
  }

  override close(): Promise<void> {
    this.closing ??= this.shut();
    return this.closing;
  }

  /** What is under way is finished first: it may already be durable, and its caller must hear of it. */
  private async shut(): Promise<void> {
    try {
      await this.group.settled();
      await this.index.database.close();
    } finally {
      this.index.lock.release();
    }
  }

  private access(signal: AbortSignal): IndexAccess {
    const { turns } = this;
    return { look: (read) => this.look(signal, read), change: (apply) => this.change(signal, apply), turns };
  }

  private walk<Row>(signal: AbortSignal, table: TableWalk<Row>): AsyncGenerator<Row, void, undefined> {
    return walkTable((read) => this.look(signal, read), table, this.turns);
  }

  private look<Result>(signal: AbortSignal, read: (tables: IndexTables) => Result): Promise<Result> {
    return new Promise((resolve) => {
      this.requireUsable(signal);
      try {
        resolve(read(this.index.database.current.tables));
      } catch (error) {
        throw toIndexError(error);
      }
    });
  }

  private async change<Result>(signal: AbortSignal, apply: (tables: IndexTables) => Result): Promise<Result> {
    this.requireUsable(signal);
    return this.group.run(apply);
  }

  private requireUsable(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.closing !== undefined) throw closedError();
  }
}
