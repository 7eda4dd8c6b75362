import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, errorCode } from '../common/errors.js';
import { newId, type FileId } from '../common/ids.js';

const MODE = 0o600;

/**
 * A file without a name, which is gone with the process: a backup is written to it as fast as the disk takes it, so that no snapshot is
 * held open for as long as whoever wants the backup takes to read it. @throws DomainError `backup-failed`
 */
export async function spool(directory: string, pieces: AsyncIterable<Uint8Array>): Promise<FileHandle> {
  const path = join(directory, `backup.${newId<FileId>()}.tmp`);
  const file = await open(path, 'wx+', MODE).catch(refused);
  try {
    await rm(path).catch(refused);
    for await (const piece of pieces) await file.writeFile(piece).catch(refused);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function refused(cause: unknown): never {
  const detail = `the storage directory does not take it (${errorCode(cause) ?? 'for an unknown reason'})`;
  throw new DomainError('backup-failed', detail, { cause });
}
