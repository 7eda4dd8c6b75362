import type { Drive } from '../../sdk/drive-api.js';
import { CliError } from './cli-error.js';
import { childPath, isWrittenAsFolder, isWrittenAsRemote, remotePath, statIfAny } from './remote-path.js';

export interface PutTarget {
  /** As it was written. */
  readonly target: string;
  /** Make the folder, and those above it, if it is not there. */
  readonly isMade: boolean;
}

/**
 * Where each source goes: as `cp` does it, into a folder that is there (or is written with a slash at its end, or if there are several), else under
 * the name of the target itself.
 */
export async function putTargets(
  drive: Pick<Drive, 'stat' | 'mkdir'>,
  names: readonly string[],
  { target, isMade }: PutTarget,
  signal: AbortSignal,
): Promise<string[]> {
  if (!isWrittenAsRemote(target)) {
    throw new CliError('usage', `${target}: the last argument says where to in the drive, and begins with / or @`);
  }
  const path = remotePath(target);
  const found = await statIfAny(drive, path, signal);
  if (found?.kind === 'folder') return names.map((name) => childPath(path, name));
  const needsFolder = names.length > 1 || isWrittenAsFolder(target);
  if (!needsFolder) return [path];
  if (found !== undefined) throw new CliError('conflict', `${path} is no folder`);
  if (!isMade) throw new CliError('not-found', `${path}: there is no such folder; --parents makes it`);
  await drive.mkdir(path, { parents: true, signal });
  return names.map((name) => childPath(path, name));
}
