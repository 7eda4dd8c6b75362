import { statement } from './statement.js';

/**
 * The changes of files, each one statement: so one way to the database and back, and one transaction. Parts of a statement (WITH) see the
 * index as it was when the statement began, but for rows that it locks: those it sees as they are. So all that changes of a file is in its
 * one row, which is locked first, and what is read of it is read from there.
 */

/** The row, locked. */
const CURRENT = `current AS (SELECT * FROM files WHERE id = :id::uuid FOR UPDATE)`;

/** The pages before the last one, locked against the sweep of what was staged. */
const STAGED = `staged AS (SELECT page FROM layouts WHERE version_id = :versionId::uuid AND page < :lastPage::int FOR SHARE)`;

/** A file must never come to be whose shards cannot all be found, or whose shards are being deleted. */
const IS_COMMITTABLE = `(SELECT count(*) FROM staged) = :lastPage::int
  AND NOT EXISTS (SELECT FROM garbage WHERE garbage.version_id = :versionId::uuid)`;

/**
 * Goes on only if the row is what the change was made from, and the slot still this gateway's. It locks the slot's row until the change is
 * durable, and notes in it which change that was.
 */
function guard(condition = 'true'): string {
  return `held AS (
    UPDATE slots SET change = :revision::bigint, before = to_jsonb(current) FROM current
    WHERE slots.slot = :slot::int AND slots.token = :token::bigint
      AND current.revision = :basis::bigint AND (:expected::uuid IS NULL OR current.version_id = :expected::uuid) AND ${condition}
    RETURNING slots.slot),
  was AS (SELECT current.*, held.slot FROM current, held)`;
}

const VERSION_VALUES = `:sealedSize::bigint, :sliceBytes::bigint, :k::int, :m::int, :kekId::text, :wrappedKey::bytea, :header::bytea,
  :sealedDigest::bytea, :versionCreatedAt::bigint, :usageNodes::int[], :usageShards::bigint[], :usageBytes::bigint[], :recordNodes::int[]`;
const VERSION_KEYS = `sealed_size, slice_bytes, k, m, kek_id, wrapped_key, header, sealed_digest, version_created_at,
  usage_nodes, usage_shards, usage_bytes, record_nodes`;

/** @param source rows of which each stands for a change that is made */
function putLastPage(source: string): string {
  return `last_page AS (
    INSERT INTO layouts (version_id, page, bytes) SELECT :versionId::uuid, :lastPage::int, :lastBytes::bytea FROM ${source}
    ON CONFLICT (version_id, page) DO UPDATE SET bytes = excluded.bytes)`;
}

/** Counters are kept for each slot, so that changes which are under way at once do not wait for each other; their sum is what counts. */
function countOwner(select: string): string {
  return `owned AS (
    INSERT INTO owner_usage (owner, slot, files, bytes) ${select}
    ON CONFLICT (owner, slot) DO UPDATE SET files = owner_usage.files + excluded.files, bytes = owner_usage.bytes + excluded.bytes)`;
}

const MINUS_WAS = `SELECT was.slot, node, -shards AS shards, -bytes AS bytes
  FROM was, unnest(was.usage_nodes, was.usage_shards, was.usage_bytes) AS u (node, shards, bytes)`;

function plusNew(source: string): string {
  return `SELECT ${source}.slot, node, shards, bytes
    FROM ${source}, unnest(:usageNodes::int[], :usageShards::bigint[], :usageBytes::bigint[]) AS u (node, shards, bytes)`;
}

function countNodes(...parts: readonly string[]): string {
  return `stored AS (
    INSERT INTO node_usage (node, slot, shards, bytes)
    SELECT node, slot, sum(shards), sum(bytes) FROM (${parts.join(' UNION ALL ')}) AS parts GROUP BY node, slot
    ON CONFLICT (node, slot) DO UPDATE SET shards = node_usage.shards + excluded.shards, bytes = node_usage.bytes + excluded.bytes)`;
}

/** The version that the row had becomes garbage, or goes with its layout if no node has anything of it. */
const RETIRE = `retired AS (
    INSERT INTO garbage (version_id, nodes, pages)
    SELECT version_id, ARRAY(
      SELECT node FROM unnest(usage_nodes || record_nodes) WITH ORDINALITY AS n (node, at) GROUP BY node ORDER BY min(at)
    ), pages FROM was WHERE cardinality(usage_nodes || record_nodes) > 0),
  dropped AS (
    DELETE FROM layouts USING was
    WHERE layouts.version_id = was.version_id AND cardinality(was.usage_nodes || was.record_nodes) = 0)`;

/** The row as it was, whatever becomes of it. */
const RESULT = `SELECT EXISTS (SELECT FROM held) AS made, current.* FROM (SELECT 1) AS one LEFT JOIN current ON true`;

export const CREATE = statement(
  'create_file',
  `WITH ${STAGED},
  held AS (
    UPDATE slots SET change = :revision::bigint, before = NULL
    WHERE slot = :slot::int AND token = :token::bigint AND ${IS_COMMITTABLE}
    RETURNING slot),
  made AS (
    INSERT INTO files (id, owner, name, content_type, size, created_at, updated_at, revision, version_id, pages, ${VERSION_KEYS})
    SELECT :id::uuid, :owner::text, :name::text, :contentType::text, :size::bigint, :createdAt::bigint, :updatedAt::bigint,
      :revision::bigint, :versionId::uuid, :lastPage::int + 1, ${VERSION_VALUES} FROM held),
  ${putLastPage('held')},
  ${countOwner('SELECT :owner::text, slot, 1, :size::bigint FROM held')},
  ${countNodes(plusNew('held'))}
  SELECT EXISTS (SELECT FROM held) AS made`,
);

export const REPLACE = statement(
  'replace_version',
  `WITH ${CURRENT}, ${STAGED}, ${guard(IS_COMMITTABLE)},
  changed AS (
    UPDATE files SET name = coalesce(:name::text, files.name), content_type = coalesce(:contentType::text, files.content_type),
      size = :size::bigint, updated_at = :updatedAt::bigint, revision = :revision::bigint, version_id = :versionId::uuid,
      pages = :lastPage::int + 1, (${VERSION_KEYS}) = ROW (${VERSION_VALUES})
    FROM was WHERE files.id = was.id),
  ${RETIRE},
  ${putLastPage('was')},
  ${countOwner('SELECT owner, slot, 0, :size::bigint - size FROM was')},
  ${countNodes(MINUS_WAS, plusNew('was'))}
  ${RESULT}`,
);

export const AMEND = statement(
  'amend_file',
  `WITH ${CURRENT}, ${guard()},
  changed AS (
    UPDATE files SET name = coalesce(:name::text, files.name), content_type = coalesce(:contentType::text, files.content_type),
      updated_at = coalesce(:updatedAt::bigint, files.updated_at), revision = :revision::bigint, record_nodes = :recordNodes::int[],
      kek_id = coalesce(:kekId::text, files.kek_id), wrapped_key = coalesce(:wrappedKey::bytea, files.wrapped_key)
    FROM was WHERE files.id = was.id),
  renewed AS (
    UPDATE layouts SET revision = greatest(layouts.revision, :layoutRevision::bigint) FROM was
    WHERE :layoutRevision::bigint IS NOT NULL AND layouts.version_id = was.version_id AND layouts.page < was.pages - 1)
  ${RESULT}`,
);

export const RELOCATE = statement(
  'relocate_version',
  `WITH ${CURRENT}, ${guard('NOT EXISTS (SELECT FROM unnest(:pages::int[]) AS p (page) WHERE p.page >= current.pages)')},
  changed AS (
    UPDATE files SET m = :m::int, revision = :revision::bigint, usage_nodes = :usageNodes::int[], usage_shards = :usageShards::bigint[],
      usage_bytes = :usageBytes::bigint[], record_nodes = :recordNodes::int[]
    FROM was WHERE files.id = was.id),
  moved AS (
    UPDATE layouts SET bytes = p.bytes,
      revision = CASE WHEN p.page < was.pages - 1 THEN greatest(layouts.revision, :revision::bigint) ELSE layouts.revision END
    FROM was, unnest(:pages::int[], :pageBytes::bytea[]) AS p (page, bytes)
    WHERE layouts.version_id = was.version_id AND layouts.page = p.page),
  ${countNodes(MINUS_WAS, plusNew('was'))}
  ${RESULT}`,
);

export const REMOVE = statement(
  'remove_file',
  `WITH ${CURRENT}, ${guard()},
  removed AS (DELETE FROM files USING was WHERE files.id = was.id),
  ${RETIRE},
  buried AS (
    INSERT INTO tombstones (file_id, revision, kek_id, nodes) SELECT id, :revision::bigint, :kekId::text, :nodes::int[] FROM was
    ON CONFLICT (file_id) DO UPDATE SET revision = excluded.revision, kek_id = excluded.kek_id, nodes = excluded.nodes),
  ${countOwner('SELECT owner, slot, -1, -size FROM was')},
  ${countNodes(MINUS_WAS)}
  ${RESULT}`,
);

/** Takes in what a node keeps of a file, if nothing newer is known; a version that it had before leaves nothing but its pages. */
export const IMPORT_FILE = statement(
  'import_file',
  `WITH ${CURRENT},
  grave AS (SELECT revision FROM tombstones WHERE file_id = :id::uuid),
  held AS (
    SELECT slot FROM slots WHERE slot = :slot::int AND token = :token::bigint
      AND NOT EXISTS (SELECT FROM current WHERE revision >= :revision::bigint)
      AND NOT EXISTS (SELECT FROM grave WHERE revision >= :revision::bigint)
    FOR UPDATE),
  was AS (SELECT current.*, held.slot FROM current, held),
  raised AS (DELETE FROM tombstones USING held WHERE file_id = :id::uuid),
  made AS (
    INSERT INTO files (id, owner, name, content_type, size, created_at, updated_at, revision, version_id, pages, ${VERSION_KEYS})
    SELECT :id::uuid, :owner::text, :name::text, :contentType::text, :size::bigint, :createdAt::bigint, :updatedAt::bigint,
      :revision::bigint, :versionId::uuid, :lastPage::int + 1, ${VERSION_VALUES} FROM held
    ON CONFLICT (id) DO UPDATE SET (owner, name, content_type, size, created_at, updated_at, revision, version_id, pages, ${VERSION_KEYS})
      = ROW (excluded.owner, excluded.name, excluded.content_type, excluded.size, excluded.created_at, excluded.updated_at,
        excluded.revision, excluded.version_id, excluded.pages, ${VERSION_KEYS.replaceAll(/(\w+)/g, 'excluded.$1')})),
  ${putLastPage('held')},
  ${countOwner(`SELECT owner, slot, sum(files), sum(bytes) FROM (
      SELECT :owner::text AS owner, slot, 1 AS files, :size::bigint AS bytes FROM held UNION ALL SELECT owner, slot, -1, -size FROM was
    ) AS parts GROUP BY owner, slot`)},
  ${countNodes(MINUS_WAS, plusNew('held'))}
  SELECT EXISTS (SELECT FROM held) AS made`,
);

export const IMPORT_TOMBSTONE = statement(
  'import_tombstone',
  `WITH ${CURRENT},
  held AS (
    SELECT slot FROM slots WHERE slot = :slot::int AND token = :token::bigint
      AND NOT EXISTS (SELECT FROM current WHERE revision >= :revision::bigint)
    FOR UPDATE),
  was AS (SELECT current.*, held.slot FROM current, held),
  removed AS (DELETE FROM files USING was WHERE files.id = was.id),
  buried AS (
    INSERT INTO tombstones (file_id, revision, kek_id, nodes) SELECT :id::uuid, :revision::bigint, :kekId::text, :nodes::int[] FROM held
    ON CONFLICT (file_id) DO UPDATE SET revision = excluded.revision, kek_id = excluded.kek_id, nodes = excluded.nodes
    WHERE tombstones.revision < excluded.revision),
  ${countOwner('SELECT owner, slot, -1, -size FROM was')},
  ${countNodes(MINUS_WAS)}
  SELECT EXISTS (SELECT FROM held) AS made`,
);

/** A page of a layout, if it is newer than what is known of it. */
export const IMPORT_PAGE = statement(
  'import_page',
  `INSERT INTO layouts (version_id, page, bytes, revision) VALUES (:versionId::uuid, :page::int, :bytes::bytea, :revision::bigint)
   ON CONFLICT (version_id, page) DO UPDATE SET bytes = excluded.bytes, revision = excluded.revision
   WHERE layouts.revision < excluded.revision`,
);
