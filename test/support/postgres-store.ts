import { parseDatabaseUrl } from '../../src/config/database-url.js';
import { LIMITS } from '../../src/config/limits.js';
import type { TenureOptions } from '../../src/metadata/postgres/begin-tenure.js';
import { PostgresMetadataStore } from '../../src/metadata/postgres/postgres.metadata-store.js';

/** Opens the index in a database as the program does. */
export function openPostgresStore(
  url: string,
  options: Pick<TenureOptions, 'clusterId'> & Partial<TenureOptions>,
): Promise<PostgresMetadataStore> {
  return PostgresMetadataStore.open({
    url: parseDatabaseUrl(url),
    schema: 'dcloud',
    mayCreate: true,
    term: 1,
    connections: LIMITS.index_connections_max,
    callMsMax: LIMITS.index_call_ms_max,
    ...options,
  });
}
