import type { FileHandle } from 'node:fs/promises';
import { DomainError } from '../common/errors.js';
import { BACKUP_HEAD_BYTES_MAX, type BackupCrypto } from '../crypto/backup-crypto.js';
import { segmentCount } from '../crypto/floe-sizes.js';
import { openSegments } from '../crypto/open-stream.js';

const READ_BYTES = 256 * 1024;

/**
 * The plaintext of a sealed backup. What comes is authenticated; that it is whole is known when it has ended.
 * @throws DomainError `backup-unusable`, `storage-mismatch`, `key-missing`
 */
export async function* openBackup(
  file: FileHandle,
  crypto: BackupCrypto,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size } = await file.stat();
  const start = Buffer.alloc(Math.min(size, BACKUP_HEAD_BYTES_MAX));
  await file.read(start, 0, start.length, 0);
  const { headBytes, opener } = crypto.open(start);
  const sealedSize = size - headBytes;
  try {
    const lastSegment = segmentCount(sealedSize, opener.parameters) - 1;
    yield* openSegments(piecesOf(file, headBytes, signal), opener, { sealedSize, firstSegment: 0, lastSegment });
  } catch (cause) {
    if (cause instanceof RangeError || (cause instanceof DomainError && cause.code === 'data-damaged'))
      throw new DomainError('backup-unusable', 'the backup cannot be used: it was changed or cut short', { cause });
    throw cause;
  }
}

/** The bytes of a file from a place on. */
export async function* piecesOf(
  file: FileHandle,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = from; ;) {
    signal.throwIfAborted();
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}
