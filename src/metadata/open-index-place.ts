import { join } from 'node:path';
import type { AppConfig } from '../config/app-config.js';
import type { ClusterFile } from '../config/cluster-file.js';
import { parseDatabaseUrl } from '../config/database-url.js';
import { EmbeddedIndexPlace } from './embedded/embedded-index-place.js';
import type { IndexPlace } from './index-place.js';
import { PostgresIndexPlace } from './postgres/postgres-index-place.js';

/** The place of the index, by the engine that the configuration names. Nothing is opened yet. */
export function indexPlaceOf(config: AppConfig, { clusterId, map }: Pick<ClusterFile, 'clusterId' | 'map'>): IndexPlace {
  const { driver, directory, url } = config.metadata;
  if (driver === 'postgres' && url !== null) {
    return new PostgresIndexPlace({
      url: parseDatabaseUrl(url),
      clusterId,
      term: map.term,
      connections: config.limits.index_connections_max,
      callMsMax: config.limits.index_call_ms_max,
      notesDirectory: join(config.storage_directory, 'index.rebuilding'),
    });
  }
  if (directory === null) throw new TypeError('the configuration is not complete');
  return new EmbeddedIndexPlace(directory, clusterId);
}
