import { resolve } from 'node:path';
import { writeBackupFile } from '../backup/backup-file.js';
import { checkBackupTarget, type BackupTarget } from '../backup/backup-target.js';
import { DomainError, errorCode } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { BackupAtRest } from '../recovery/backup-at-rest.service.js';
import { ApiClient, type ApiFlags } from './api-client.js';
import { ends } from './ends.js';
import { urlOf } from './server-url.js';
import { openContext, print, type StoreContext } from './store-context.js';

export interface BackupFlags extends ApiFlags {
  readonly to?: string;
  readonly replace?: boolean;
}

/** `dcloud backup`: of the server that runs, or of the store if none does. */
export async function backupStore(config: AppConfig, { to, url, replace }: BackupFlags): Promise<void> {
  const path = resolve(to ?? `dcloud-${new Date().toISOString().replace(/[:.]/g, '-')}.backup`);
  const target = { path, isReplacing: replace === true };
  await checkBackupTarget(target, config);
  const named = url ?? process.env['DCLOUD_URL'];
  const bytes = await (named === undefined ? backupHere(config, target) : backupAt(named, target));
  print(
    `${path}: ${bytes} bytes. The key ring ${String(config.key_ring)} opens it, and is not in it: keep a copy of that elsewhere`,
  );
}

async function backupHere(config: AppConfig, target: BackupTarget): Promise<number> {
  const { storage_directory: directory } = config;
  if (ClusterFile.peek(directory) === undefined)
    throw new DomainError('storage-missing', `${directory} has no store, and no server was named by --url`);
  let context: StoreContext;
  try {
    context = await openContext(config);
  } catch (error) {
    if (errorCode(error) !== 'storage-locked') throw error;
    return backupAt(urlOf(config), target);
  }
  try {
    return await context.get(BackupAtRest).run(target, ends());
  } finally {
    await context.close();
  }
}

function backupAt(url: string, target: BackupTarget): Promise<number> {
  return writeBackupFile(target, ApiClient.of({ url }).bytes({ method: 'POST', path: '/backup' }, ends()), ends());
}
