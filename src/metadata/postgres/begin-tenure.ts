import type { Client } from 'pg';
import { DomainError, type ErrorCode } from '../../common/errors.js';
import type { DatabaseHost } from '../../config/database-url.js';
import { connect, endInTime, openPool, type ConnectionOptions } from './database-connection.js';
import { messageOf } from './database-error.js';
import { enterTerm, prepareSchema, type SchemaOptions } from './database-schema.js';
import { takeGatewayLock } from './gateway-lock.js';
import { takeSlots, Tenure, type Slot } from './tenure.js';

export interface TenureOptions extends ConnectionOptions, SchemaOptions {
  /** Of the cluster's map: see ClusterMap. */
  readonly term: number;
  /** Calls to the database at once. */
  readonly connections: number;
  /** Whether the lock is taken from another process that has it; see {@link takeGatewayLock}. */
  readonly isForced?: boolean;
}

/** Why a host is not the one. */
interface Refusal {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly cause: unknown;
}

/** Before the reason of whoever has the lock, or of the schema, it does not count that another host does not answer. */
const MOST_TELLING: readonly ErrorCode[] = ['storage-locked', 'storage-mismatch', 'storage-missing'];

/** Told of each tenure that begins, before it serves anybody. One for which it throws is let go of, and the next host is tried. */
export type TenureListener = (tenure: Tenure) => Promise<void>;

/**
 * Takes the index on the first of the hosts that takes changes.
 * @throws DomainError `storage-locked`, `storage-mismatch`, `storage-missing`, `storage-unusable`; it names each host, and no password.
 * `index-behind` if the listener says that of each of them: of another it may be otherwise when it answers
 */
export function beginTenure(options: TenureOptions, onBegin: TenureListener): Promise<Tenure> {
  return onFirstOf(options, async (host) => {
    const tenure = await beginOn(host, options);
    try {
      await onBegin(tenure);
      return tenure;
    } catch (error) {
      await tenure.close();
      throw error;
    }
  });
}

/** Does something once, on a connection of its own to the first of the hosts that takes changes. @throws DomainError as {@link beginTenure} */
export function onPrimary<Result>(options: ConnectionOptions, work: (client: Client) => Promise<Result>): Promise<Result> {
  return onFirstOf(options, async (host) => {
    const client = await connectTo(host, options);
    try {
      return await work(client);
    } finally {
      await endInTime(client);
    }
  });
}

/** A connection of its own to the first of the hosts that takes changes; whoever asks for it ends it. @throws DomainError as {@link beginTenure} */
export function connectApart(options: ConnectionOptions): Promise<Client> {
  return onFirstOf(options, (host) => connectTo(host, options));
}

async function connectTo(host: DatabaseHost, options: ConnectionOptions): Promise<Client> {
  const client = await connect(options, host, () => undefined);
  try {
    await requirePrimary(client);
    return client;
  } catch (error) {
    await endInTime(client);
    throw error;
  }
}

async function onFirstOf<Result>({ url }: ConnectionOptions, work: (host: DatabaseHost) => Promise<Result>): Promise<Result> {
  const { hosts, user, database } = url;
  const refusals: Refusal[] = [];
  for (const host of hosts) {
    try {
      return await work(host);
    } catch (cause) {
      refusals.push(refusalOf(host, cause));
    }
  }
  const others = refusals.filter(({ code }) => code !== 'index-behind');
  const telling = others.find(({ code }) => MOST_TELLING.includes(code)) ?? others[0] ?? refusals[0];
  const reasons = refusals.map(({ reason }) => reason).join('; ');
  const detail = `the database ${database} as user ${user}: ${reasons}`;
  throw new DomainError(telling?.code ?? 'storage-unusable', detail, { cause: telling?.cause });
}

function refusalOf({ host, port }: DatabaseHost, cause: unknown): Refusal {
  const isOurs = cause instanceof DomainError;
  return {
    code: isOurs ? cause.code : 'storage-unusable',
    reason: `${host}:${port}: ${isOurs ? cause.detail : messageOf(cause)}`,
    cause,
  };
}

async function beginOn(host: DatabaseHost, options: TenureOptions): Promise<Tenure> {
  let onLost = (_cause: Error): void => undefined;
  const lock = await connect(options, host, (cause) => onLost(cause));
  try {
    const { isAsync } = await requirePrimary(lock);
    await takeGatewayLock(lock, options.clusterId, options.isForced ?? false);
    await prepareSchema(lock, options);
    await enterTerm(lock, options.term);
    const found = await takeSlots(lock, options.connections);
    const slots = found
      .slice(0, options.connections)
      .map(({ slot, token, change }): Slot => ({ number: slot, token, acknowledged: change, pending: 0, isDoubtful: false }));
    const pool = openPool(options, host, { max: options.connections, isAsync });
    const tenure = new Tenure(lock, pool, new Map(found.map((row) => [row.slot, row])), slots);
    onLost = (cause) => tenure.end(cause);
    return tenure;
  } catch (error) {
    await endInTime(lock);
    throw error;
  }
}

/** @returns whether the server would acknowledge what is not durable, unless it is told: this session tells it */
async function requirePrimary(client: Client): Promise<{ readonly isAsync: boolean }> {
  const { rows } = await client.query<{ standby: boolean; readonly: string; sync: string }>(
    `SELECT pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only') AS readonly,
       current_setting('synchronous_commit') AS sync`,
  );
  const [row] = rows;
  if (row?.standby !== false) throw new DomainError('storage-unusable', 'it is a standby, which takes no changes');
  if (row.readonly !== 'off') throw new DomainError('storage-unusable', 'it is read-only (default_transaction_read_only)');
  const isAsync = row.sync === 'off';
  if (isAsync) await client.query('SET synchronous_commit = on');
  return { isAsync };
}
