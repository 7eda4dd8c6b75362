import { readFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileDurably } from '../common/durable-file.js';
import { DomainError, errorCode } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { parseClusterMap, type ClusterMap } from '../config/cluster-map.js';
import { BackupCrypto } from '../crypto/backup-crypto.js';
import { readKeyRing } from '../crypto/key-ring-file.js';
import { KeyRing } from '../crypto/key-ring.js';
import { openBackupFile, proveBackupFile } from '../recovery/backup-source.js';
import { restoredMap, type RestoredMap } from '../recovery/restored-map.js';
import { RestoreService, type RestoreResult } from '../recovery/restore.service.js';
import { ends } from './ends.js';
import { EXIT_PROBLEMS, openContext, print, progressOf, summarizeRebuild } from './store-context.js';

const PRIVATE = 0o600;

/** `dcloud restore`: from a file, or from the newest backup on the nodes. */
export async function restoreStore(config: AppConfig, { from }: { readonly from?: string }): Promise<void> {
  const { storage_directory: directory } = config;
  const file = from === undefined ? undefined : await openBackupFile(from);
  try {
    const isLost = ClusterFile.peek(directory) === undefined;
    const restored = isLost ? await mapOfBackup(config, file) : undefined;
    summarize(config, await restore(config, file, restored?.map));
    for (const [node, reason] of restored?.unknown ?? []) sayUnknown(node, reason);
  } finally {
    await file?.close();
  }
}

/** @param map to be put back; it is written when nodes have borne it out and the index of it is in its place, and not before */
async function restore(config: AppConfig, file: FileHandle | undefined, map: ClusterMap | undefined): Promise<RestoreResult> {
  const context = await openContext(config, map);
  try {
    const result = await context.get(RestoreService).run(file, { progress: progressOf(config) }, ends());
    if (map !== undefined) ClusterFile.restore(config.storage_directory, map);
    return result;
  } finally {
    await context.close();
  }
}

/** Without it nobody knows which nodes there are. @throws DomainError `storage-missing` */
async function mapOfBackup(config: AppConfig, file: FileHandle | undefined): Promise<RestoredMap> {
  const { storage_directory: directory, node } = config;
  if (file === undefined || node !== null) {
    const how =
      node === null ? 'a backup in a file has it: name that with --from' : '"dcloud takeover" gets it from the other peers';
    throw new DomainError('storage-missing', `${directory} has no cluster.json, and so no nodes: ${how}`);
  }
  const keyRing = keyRingOf(config);
  const { head } = await proveBackupFile(file, new BackupCrypto(() => keyRing), ends());
  const map = parseClusterMap(head.cluster);
  if (map === undefined) throw new DomainError('backup-unusable', 'the backup cannot be used: its cluster.json is not known');
  return restoredMap(directory, map, config.node_count);
}

/** The key ring where nothing else says of which cluster it is. @throws DomainError `storage-missing`, `storage-unusable` */
function keyRingOf({ key_ring: path }: AppConfig): KeyRing {
  if (path === null) throw new TypeError('the configuration is not complete');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT')
      throw new DomainError('storage-unusable', `the key ring ${path} cannot be read`, { cause });
    throw new DomainError('storage-missing', `the key ring ${path} is missing, and nothing opens the backup: put it back`);
  }
  return readKeyRing(path, KeyRing.parse(text).clusterId);
}

function sayUnknown(node: number, reason: string): void {
  print(
    `node ${node}: the backup is older than it, and ${reason}. It counts as a new one: what the former one had is missing on it until ` +
      'a scrub has repaired it',
  );
  process.exitCode = EXIT_PROBLEMS;
}

function summarize({ storage_directory: directory }: AppConfig, result: RestoreResult): void {
  const { backup, filled } = result;
  summarizeRebuild(result);
  print(
    `the backup is of ${new Date(backup.createdAt).toISOString()}; of it came ${filled.records} records that no node could give, ` +
      `${filled.damage} shards known to be damaged, and the last proof of ${filled.proven} nodes`,
  );
  const path = join(directory, 'config.restored.json');
  writeFileDurably(path, backup.config, PRIVATE);
  print(`the configuration of then, without its secrets, is in ${path}; it is not in force`);
}
