import assert from 'node:assert/strict';
import type { FileId, OwnerId, VersionId } from '../../common/ids.js';
import { within } from '../../common/within.js';
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
import type { TenureOptions } from './begin-tenure.js';
import { DatabaseSession } from './database-session.js';
import { amending, creating, relocating, removing, replacing } from './file-changes.js';
import { FIRST_ID, listRequest, toPage } from './file-listing.js';
import { toBytes, toManifest, toStored, type FileRow, type StoredRow } from './file-rows.js';
import { GivenRevisions } from './given-revisions.js';
import { IndexCalls, type ChangeRow } from './index-calls.js';
import { importAll, newestOf } from './index-import.js';
import { snapshotOf } from './index-snapshot.js';
import { postgresTransfer } from './index-transfer.js';
import {
  damageValues,
  toDamage,
  toGarbage,
  toTombstone,
  type DamageRow,
  type GarbageRow,
  type TombstoneRow,
} from './note-rows.js';
import * as sql from './note-statements.js';
import { walkRows, type RowWalk } from './row-walk.js';
import { sweepStaged } from './staged-sweep.js';
import type { Statement, Values } from './statement.js';

const FILES: RowWalk<StoredRow> = { statement: sql.WALK_FILES, placeOf: ({ id: after }) => ({ after }) };
const TOMBSTONES: RowWalk<TombstoneRow> = { statement: sql.WALK_TOMBSTONES, placeOf: ({ file_id: after }) => ({ after }) };
const GARBAGE: RowWalk<GarbageRow> = { statement: sql.WALK_GARBAGE, placeOf: ({ version_id: after }) => ({ after }) };
const DAMAGE: RowWalk<DamageRow> = {
  statement: sql.WALK_DAMAGE,
  placeOf: ({ version_id: versionId, ...place }) => ({ versionId, ...place }),
  first: { versionId: FIRST_ID, stripe: 0, index: 0, node: 0 },
};

interface StateRow {
  readonly ceiling: number;
  readonly settled: number;
  readonly scrub: ScrubNote | null;
}

/**
 * The index in a database of PostgreSQL, which may be on another machine and outlive this one (docs/adr/0019). One gateway at a time has it.
 * A change of a file is one statement, which is a transaction of its own.
 */
export class PostgresMetadataStore extends MetadataStore {
  readonly transfer: IndexTransfer;
  private readonly calls: IndexCalls;
  private closing: Promise<void> | undefined;

  private constructor(
    session: DatabaseSession,
    private readonly revisions: GivenRevisions,
  ) {
    super();
    this.calls = new IndexCalls(session);
    revisions.use(this.calls);
    this.transfer = postgresTransfer(this.calls, () => revisions.rest());
  }

  /**
   * @throws DomainError `storage-missing` if there is no index and none may be made, `storage-mismatch` if it is another cluster's,
   * `storage-locked` if another process has it, `storage-unusable` if it is newer than this program, or cannot be reached.
   */
  static async open(options: TenureOptions): Promise<PostgresMetadataStore> {
    const revisions = new GivenRevisions();
    return new PostgresMetadataStore(await DatabaseSession.open(options, (tenure) => revisions.begin(tenure)), revisions);
  }

  /** Given at the moment at which it was certain that no other gateway had begun to give any. */
  override async nextRevision(signal: AbortSignal): Promise<number> {
    return this.revisions.next(() => this.calls.requireOpen(signal), signal);
  }

  override async revisionCeiling(signal: AbortSignal): Promise<number> {
    this.calls.requireOpen(signal);
    return Promise.resolve(this.revisions.reserved);
  }

  override async raiseRevision(revision: number, signal: AbortSignal): Promise<void> {
    await this.note(sql.RAISE_CEILING, { revision }, signal);
    this.revisions.seen(revision);
  }

  override noteSettled(revision: number, signal: AbortSignal): Promise<void> {
    return this.note(sql.RAISE_SETTLED, { revision }, signal);
  }

  override async settledThrough(signal: AbortSignal): Promise<number> {
    return (await this.state(signal)).settled;
  }

  override stageLayout(versionId: VersionId, { page, bytes }: LayoutPage, signal: AbortSignal): Promise<void> {
    return this.note(sql.STAGE_LAYOUT, { versionId, page, bytes }, signal);
  }

  override async readLayout(versionId: VersionId, page: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const [row] = await this.calls.look<{ bytes: Uint8Array }>(signal, sql.READ_LAYOUT, { versionId, page });
    return row && toBytes(row.bytes);
  }

  override async commit(commit: Commit, signal: AbortSignal): Promise<Committed> {
    return this.calls.once(signal, commit.kind === 'create' ? creating(commit) : replacing(commit));
  }

  override find(id: FileId, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.findOne(signal, sql.FIND, { id });
  }

  override async amend(
    id: FileId,
    amendment: Amendment,
    expected: VersionId | undefined,
    signal: AbortSignal,
  ): Promise<FileRecord> {
    return this.calls.once(signal, amending(id, amendment, expected));
  }

  override async relocate(relocation: Relocation, signal: AbortSignal): Promise<StoredFile> {
    return this.calls.once(signal, relocating(relocation));
  }

  override async layoutRevision(versionId: VersionId, page: number, signal: AbortSignal): Promise<number> {
    const [row] = await this.calls.look<{ revision: number }>(signal, sql.READ_LAYOUT, { versionId, page });
    return row?.revision ?? 1;
  }

  override async remove(
    { tombstone, basis }: { readonly tombstone: Tombstone; readonly basis: number },
    expected: VersionId | undefined,
    signal: AbortSignal,
  ): Promise<StoredFile> {
    return this.calls.once(signal, removing(tombstone, { basis, expected }));
  }

  override async addTombstone(tombstone: Tombstone, signal: AbortSignal): Promise<boolean> {
    return (await this.calls.change<ChangeRow & { added: boolean }>(signal, sql.ADD_TOMBSTONE, { ...tombstone })).added;
  }

  override async findTombstone(fileId: FileId, signal: AbortSignal): Promise<Tombstone | undefined> {
    const [row] = await this.calls.look<TombstoneRow>(signal, sql.FIND_TOMBSTONE, { fileId });
    return row && toTombstone(row);
  }

  override async *tombstones(signal: AbortSignal): AsyncGenerator<Tombstone, void, undefined> {
    for await (const row of walkRows<TombstoneRow>(this.calls, signal, TOMBSTONES)) yield toTombstone(row);
  }

  override dropTombstone({ fileId, revision }: Tombstone, signal: AbortSignal): Promise<void> {
    return this.note(sql.DROP_TOMBSTONE, { fileId, revision }, signal);
  }

  override noteSwept(node: number, revision: number, signal: AbortSignal): Promise<void> {
    return this.note(sql.NOTE_SWEPT, { node, revision }, signal);
  }

  override async sweptThrough(node: number, signal: AbortSignal): Promise<number> {
    const [row] = await this.calls.look<{ swept: number }>(signal, sql.READ_NODE, { node });
    return row?.swept ?? 0;
  }

  override async list(query: ListQuery, signal: AbortSignal): Promise<FilePage> {
    const request = listRequest(query);
    this.calls.requireOpen(signal);
    if (request === undefined) return { files: [] };
    return toPage(query, await this.calls.look<FileRow>(signal, request.statement, request.values));
  }

  override findByName(owner: OwnerId, name: string, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.findOne(signal, sql.FIND_BY_NAME, { owner, name });
  }

  override async usageOf(owner: OwnerId, signal: AbortSignal): Promise<OwnerUsage> {
    const [row] = await this.calls.look<OwnerUsage>(signal, sql.OWNER_USAGE, { owner });
    return { files: row?.files ?? 0, bytes: row?.bytes ?? 0 };
  }

  override async isCommitted(versionId: VersionId, signal: AbortSignal): Promise<boolean> {
    return (await this.calls.look(signal, sql.IS_COMMITTED, { versionId })).length > 0;
  }

  override findByVersion(versionId: VersionId, signal: AbortSignal): Promise<StoredFile | undefined> {
    return this.findOne(signal, sql.FIND_BY_VERSION, { versionId });
  }

  override async *files(signal: AbortSignal): AsyncGenerator<StoredFile, void, undefined> {
    for await (const row of walkRows<StoredRow>(this.calls, signal, FILES)) yield toStored(row);
  }

  override async importRecords(records: readonly ImportedRecord[], signal: AbortSignal): Promise<void> {
    await this.calls.changing(signal, (tenure, slot) => importAll(tenure, slot, records));
    this.revisions.seen(newestOf(records));
  }

  override async abandon(
    { versionId, nodes }: Omit<GarbageVersion, 'pages'>,
    lastPage: LayoutPage,
    signal: AbortSignal,
  ): Promise<void> {
    const values = { versionId, nodes: [...new Set(nodes)], lastPage: lastPage.page, lastBytes: lastPage.bytes };
    const { committed } = await this.calls.change<ChangeRow & { committed: boolean }>(signal, sql.ABANDON, values);
    assert(!committed, 'a committed version is not abandoned');
  }

  override async *garbage(signal: AbortSignal): AsyncGenerator<GarbageVersion, void, undefined> {
    for await (const row of walkRows<GarbageRow>(this.calls, signal, GARBAGE)) yield toGarbage(row);
  }

  override clearGarbage(versionId: VersionId, node: number, signal: AbortSignal): Promise<void> {
    return this.note(sql.CLEAR_GARBAGE, { versionId, node }, signal);
  }

  override sweepStaged(isLive: (versionId: VersionId) => boolean, signal: AbortSignal): Promise<number> {
    return sweepStaged(this.calls, isLive, signal);
  }

  override async wrappedBy(kekId: string, limit: number, signal: AbortSignal): Promise<readonly Manifest[]> {
    return (await this.calls.look<StoredRow>(signal, sql.WRAPPED_BY, { kekId, limit })).map(toManifest);
  }

  override usage(signal: AbortSignal): Promise<readonly NodeUsage[]> {
    return this.calls.look<NodeUsage>(signal, sql.NODE_USAGE, {}).then((rows) => rows.map((row) => ({ ...row })));
  }

  override async noteDamage(damage: readonly Damage[], max: number, signal: AbortSignal): Promise<void> {
    await this.note(sql.NOTE_DAMAGE, { ...damageValues(damage), max }, signal);
  }

  override async *damage(signal: AbortSignal): AsyncGenerator<Damage, void, undefined> {
    for await (const row of walkRows<DamageRow>(this.calls, signal, DAMAGE)) yield toDamage(row);
  }

  override async damageOf(versionId: VersionId, signal: AbortSignal): Promise<readonly Damage[]> {
    return (await this.calls.look<DamageRow>(signal, sql.DAMAGE_OF, { versionId })).map(toDamage);
  }

  override async clearDamage(damage: readonly Damage[], signal: AbortSignal): Promise<void> {
    await this.note(sql.CLEAR_DAMAGE, damageValues(damage), signal);
  }

  override noteProven(node: number, at: number | undefined, signal: AbortSignal): Promise<void> {
    return this.note(sql.NOTE_PROVEN, { node, at }, signal);
  }

  override async provenAt(node: number, signal: AbortSignal): Promise<number | undefined> {
    const [row] = await this.calls.look<{ proven: number | null }>(signal, sql.READ_NODE, { node });
    return row?.proven ?? undefined;
  }

  override noteScrub(note: ScrubNote | undefined, signal: AbortSignal): Promise<void> {
    return this.note(sql.NOTE_SCRUB, { scrub: note && JSON.stringify(note) }, signal);
  }

  override async scrubNote(signal: AbortSignal): Promise<ScrubNote | undefined> {
    return (await this.state(signal)).scrub ?? undefined;
  }

  override snapshot(signal: AbortSignal): AsyncGenerator<SnapshotEntry, void, undefined> {
    return snapshotOf(this.calls, { tombstones: TOMBSTONES, damage: DAMAGE }, signal);
  }

  override probe(signal: AbortSignal): Promise<void> {
    return within(signal, this.note(sql.PROBE, {}, signal));
  }

  override close(): Promise<void> {
    this.closing ??= this.calls.close();
    return this.closing;
  }

  private async note(statement: Statement, values: Values, signal: AbortSignal): Promise<void> {
    await this.calls.change(signal, statement, values);
  }

  private async state(signal: AbortSignal): Promise<StateRow> {
    const [row] = await this.calls.look<StateRow>(signal, sql.READ_STATE, {});
    assert(row !== undefined, 'an index has its state');
    return row;
  }

  private async findOne(signal: AbortSignal, statement: Statement, values: Values): Promise<StoredFile | undefined> {
    const [row] = await this.calls.look<StoredRow>(signal, statement, values);
    return row && toStored(row);
  }
}
