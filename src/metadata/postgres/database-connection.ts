import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { Client, Pool, types, type ClientConfig } from 'pg';
import { within } from '../../common/within.js';
import type { DatabaseHost, DatabaseUrl } from '../../config/database-url.js';

/** Where the database is, and how long it may take. */
export interface ConnectionOptions {
  readonly url: DatabaseUrl;
  /** Of PostgreSQL: the name space of all tables. */
  readonly schema: string;
  /** Time for one statement. */
  readonly callMsMax: number;
}

/** To a server that does not answer, for each host. */
const CONNECT_MS_MAX = 5000;
/** What the server is given to say that it gave up, before it is taken for gone. */
const GRACE_MS = 2000;
const END_MS_MAX = 2000;
const KEEP_ALIVE_MS = 10_000;
/** After it the server ends a session whose peer has vanished, and with it the lock: seconds, and tries. */
const KEEP_ALIVE = '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3';

/** What the statements take for granted, and a database or a role may have set otherwise. */
const ASSUMED = '-c default_transaction_isolation=read\\ committed -c bytea_output=hex';

/** int8 as a number: all of ours are at most 2^53 - 1. */
function parseInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError('the database has a number that is too large');
  return value;
}

const PARSERS: ClientConfig['types'] = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === (types.builtins.INT8 as number) && format !== 'binary'
      ? parseInteger
      : (types.getTypeParser as (oid: number, format?: string) => unknown)(oid, format)) as typeof types.getTypeParser,
};

/** @param more further settings of the session, as the server's command line takes them */
function configOf({ url, schema, callMsMax }: ConnectionOptions, { host, port }: DatabaseHost, more = ''): ClientConfig {
  return {
    host,
    port,
    user: url.user,
    database: url.database,
    ...(url.password === undefined ? {} : { password: url.password }),
    ssl: tlsOf(url, host),
    application_name: 'dcloud',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    statement_timeout: callMsMax,
    lock_timeout: callMsMax,
    idle_in_transaction_session_timeout: callMsMax,
    query_timeout: callMsMax + GRACE_MS,
    options: `-c search_path=${schema} ${ASSUMED} ${KEEP_ALIVE}${more}`,
    types: PARSERS,
  };
}

function tlsOf({ sslMode, caFile }: DatabaseUrl, host: string): ClientConfig['ssl'] {
  if (sslMode === 'disable') return false;
  const name = isIP(host) === 0 ? { servername: host } : {};
  if (sslMode === 'require') return { rejectUnauthorized: false, ...name };
  return {
    rejectUnauthorized: true,
    ...name,
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    // The authority is enough: the certificate may be for another name.
    ...(sslMode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
  };
}

/** A connection of its own. `onLost` is told once when it ends by itself. */
export async function connect(options: ConnectionOptions, host: DatabaseHost, onLost: (cause: Error) => void): Promise<Client> {
  const client = new Client(configOf(options, host));
  // Before it is there an error is told twice; afterwards an error that nobody hears would end the process.
  client.on('error', onLost);
  client.on('end', () => onLost(new Error('the connection was ended')));
  await client.connect();
  return client;
}

/** Ends a connection, or a pool of them, in a time: a server that is silent hears no farewell. Never rejects. */
export async function endInTime(one: Client | Pool): Promise<void> {
  try {
    await within(AbortSignal.timeout(END_MS_MAX), one.end());
  } catch {
    if (one instanceof Client) one.connection.stream.destroy();
  }
}

/** @param isAsync whether the server would acknowledge what is not durable, unless it is told */
export function openPool(
  options: ConnectionOptions,
  host: DatabaseHost,
  { max, isAsync }: { max: number; isAsync: boolean },
): Pool {
  const pool = new Pool({
    ...configOf(options, host, isAsync ? ' -c synchronous_commit=on' : ''),
    max,
    idleTimeoutMillis: 0,
    allowExitOnIdle: false,
  });
  // A connection that ends while nobody uses it is just replaced; who uses one hears of it himself.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}
