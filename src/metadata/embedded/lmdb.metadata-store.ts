import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FileId, VersionId } from '../../common/ids.js';
import { MetadataStore } from '../metadata-store.js';
import type {
  Commit,
  Committed,
  FileChanges,
  FilePage,
  FileRecord,
  GarbageVersion,
  LayoutPage,
  ListQuery,
  Manifest,
  NodeUsage,
  StoredFile,
} from '../metadata-store.js';
import { GroupCommit } from './group-commit.js';
import * as changes from './index-changes.js';
import { closedError, toIndexError } from './index-error.js';
import type { Key } from './index-keys.js';
import { idKey, kekRange, layoutKey, layoutRange, nodeOfKey, versionOfKey, versionOfLayoutKey } from './index-keys.js';
import { listFiles } from './index-listing.js';
import { decodeGarbage, decodeUsage } from './index-rows.js';
import type { IndexTables } from './index-tables.js';
import { rangeOptions } from './index-tables.js';
import { openIndex } from './lmdb-index.js';
import type { OpenIndex, OpenOptions } from './lmdb-index.js';

/** Rows that a long walk reads before it lets others have the event loop. No snapshot is held in between. */
const WALK_CHUNK = 256;
const PROBE = Buffer.from('probe');

/**
 * The index in a directory of this process, on LMDB. Reads are synchronous underneath: they touch mapped memory, which is faster than
 * a thread would be told of them. Changes are synced on lmdb's own thread, many by one fsync.
 */
export class LmdbMetadataStore extends MetadataStore {
  private readonly group: GroupCommit;
  private closing: Promise<void> | undefined;
  private probes = 0;

  private constructor(private readonly index: OpenIndex) {
    super();
    this.group = new GroupCommit(index.database);
  }

  /**
   * @throws DomainError `storage-missing` if there is no index and none may be made, `storage-mismatch` if it is another cluster's,
   * `storage-locked` if another process has it, `storage-unusable` if it is damaged, newer than this program, or cannot be reached.
   */
  static async open(options: OpenOptions): Promise<LmdbMetadataStore> {
    return new LmdbMetadataStore(await openIndex(options));
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
    return this.look(signal, (tables) => {
      const found = changes.readFile(tables, id);
      return found && { file: found.file, manifest: found.version.manifest };
    });
  }

  override update(id: FileId, wanted: FileChanges, expected: VersionId | undefined, signal: AbortSignal): Promise<FileRecord> {
    return this.change(signal, (tables) => changes.updateFile(tables, id, wanted, expected));
  }

  override remove(id: FileId, expected: VersionId | undefined, signal: AbortSignal): Promise<StoredFile> {
    return this.change(signal, (tables) => changes.removeFile(tables, id, expected));
  }

  /** The orders by creation are those of the file ids, which are UUIDv7. */
  override list(query: ListQuery, signal: AbortSignal): Promise<FilePage> {
    return this.look(signal, (tables) => listFiles(tables, query));
  }

  override isCommitted(versionId: VersionId, signal: AbortSignal): Promise<boolean> {
    return this.look(signal, ({ versions }) => versions.doesExist(idKey(versionId)));
  }

  override abandon(garbage: Omit<GarbageVersion, 'pages'>, lastPage: LayoutPage, signal: AbortSignal): Promise<void> {
    return this.change(signal, (tables) => changes.abandonVersion(tables, garbage, lastPage));
  }

  override async *garbage(signal: AbortSignal): AsyncGenerator<GarbageVersion, void, undefined> {
    for (let after: Key | undefined; ;) {
      const from = after;
      const rows = await this.look(signal, (tables) => {
        const options = rangeOptions({}, { limit: WALK_CHUNK, ...(from === undefined ? {} : { after: from }) });
        return [...tables.garbage.getRange(options)].map(({ key, value }) => ({
          key,
          row: decodeGarbage(versionOfKey(key), value),
        }));
      });
      for (const { row } of rows) yield row;
      after = rows.at(-1)?.key;
      if (after === undefined) return;
      await nextTurn();
    }
  }

  override clearGarbage(versionId: VersionId, node: number, signal: AbortSignal): Promise<void> {
    return this.change(signal, (tables) => changes.clearGarbageOf(tables, versionId, node));
  }

  override async sweepStaged(isLive: (versionId: VersionId) => boolean, signal: AbortSignal): Promise<number> {
    let removed = 0;
    for (let from: Key | undefined; ;) {
      const start = from;
      const { next, suspects } = await this.look(signal, (tables) => suspectsFrom(tables, start));
      const counts = suspects
        .filter((versionId) => !isLive(versionId))
        .map((versionId) => this.change(signal, (tables) => changes.sweepVersion(tables, versionId, isLive)));
      for (const count of await Promise.all(counts)) removed += count;
      if (next === undefined) return removed;
      from = next;
      await nextTurn();
    }
  }

  override wrappedBy(kekId: string, limit: number, signal: AbortSignal): Promise<readonly Manifest[]> {
    return this.look(signal, (tables) =>
      [...tables.keks.getKeys(rangeOptions(kekRange(kekId), { limit }))].map((key) => {
        const version = changes.readVersion(tables, versionOfKey(key));
        if (version === undefined) throw new Error('the index has a key id without a version');
        return version.manifest;
      }),
    );
  }

  override rewrap(
    versionId: VersionId,
    change: { readonly from: string; readonly kekId: string; readonly wrappedKey: Uint8Array },
    signal: AbortSignal,
  ): Promise<boolean> {
    return this.change(signal, (tables) => changes.rewrapVersion(tables, versionId, change));
  }

  override usage(signal: AbortSignal): Promise<readonly NodeUsage[]> {
    return this.look(signal, (tables) =>
      [...tables.usage.getRange()].map(({ key, value }) => decodeUsage(nodeOfKey(key), value)),
    );
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

/** The versions with layout pages from a key on that nothing refers to, and where to go on, if there is more. Seeks once a version. */
function suspectsFrom(
  tables: IndexTables,
  start: Key | undefined,
): { readonly next?: Key; readonly suspects: readonly VersionId[] } {
  const suspects: VersionId[] = [];
  let lower = start;
  for (let seen = 0; seen < WALK_CHUNK; seen++) {
    const [key] = tables.layouts.getKeys(rangeOptions(lower === undefined ? {} : { lower }, { limit: 1 }));
    if (key === undefined) return { suspects };
    const versionId = versionOfLayoutKey(key);
    if (!changes.isReferredTo(tables, versionId)) suspects.push(versionId);
    lower = layoutRange(versionId).upper;
    if (lower === undefined) return { suspects };
  }
  return { suspects, ...(lower === undefined ? {} : { next: lower }) };
}
