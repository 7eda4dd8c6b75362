import { join } from 'node:path';
import { DomainError } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import type { ClusterFile } from '../config/cluster-file.js';
import { parseDatabaseUrl, type DatabaseUrl } from '../config/database-url.js';
import { EmbeddedIndexPlace } from './embedded/embedded-index-place.js';
import type { IndexPlace } from './index-place.js';
import type { Engine } from './moving/index-transit.js';
import { PostgresIndexPlace } from './postgres/postgres-index-place.js';

type Cluster = Pick<ClusterFile, 'clusterId' | 'map'>;

/** The place of the index, by the engine that the configuration names. Nothing is opened yet. */
export function indexPlaceOf(config: AppConfig, cluster: Cluster): IndexPlace {
  const { driver, directory, url } = config.metadata;
  if (driver === 'postgres' && url !== null) return postgresPlace(config, cluster, parseDatabaseUrl(url));
  if (directory === null) throw new TypeError('the configuration is not complete');
  return new EmbeddedIndexPlace(directory, cluster.clusterId);
}

/**
 * The place in an engine, whichever of them the configuration names: the embedded index is where it is without a word of the configuration.
 * @param url of the database, where the configuration has none
 * @throws DomainError `migration-refused` without a url that can be used
 */
export function indexPlaceIn(engine: Engine, config: AppConfig, cluster: Cluster, url: string | undefined): IndexPlace {
  if (config.metadata.driver === engine) return indexPlaceOf(config, cluster);
  if (engine === 'embedded') return new EmbeddedIndexPlace(join(config.storage_directory, 'index'), cluster.clusterId);
  if (url === undefined || url === '')
    throw new DomainError('migration-refused', 'the url of the database is missing: it is taken from DCLOUD_METADATA_URL');
  try {
    return postgresPlace(config, cluster, parseDatabaseUrl(url));
  } catch (cause) {
    throw new DomainError('migration-refused', `the url of the database cannot be used: ${(cause as Error).message}`, { cause });
  }
}

function postgresPlace(config: AppConfig, { clusterId, map }: Cluster, url: DatabaseUrl): IndexPlace {
  return new PostgresIndexPlace({
    url,
    clusterId,
    term: map.term,
    connections: config.limits.index_connections_max,
    callMsMax: config.limits.index_call_ms_max,
    notesDirectory: join(config.storage_directory, 'index.rebuilding'),
  });
}
