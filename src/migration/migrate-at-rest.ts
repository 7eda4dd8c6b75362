import { DomainError } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { IndexMove, type MoveProgress, type MoveResult } from '../metadata/moving/index-move.js';
import type { Engine } from '../metadata/moving/index-transit.js';
import { openMovers } from '../metadata/moving/open-movers.js';
import { indexPlaceIn } from '../metadata/open-index-place.js';

export interface MigrationOrder {
  readonly from: Engine;
  readonly to: Engine;
  /** Of the database, where the configuration has none. */
  readonly url: string | undefined;
}

/**
 * Moves the index of a store that no server has open: the locks of both sides are held meanwhile.
 * @throws DomainError `storage-locked` while a server runs; `migration-refused`, `migration-failed`, `index-moved` and those of a start that fails
 */
export async function migrateAtRest(
  config: AppConfig,
  { from, to, url }: MigrationOrder,
  onProgress: (progress: MoveProgress) => void,
  signal: AbortSignal,
): Promise<MoveResult> {
  if (from === to) throw new DomainError('migration-refused', 'both sides are the same engine');
  const { storage_directory: directory, metadata } = config;
  const map = ClusterFile.peek(directory);
  if (map === undefined)
    throw new DomainError('storage-missing', `${directory} has no cluster.json, and so no index to be moved`);
  const cluster = ClusterFile.of(directory, map);
  const [source, target] = [indexPlaceIn(from, config, cluster, url), indexPlaceIn(to, config, cluster, url)];
  const movers = await openMovers(source, target, metadata.driver === from);
  try {
    const hold = (): Promise<void> => Promise.resolve();
    return await new IndexMove({ ...movers, from, to, hold, onProgress }).run(signal);
  } finally {
    await movers.close();
  }
}
