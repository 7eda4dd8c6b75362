import type { Client } from 'pg';
import { DomainError } from '../../common/errors.js';
import type { ClusterId } from '../../common/ids.js';
import { TO_USE, transitFor, type IndexTransit, type OpeningPurpose } from '../moving/index-transit.js';

/** Each brings a schema to the next number. They are never changed once they were released, only added to. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE files (
    id uuid PRIMARY KEY,
    owner text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    revision bigint NOT NULL,
    version_id uuid NOT NULL UNIQUE,
    pages int NOT NULL,
    sealed_size bigint NOT NULL,
    slice_bytes bigint NOT NULL,
    k int NOT NULL,
    m int NOT NULL,
    kek_id text COLLATE "C" NOT NULL,
    wrapped_key bytea NOT NULL,
    header bytea NOT NULL,
    sealed_digest bytea NOT NULL,
    version_created_at bigint NOT NULL,
    usage_nodes int[] NOT NULL,
    usage_shards bigint[] NOT NULL,
    usage_bytes bigint[] NOT NULL,
    record_nodes int[] NOT NULL
  );
  CREATE UNIQUE INDEX files_by_name ON files (owner, name, id);
  CREATE UNIQUE INDEX files_by_creation ON files (owner, id);
  CREATE UNIQUE INDEX files_by_key ON files (kek_id, version_id);
  CREATE TABLE layouts (
    version_id uuid NOT NULL,
    page int NOT NULL,
    bytes bytea NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (version_id, page)
  );
  CREATE TABLE garbage (version_id uuid PRIMARY KEY, nodes int[] NOT NULL, pages int NOT NULL);
  CREATE TABLE tombstones (file_id uuid PRIMARY KEY, revision bigint NOT NULL, kek_id text NOT NULL, nodes int[] NOT NULL);
  CREATE TABLE owner_usage (
    owner text COLLATE "C" NOT NULL, slot int NOT NULL, files bigint NOT NULL, bytes bigint NOT NULL,
    PRIMARY KEY (owner, slot)
  );
  CREATE TABLE node_usage (
    node int NOT NULL, slot int NOT NULL, shards bigint NOT NULL, bytes bigint NOT NULL,
    PRIMARY KEY (node, slot)
  );
  CREATE TABLE nodes (node int PRIMARY KEY, swept bigint NOT NULL DEFAULT 0, proven bigint);
  CREATE TABLE damage (
    version_id uuid NOT NULL, stripe bigint NOT NULL, index int NOT NULL, node int NOT NULL,
    PRIMARY KEY (version_id, stripe, index, node)
  );
  CREATE TABLE slots (
    slot int PRIMARY KEY, token bigint NOT NULL, change bigint NOT NULL DEFAULT 0, before jsonb, probes bigint NOT NULL DEFAULT 0
  );
  `,
  `ALTER TABLE identity ADD COLUMN term bigint NOT NULL DEFAULT 0`,
  `ALTER TABLE identity ADD COLUMN claimed bigint NOT NULL DEFAULT 0`,
  `ALTER TABLE identity ADD COLUMN transit jsonb`,
];

export interface SchemaOptions {
  /** Of PostgreSQL: the name space of all tables. */
  readonly schema: string;
  readonly clusterId: ClusterId;
  /** False if the nodes hold data: see OpenOptions of the embedded index. */
  readonly mayCreate: boolean;
  readonly migrations?: readonly string[];
  readonly purpose?: OpeningPurpose;
}

/** Any number, the same for all programs that change the schema of a database: the letters "dcloud". */
const MIGRATION_LOCK = 0x64636c6f7564;

/**
 * Makes the tables of an index, or brings those of an older program up to date, in one transaction, while nobody else does.
 * @throws DomainError `storage-missing`, `storage-mismatch`, `storage-unusable`
 */
export async function prepareSchema(client: Client, options: SchemaOptions): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    await migrate(client, options);
    await client.query('COMMIT');
  } catch (error) {
    // The error is what matters; a connection that is gone has nothing to undo.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function migrate(client: Client, options: SchemaOptions): Promise<void> {
  const { schema, clusterId, mayCreate, migrations = MIGRATIONS, purpose = TO_USE } = options;
  const found = await readIdentity(client, schema);
  if (found === undefined) {
    if (!mayCreate) throw missing();
    await requireUtf8(client);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await client.query(`CREATE TABLE identity (
      one boolean PRIMARY KEY CHECK (one), version int NOT NULL, cluster_id uuid NOT NULL,
      ceiling bigint NOT NULL DEFAULT 0, settled bigint NOT NULL DEFAULT 0, scrub jsonb)`);
    await client.query('INSERT INTO identity (one, version, cluster_id) VALUES (true, 0, $1)', [clusterId]);
  } else requireOurs(found, clusterId, migrations.length);
  for (const migration of migrations.slice(found?.version ?? 0)) await client.query(migration);
  if (found?.version !== migrations.length) await client.query('UPDATE identity SET version = $1', [migrations.length]);
  await mark(client, purpose, found !== undefined);
}

/** @throws DomainError if the index is not one for this purpose */
async function mark(client: Client, purpose: OpeningPurpose, isThere: boolean): Promise<void> {
  const { rows } = await client.query<{ transit: IndexTransit | null }>('SELECT transit FROM identity');
  const transit = transitFor(purpose, rows[0]?.transit ?? undefined, { engine: 'postgres', isThere });
  if (transit !== undefined) await client.query('UPDATE identity SET transit = $1', [JSON.stringify(transit)]);
}

/**
 * Notes the term of the gateway that has the lock. One of an older term, which may not know that it was taken over, is not let in again.
 * @throws DomainError `storage-locked`
 */
export async function enterTerm(client: Client, term: number): Promise<void> {
  const { rowCount } = await client.query('UPDATE identity SET term = $1 WHERE term <= $1', [term]);
  if (rowCount === 0)
    throw new DomainError('storage-locked', `the index was taken over: it is that of a later term than ${term}`);
}

/**
 * Gives a term that is later than the known one to its caller alone: of several that ask at the same time each gets another one. It is not entered by
 * that: who claims one and gets no further leaves the gateway as it was.
 */
export async function claimTerm(client: Client, known: number): Promise<number> {
  const { rows } = await client.query<{ claimed: string }>(
    'UPDATE identity SET claimed = greatest(claimed, term, $1::bigint) + 1 RETURNING claimed',
    [known],
  );
  const [row] = rows;
  if (row === undefined) throw missing();
  return Number(row.claimed);
}

/** Whether a schema has an index, which then is this cluster's. @throws DomainError `storage-mismatch` */
export async function requireOwnOrNone(client: Client, schema: string, clusterId: ClusterId): Promise<boolean> {
  const found = await readIdentity(client, schema);
  if (found !== undefined) requireOurs(found, clusterId, Infinity);
  return found !== undefined;
}

interface Identity {
  readonly version: number;
  readonly cluster_id: string;
}

async function readIdentity(client: Client, schema: string): Promise<Identity | undefined> {
  const table = await client.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [`${schema}.identity`]);
  if (table.rows[0]?.found !== true) return undefined;
  const { rows } = await client.query<Identity>('SELECT version, cluster_id FROM identity');
  return rows[0];
}

function requireOurs({ version, cluster_id: cluster }: Identity, clusterId: ClusterId, known: number): void {
  if (version > known) {
    const detail = `the index has schema ${version}; this program is older and knows schemas up to ${known}`;
    throw new DomainError('storage-unusable', detail);
  }
  if (cluster !== clusterId)
    throw new DomainError('storage-mismatch', 'the index in the database belongs to another cluster than the nodes');
}

/** Names are compared by their bytes, which are those of UTF-8 everywhere else. */
async function requireUtf8(client: Client): Promise<void> {
  const { rows } = await client.query<{ server_encoding: string }>('SHOW server_encoding');
  const encoding = rows[0]?.server_encoding;
  if (encoding !== 'UTF8')
    throw new DomainError('storage-unusable', `the database has the encoding ${encoding}: it must be UTF8`);
}

function missing(): DomainError {
  return new DomainError(
    'storage-missing',
    'the database has no index while the nodes hold data: "dcloud rebuild-index" makes it anew from the nodes',
  );
}
