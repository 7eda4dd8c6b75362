import { FILE_COLUMNS, VERSION_COLUMNS } from './file-rows.js';
import { statement, type Statement } from './statement.js';

/** Changes that come to the same however often they are made, and reads. */

/** A change that is made only while the slot is still this gateway's: `parts` take their rows from `held`. */
function noting(name: string, parts: readonly string[], result = ''): Statement {
  return statement(
    name,
    `WITH held AS (SELECT slot FROM slots WHERE slot = :slot::int AND token = :token::bigint FOR UPDATE),
     ${parts.map((part, at) => `part${at} AS (${part})`).join(', ')}
     SELECT EXISTS (SELECT FROM held) AS made${result}`,
  );
}

/** Changes nothing; it is as if made while the slot is this gateway's. */
export const CHECK_TOKEN = statement(
  'check_token',
  'SELECT EXISTS (SELECT FROM slots WHERE slot = :slot::int AND token = :token::bigint) AS made',
);
export const PROBE = statement(
  'probe',
  `UPDATE slots SET probes = CASE WHEN token = :token::bigint THEN probes + 1 ELSE probes END WHERE slot = :slot::int
   RETURNING token = :token::bigint AS made`,
);

export const READ_STATE = statement('read_state', 'SELECT ceiling, settled, scrub FROM identity');
export const RAISE_CEILING = noting('raise_ceiling', [
  'UPDATE identity SET ceiling = :revision::bigint FROM held WHERE ceiling < :revision::bigint',
]);
export const RAISE_SETTLED = noting('raise_settled', [
  'UPDATE identity SET settled = :revision::bigint FROM held WHERE settled < :revision::bigint',
]);
export const NOTE_SCRUB = noting('note_scrub', ['UPDATE identity SET scrub = :scrub::jsonb FROM held']);

export const STAGE_LAYOUT = noting('stage_layout', [
  `INSERT INTO layouts (version_id, page, bytes) SELECT :versionId::uuid, :page::int, :bytes::bytea FROM held
   ON CONFLICT (version_id, page) DO UPDATE SET bytes = excluded.bytes`,
]);
export const READ_LAYOUT = statement(
  'read_layout',
  'SELECT bytes, revision FROM layouts WHERE version_id = :versionId::uuid AND page = :page::int',
);

const STORED = `SELECT ${FILE_COLUMNS}, ${VERSION_COLUMNS} FROM files`;
export const FIND = statement('find_file', `${STORED} WHERE id = :id::uuid`);
export const FIND_BY_VERSION = statement('find_by_version', `${STORED} WHERE version_id = :versionId::uuid`);
export const FIND_BY_NAME = statement(
  'find_by_name',
  `${STORED} WHERE owner = :owner::text AND name = :name::text ORDER BY revision DESC LIMIT 1`,
);
export const IS_COMMITTED = statement('is_committed', 'SELECT FROM files WHERE version_id = :versionId::uuid');
export const WALK_FILES = statement('walk_files', `${STORED} WHERE id > :after::uuid ORDER BY id LIMIT :limit::int`);
/** With the last layout page of each. */
export const WALK_WITH_LAYOUT = statement(
  'walk_with_layout',
  `SELECT ${FILE_COLUMNS}, ${VERSION_COLUMNS},
     (SELECT bytes FROM layouts WHERE layouts.version_id = files.version_id AND page = files.pages - 1) AS last_bytes
   FROM files WHERE id > :after::uuid ORDER BY id LIMIT :limit::int`,
);
export const WRAPPED_BY = statement(
  'wrapped_by',
  `${STORED} WHERE kek_id = :kekId::text ORDER BY kek_id, version_id LIMIT :limit::int`,
);

export const ADD_TOMBSTONE = noting(
  'add_tombstone',
  [
    `INSERT INTO tombstones (file_id, revision, kek_id, nodes)
     SELECT :fileId::uuid, :revision::bigint, :kekId::text, :nodes::int[] FROM held
     WHERE NOT EXISTS (SELECT FROM files WHERE id = :fileId::uuid)
     ON CONFLICT (file_id) DO UPDATE SET revision = excluded.revision, kek_id = excluded.kek_id, nodes = excluded.nodes
     WHERE tombstones.revision < excluded.revision`,
  ],
  ', NOT EXISTS (SELECT FROM files WHERE id = :fileId::uuid) AS added',
);
export const DROP_TOMBSTONE = noting('drop_tombstone', [
  'DELETE FROM tombstones USING held WHERE file_id = :fileId::uuid AND revision = :revision::bigint',
]);
export const FIND_TOMBSTONE = statement(
  'find_tombstone',
  'SELECT file_id, revision, kek_id, nodes FROM tombstones WHERE file_id = :fileId::uuid',
);
export const WALK_TOMBSTONES = statement(
  'walk_tombstones',
  'SELECT file_id, revision, kek_id, nodes FROM tombstones WHERE file_id > :after::uuid ORDER BY file_id LIMIT :limit::int',
);

export const ABANDON = noting(
  'abandon_version',
  [
    `INSERT INTO layouts (version_id, page, bytes) SELECT :versionId::uuid, :lastPage::int, :lastBytes::bytea FROM held
     WHERE cardinality(:nodes::int[]) > 0 AND NOT EXISTS (SELECT FROM files WHERE version_id = :versionId::uuid)
     ON CONFLICT (version_id, page) DO UPDATE SET bytes = excluded.bytes`,
    `INSERT INTO garbage (version_id, nodes, pages) SELECT :versionId::uuid, :nodes::int[], :lastPage::int + 1 FROM held
     WHERE cardinality(:nodes::int[]) > 0 AND NOT EXISTS (SELECT FROM files WHERE version_id = :versionId::uuid)
     ON CONFLICT (version_id) DO UPDATE SET nodes = excluded.nodes, pages = excluded.pages`,
    `DELETE FROM layouts USING held WHERE version_id = :versionId::uuid AND cardinality(:nodes::int[]) = 0
     AND NOT EXISTS (SELECT FROM files WHERE files.version_id = :versionId::uuid)`,
  ],
  ', EXISTS (SELECT FROM files WHERE version_id = :versionId::uuid) AS committed',
);
const WITHOUT_NODE = 'array_remove(there.nodes, :node::int)';
export const CLEAR_GARBAGE = statement(
  'clear_garbage',
  `WITH there AS (SELECT version_id, nodes FROM garbage WHERE version_id = :versionId::uuid FOR UPDATE),
   held AS (SELECT slot FROM slots WHERE slot = :slot::int AND token = :token::bigint FOR UPDATE),
   fewer AS (
     UPDATE garbage SET nodes = ${WITHOUT_NODE} FROM there, held
     WHERE garbage.version_id = there.version_id AND cardinality(${WITHOUT_NODE}) > 0 AND :node::int = ANY (there.nodes)),
   gone AS (
     DELETE FROM garbage USING there, held
     WHERE garbage.version_id = there.version_id AND cardinality(${WITHOUT_NODE}) = 0 RETURNING garbage.version_id),
   pages AS (DELETE FROM layouts USING gone WHERE layouts.version_id = gone.version_id)
   SELECT EXISTS (SELECT FROM held) AS made`,
);
export const WALK_GARBAGE = statement(
  'walk_garbage',
  'SELECT version_id, nodes, pages FROM garbage WHERE version_id > :after::uuid ORDER BY version_id LIMIT :limit::int',
);

/** Versions with layout pages, and whether anything refers to them. */
export const WALK_LAYOUTS = statement(
  'walk_layouts',
  `SELECT version_id, EXISTS (SELECT FROM files WHERE files.version_id = v.version_id)
     OR EXISTS (SELECT FROM garbage WHERE garbage.version_id = v.version_id) AS referred
   FROM (SELECT DISTINCT version_id FROM layouts WHERE version_id > :after::uuid ORDER BY version_id LIMIT :limit::int) AS v
   ORDER BY version_id`,
);
/** A commit locks these too, so whichever comes first is seen by the other. */
export const LOCK_LAYOUTS = statement(
  'lock_layouts',
  `WITH held AS (SELECT slot FROM slots WHERE slot = :slot::int AND token = :token::bigint FOR UPDATE)
   SELECT version_id FROM layouts WHERE version_id = ANY (:versionIds::uuid[]) AND EXISTS (SELECT FROM held)
   ORDER BY version_id, page FOR UPDATE`,
);
export const SWEEP_LAYOUTS = statement(
  'sweep_layouts',
  `DELETE FROM layouts WHERE version_id = ANY (:versionIds::uuid[])
     AND NOT EXISTS (SELECT FROM files WHERE files.version_id = layouts.version_id)
     AND NOT EXISTS (SELECT FROM garbage WHERE garbage.version_id = layouts.version_id)`,
);

export const OWNER_USAGE = statement(
  'owner_usage',
  'SELECT coalesce(sum(files), 0)::bigint AS files, coalesce(sum(bytes), 0)::bigint AS bytes FROM owner_usage WHERE owner = :owner::text',
);
export const NODE_USAGE = statement(
  'node_usage',
  `SELECT node, sum(shards)::bigint AS shards, sum(bytes)::bigint AS bytes FROM node_usage
   GROUP BY node HAVING sum(shards) <> 0 OR sum(bytes) <> 0 ORDER BY node`,
);

export const NOTE_SWEPT = noting('note_swept', [
  `INSERT INTO nodes (node, swept) SELECT :node::int, :revision::bigint FROM held
   ON CONFLICT (node) DO UPDATE SET swept = greatest(nodes.swept, excluded.swept)`,
]);
export const NOTE_PROVEN = noting('note_proven', [
  `INSERT INTO nodes (node, proven) SELECT :node::int, :at::bigint FROM held
   ON CONFLICT (node) DO UPDATE
   SET proven = CASE WHEN excluded.proven IS NULL THEN NULL ELSE greatest(nodes.proven, excluded.proven) END`,
]);
export const READ_NODE = statement('read_node', 'SELECT swept, proven FROM nodes WHERE node = :node::int');

export const ALL_PROVEN = statement('all_proven', 'SELECT node, proven FROM nodes WHERE proven IS NOT NULL ORDER BY node');

const GIVEN_DAMAGE = `unnest(:versionIds::uuid[], :stripes::bigint[], :indexes::int[], :nodes::int[]) AS d (version_id, stripe, index, node)`;
export const NOTE_DAMAGE = noting('note_damage', [
  `INSERT INTO damage (version_id, stripe, index, node) SELECT DISTINCT d.version_id, d.stripe, d.index, d.node FROM held, ${GIVEN_DAMAGE}
   WHERE NOT EXISTS (SELECT FROM damage WHERE (damage.version_id, damage.stripe, damage.index, damage.node)
     = (d.version_id, d.stripe, d.index, d.node))
   LIMIT greatest(0, :max::bigint - (SELECT count(*) FROM damage)) ON CONFLICT DO NOTHING`,
]);
export const CLEAR_DAMAGE = noting('clear_damage', [
  `DELETE FROM damage USING held, ${GIVEN_DAMAGE}
   WHERE (damage.version_id, damage.stripe, damage.index, damage.node) = (d.version_id, d.stripe, d.index, d.node)`,
]);
const DAMAGE = 'SELECT version_id, stripe, index, node FROM damage';
const DAMAGE_ORDER = 'ORDER BY version_id, stripe, index, node';
export const WALK_DAMAGE = statement(
  'walk_damage',
  `${DAMAGE} WHERE (version_id, stripe, index, node) > (:versionId::uuid, :stripe::bigint, :index::int, :node::int)
   ${DAMAGE_ORDER} LIMIT :limit::int`,
);
export const DAMAGE_OF = statement('damage_of', `${DAMAGE} WHERE version_id = :versionId::uuid ${DAMAGE_ORDER}`);
