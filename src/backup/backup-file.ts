import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError, errorCode } from '../common/errors.js';
import { putInPlace } from '../common/put-in-place.js';
import { alreadyThere, type BackupTarget } from './backup-target.js';

const MODE = 0o600;

/**
 * Writes a file as a whole or not at all: under another name beside it, synced, and then given its own. What was there before is replaced only if it
 * is to be. Nothing is left of one that is ended.
 * @throws DomainError `backup-failed` if the file system refuses, or something has the name; what the pieces throw is thrown as it is
 */
export async function writeBackupFile(
  { path, isReplacing }: BackupTarget,
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<number> {
  const temporary = `${path}.${process.pid}.tmp`;
  const { O_WRONLY, O_CREAT, O_EXCL } = constants;
  await rm(temporary, { force: true }).catch(refused);
  const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL, MODE).catch(refused);
  try {
    let bytes = 0;
    try {
      for await (const piece of pieces) {
        signal.throwIfAborted();
        await file.writeFile(piece).catch(refused);
        bytes += piece.length;
      }
      await file.sync().catch(refused);
    } finally {
      await file.close();
    }
    signal.throwIfAborted();
    await putInPlace(temporary, path, isReplacing).catch((error: unknown) => {
      if (errorCode(error) === 'EEXIST') throw alreadyThere(path, error);
      refused(error);
    });
    await syncDirectory(dirname(path)).catch(refused);
    return bytes;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Which Windows opens not, and needs not. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function refused(cause: unknown): never {
  throw new DomainError('backup-failed', `the file cannot be written (${errorCode(cause) ?? 'for an unknown reason'})`, {
    cause,
  });
}
