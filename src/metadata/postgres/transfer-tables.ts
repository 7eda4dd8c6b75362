import type { FileId, OwnerId, VersionId } from '../../common/ids.js';
import type { RowTypes } from '../moving/index-transfer.js';
import { FILE_COLUMNS, toBytes, toStored, VERSION_COLUMNS, type StoredRow } from './file-rows.js';
import { FIRST_ID } from './file-listing.js';
import { toDamage, toGarbage, toTombstone, type DamageRow, type GarbageRow, type TombstoneRow } from './note-rows.js';
import { statement, type Statement, type Values } from './statement.js';

/** How the rows of a kind lie in a table of the database. */
export interface TransferTable<Row, DatabaseRow> {
  readonly table: string;
  /** The columns of the key; a row has these even if nothing else of it is known. */
  readonly keys: readonly string[];
  readonly read: Statement;
  readonly first: Values;
  readonly placeOf: (row: Row) => Values;
  readonly toRow: (row: DatabaseRow) => Row;
  /** All columns of the row, as JSON has them. */
  readonly toJson: (row: Row) => Readonly<Record<string, unknown>>;
}

const ROWS = 256;
/** Behind so many bytes of layout pages no further one is read: a page may have some MiB. */
const PAGE_BYTES = 1024 * 1024;
const BEFORE_ALL = -1;
const AFTER_ID = { after: FIRST_ID };

/** In JSON bytes are hexadecimal text, as the database itself writes them. */
function hex(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes).toString('hex')}`;
}

export const FILES: TransferTable<RowTypes['files'], StoredRow> = {
  table: 'files',
  keys: ['id'],
  read: statement(
    'move_files',
    `SELECT ${FILE_COLUMNS}, ${VERSION_COLUMNS} FROM files WHERE id > :after::uuid ORDER BY id LIMIT ${ROWS}`,
  ),
  first: AFTER_ID,
  placeOf: ({ file }) => ({ after: file.id }),
  toRow: (row) => ({ ...toStored(row), pages: row.pages }),
  toJson: ({ file, manifest, pages }) => ({
    id: file.id,
    owner: file.owner,
    name: file.name,
    content_type: file.contentType,
    size: file.size,
    created_at: file.createdAt,
    updated_at: file.updatedAt,
    revision: file.revision,
    version_id: file.versionId,
    pages,
    sealed_size: manifest.sealedSize,
    slice_bytes: manifest.sliceBytes,
    k: manifest.k,
    m: manifest.m,
    kek_id: manifest.seal.kekId,
    wrapped_key: hex(manifest.seal.wrappedKey),
    header: hex(manifest.seal.header),
    sealed_digest: hex(manifest.seal.sealedDigest),
    version_created_at: manifest.createdAt,
    usage_nodes: manifest.usage.map(({ node }) => node),
    usage_shards: manifest.usage.map(({ shards }) => shards),
    usage_bytes: manifest.usage.map(({ bytes }) => bytes),
    record_nodes: manifest.recordNodes,
  }),
};

interface LayoutRow {
  readonly version_id: VersionId;
  readonly page: number;
  readonly bytes: Uint8Array;
  readonly revision: number;
}

export const LAYOUTS: TransferTable<RowTypes['layouts'], LayoutRow> = {
  table: 'layouts',
  keys: ['version_id', 'page'],
  read: statement(
    'move_layouts',
    `SELECT version_id, page, bytes, revision FROM (
       SELECT *, sum(octet_length(bytes)) OVER (ORDER BY version_id, page) - octet_length(bytes) AS before FROM (
         SELECT * FROM layouts WHERE (version_id, page) > (:after::uuid, :page::int) ORDER BY version_id, page LIMIT ${ROWS}
       ) AS behind
     ) AS sized WHERE before < ${PAGE_BYTES} ORDER BY version_id, page`,
  ),
  first: { ...AFTER_ID, page: BEFORE_ALL },
  placeOf: ({ versionId: after, page }) => ({ after, page }),
  toRow: ({ version_id: versionId, page, bytes, revision }) => ({ versionId, page, bytes: toBytes(bytes), revision }),
  toJson: ({ versionId, page, bytes, revision }) => ({ version_id: versionId, page, bytes: hex(bytes), revision }),
};

export const GARBAGE: TransferTable<RowTypes['garbage'], GarbageRow> = {
  table: 'garbage',
  keys: ['version_id'],
  read: statement(
    'move_garbage',
    `SELECT version_id, nodes, pages FROM garbage WHERE version_id > :after::uuid ORDER BY version_id LIMIT ${ROWS}`,
  ),
  first: AFTER_ID,
  placeOf: ({ versionId: after }) => ({ after }),
  toRow: toGarbage,
  toJson: ({ versionId, nodes, pages }) => ({ version_id: versionId, nodes, pages }),
};

export const TOMBSTONES: TransferTable<RowTypes['tombstones'], TombstoneRow> = {
  table: 'tombstones',
  keys: ['file_id'],
  read: statement(
    'move_tombstones',
    `SELECT file_id, revision, kek_id, nodes FROM tombstones WHERE file_id > :after::uuid ORDER BY file_id LIMIT ${ROWS}`,
  ),
  first: AFTER_ID,
  placeOf: ({ fileId: after }: { readonly fileId: FileId }) => ({ after }),
  toRow: toTombstone,
  toJson: ({ fileId, revision, kekId, nodes }) => ({ file_id: fileId, revision, kek_id: kekId, nodes }),
};

export const DAMAGE: TransferTable<RowTypes['damage'], DamageRow> = {
  table: 'damage',
  keys: ['version_id', 'stripe', 'index', 'node'],
  read: statement(
    'move_damage',
    `SELECT version_id, stripe, index, node FROM damage
     WHERE (version_id, stripe, index, node) > (:after::uuid, :stripe::bigint, :index::int, :node::int)
     ORDER BY version_id, stripe, index, node LIMIT ${ROWS}`,
  ),
  first: { ...AFTER_ID, stripe: BEFORE_ALL, index: BEFORE_ALL, node: BEFORE_ALL },
  placeOf: ({ node, shard: { versionId: after, stripe, index } }) => ({ after, stripe, index, node }),
  toRow: toDamage,
  toJson: ({ node, shard: { versionId, stripe, index } }) => ({ version_id: versionId, stripe, index, node }),
};

interface NodeRow {
  readonly node: number;
  readonly swept: number;
  readonly proven: number | null;
}

export const NODES: TransferTable<RowTypes['nodes'], NodeRow> = {
  table: 'nodes',
  keys: ['node'],
  read: statement(
    'move_nodes',
    `SELECT node, swept, proven FROM nodes WHERE node > :after::int AND (swept <> 0 OR proven IS NOT NULL) ORDER BY node LIMIT ${ROWS}`,
  ),
  first: { after: BEFORE_ALL },
  placeOf: ({ node: after }) => ({ after }),
  toRow: ({ node, swept, proven }) => ({ node, swept, proven: proven ?? undefined }),
  toJson: ({ node, swept, proven }) => ({ node, swept, proven: proven ?? null }),
};

interface OwnerRow {
  readonly owner: OwnerId;
  readonly files: number;
  readonly bytes: number;
}

/** Counters are written as those of one slot; what counts is their sum. */
const SLOT = 0;

export const OWNERS: TransferTable<RowTypes['owners'], OwnerRow> = {
  table: 'owner_usage',
  keys: ['owner'],
  read: statement(
    'move_owners',
    `SELECT owner, sum(files)::bigint AS files, sum(bytes)::bigint AS bytes FROM owner_usage WHERE owner > :after::text
     GROUP BY owner HAVING sum(files) <> 0 OR sum(bytes) <> 0 ORDER BY owner LIMIT ${ROWS}`,
  ),
  first: { after: '' },
  placeOf: ({ owner: after }) => ({ after }),
  toRow: ({ owner, files, bytes }) => ({ owner, files, bytes }),
  toJson: ({ owner, files, bytes }) => ({ owner, slot: SLOT, files, bytes }),
};

interface UsageRow {
  readonly node: number;
  readonly shards: number;
  readonly bytes: number;
}

export const USAGE: TransferTable<RowTypes['usage'], UsageRow> = {
  table: 'node_usage',
  keys: ['node'],
  read: statement(
    'move_usage',
    `SELECT node, sum(shards)::bigint AS shards, sum(bytes)::bigint AS bytes FROM node_usage WHERE node > :after::int
     GROUP BY node HAVING sum(shards) <> 0 OR sum(bytes) <> 0 ORDER BY node LIMIT ${ROWS}`,
  ),
  first: { after: BEFORE_ALL },
  placeOf: ({ node: after }) => ({ after }),
  toRow: ({ node, shards, bytes }) => ({ node, shards, bytes }),
  toJson: ({ node, shards, bytes }) => ({ node, slot: SLOT, shards, bytes }),
};
