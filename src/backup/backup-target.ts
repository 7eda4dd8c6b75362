import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { DomainError, errorCode } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';

/** The file that a backup is to be. */
export interface BackupTarget {
  /** Absolute. */
  readonly path: string;
  /** Take the place of a file that is there. */
  readonly isReplacing: boolean;
}

type Places = Pick<AppConfig, 'storage_directory' | 'key_ring' | 'metadata'>;

/**
 * Looks before the work begins whether the file may be made. Never where the store is, nor in the place of the key ring, without which the backup
 * and all files are lost.
 * @throws DomainError `backup-failed`
 */
export async function checkBackupTarget({ path, isReplacing }: BackupTarget, config: Places): Promise<void> {
  const target = await placesOf(path);
  for (const folder of [config.storage_directory, config.metadata.directory])
    if (folder !== null && (await holds(folder, target)))
      throw unusable(`${path} lies in ${folder}, where the store is: a backup belongs on another disk`);
  const keyRing = config.key_ring === null ? [] : await placesOf(config.key_ring);
  if (target.some((place) => keyRing.includes(place))) throw unusable(`${path} is the key ring, which opens the backup`);
  const found = await lstat(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unusable(`${path} cannot be looked at (${errorCode(error) ?? 'for an unknown reason'})`, error);
  });
  if (found === undefined) return;
  if (!isReplacing) throw alreadyThere(path);
  if (!found.isFile() && !found.isSymbolicLink()) throw unusable(`${path} is there already, and no file`);
}

export function alreadyThere(path: string, cause?: unknown): DomainError {
  return unusable(`${path}: there is something of this name already; --replace takes the place of a file`, cause);
}

function unusable(detail: string, cause?: unknown): DomainError {
  return new DomainError('backup-failed', detail, { cause });
}

async function holds(folder: string, places: readonly string[]): Promise<boolean> {
  const outer = await realOf(folder);
  return places.some((place) => {
    const way = relative(outer, place);
    return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
  });
}

/** Where a name is, and where what has it is: they differ for a symbolic link. */
async function placesOf(path: string): Promise<readonly string[]> {
  return [join(await realOf(dirname(path)), basename(path)), await realOf(path)];
}

/** Where a path leads, as far as it can be followed: its end need not be there. */
async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (dirname(path) === path) throw error;
    return join(await realOf(dirname(path)), basename(path));
  }
}
