import type { Transaction } from 'lmdb';
import { DomainError } from '../../common/errors.js';
import { idToBytes } from '../../common/ids.js';
import { closedError, toIndexError } from '../index-error.js';
import type { FileRecord, SnapshotEntry } from '../metadata-store.js';
import { decodeDamage, decodeScrubNote, SCRUB } from './index-damage.js';
import type { IndexDatabase, OpenDatabase } from './index-database.js';
import { fileOfKey, type Key, layoutKey, nodeOfKey } from './index-keys.js';
import { OF_UPLOAD } from './index-page-revisions.js';
import { decodeFile, decodeOwned, decodeRevision, decodeTombstone, decodeVersion } from './index-rows.js';
import { rangeOptions, type Table } from './index-tables.js';
import type { ReadTurns } from './read-turns.js';

/** Rows that are read before others have the event loop. */
const CHUNK = 64;

/** All of the index at the moment at which the first entry is asked for: in one read transaction, which writers do not wait for. */
export async function* snapshotOf(
  database: IndexDatabase,
  turns: ReadTurns,
  signal: AbortSignal,
): AsyncGenerator<SnapshotEntry, void, undefined> {
  signal.throwIfAborted();
  const opened = database.current;
  const transaction = opened.environment.useReadTransaction();
  try {
    yield* new IndexSnapshot({ database, opened, transaction, turns }, signal).entries();
  } catch (error) {
    signal.throwIfAborted();
    throw toIndexError(error);
  } finally {
    // With its environment it is gone too, and must not be touched.
    if (database.isStill(opened)) transaction.done();
  }
}

interface Reading {
  readonly database: IndexDatabase;
  readonly opened: OpenDatabase;
  readonly transaction: Transaction;
  readonly turns: ReadTurns;
}

class IndexSnapshot {
  constructor(
    private readonly reading: Reading,
    private readonly signal: AbortSignal,
  ) {}

  async *entries(): AsyncGenerator<SnapshotEntry, void, undefined> {
    const { files, owned, tombstones, damage, proven, meta } = this.reading.opened.tables;
    for await (const { key, value } of this.walk(files)) yield* this.fileEntries(decodeFile(fileOfKey(key), value));
    for await (const { key, value } of this.walk(owned)) yield* this.fileEntries(decodeOwned(fileOfKey(key), value));
    for await (const { key, value } of this.walk(tombstones))
      yield { kind: 'tombstone', tombstone: decodeTombstone(fileOfKey(key), value) };
    for await (const { key } of this.walk(damage)) yield { kind: 'damage', damage: decodeDamage(key) };
    for await (const { key, value } of this.walk(proven))
      yield { kind: 'proven', node: nodeOfKey(key), at: decodeRevision(value) };
    const scrub = this.get(meta, SCRUB);
    if (scrub !== undefined) yield { kind: 'scrub', note: decodeScrubNote(scrub) };
  }

  private *fileEntries(file: FileRecord): Generator<SnapshotEntry, void, undefined> {
    const { versions, layouts, pages } = this.reading.opened.tables;
    const { versionId } = file;
    const version = decodeVersion(versionId, this.require(versions, idToBytes(versionId)));
    const last = version.pages - 1;
    for (let page = 0; page < last; page += 1) {
      const key = layoutKey(versionId, page);
      const bytes = this.get(layouts, key);
      if (bytes === undefined) continue; // a rebuild may not have found it
      const row = this.get(pages, key);
      const revision = row === undefined ? OF_UPLOAD : decodeRevision(row);
      yield { kind: 'layout', versionId, page: { page, bytes }, revision };
    }
    const lastPage = { page: last, bytes: this.require(layouts, layoutKey(versionId, last)) };
    yield { kind: 'file', file, manifest: version.manifest, lastPage };
  }

  private async *walk(table: Table): AsyncGenerator<{ readonly key: Key; readonly value: Uint8Array }, void, undefined> {
    for (let after: Key | undefined; ;) {
      this.requireThere();
      const options = rangeOptions({}, { limit: CHUNK, after });
      const rows = [...table.getRange({ ...options, transaction: this.reading.transaction })];
      for (const row of rows) yield row;
      after = rows.at(-1)?.key;
      if (after === undefined) return;
      await this.reading.turns.afterPages();
    }
  }

  private require(table: Table, key: Key): Uint8Array {
    const row = this.get(table, key);
    if (row === undefined) throw new DomainError('index-unavailable', 'the index lacks a row that it should have: it is damaged');
    return row;
  }

  private get(table: Table, key: Key): Uint8Array | undefined {
    this.requireThere();
    return table.get(key, { transaction: this.reading.transaction });
  }

  /** A transaction must not be read in after its environment was closed, which is what follows a failed commit. */
  private requireThere(): void {
    this.signal.throwIfAborted();
    const { database, opened } = this.reading;
    if (!database.isStill(opened)) throw closedError();
  }
}
