import { open, type FileHandle } from 'node:fs/promises';
import type { BackupHead } from '../backup/backup-entry.js';
import { backupEntries } from '../backup/backup-stream.js';
import { KEPT_BACKUPS } from '../backup/kept-backups.js';
import { openBackup } from '../backup/open-backup.js';
import { DomainError, errorCode } from '../common/errors.js';
import type { BackupCrypto } from '../crypto/backup-crypto.js';
import type { FileRecord, SnapshotEntry } from '../metadata/metadata-store.js';
import { storedBody, type BodySource } from './stored-body.js';

/** A backup that was read to its end and is whole. It is read again for what it holds. */
export interface WholeBackup {
  readonly head: BackupHead;
  readonly entries: (signal: AbortSignal) => AsyncIterable<BackupHead | SnapshotEntry>;
}

/** @throws DomainError `backup-unusable`, `storage-mismatch`, `key-missing` */
export async function proveBackupFile(file: FileHandle, crypto: BackupCrypto, signal: AbortSignal): Promise<WholeBackup> {
  return prove((by) => backupEntries(openBackup(file, crypto, by)), signal);
}

/** @throws DomainError `backup-unusable` */
export async function openBackupFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    const reason = errorCode(cause) === 'ENOENT' ? 'it is not there' : 'it cannot be read';
    throw new DomainError('backup-unusable', `the backup ${path} cannot be used: ${reason}`, { cause });
  }
}

/** The newest backup on the nodes that is whole. @throws DomainError `backup-unusable` if there is none */
export async function proveKeptBackup(source: BodySource, signal: AbortSignal): Promise<WholeBackup> {
  const { files } = await source.index.list(KEPT_BACKUPS, signal);
  const causes: DomainError[] = [];
  for (const file of files) {
    try {
      return await prove((by) => backupEntries(keptContent(source, file, by)), signal);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      causes.push(error);
    }
  }
  const detail = causes.length === 0 ? 'there is none on the nodes' : 'none of those on the nodes is whole';
  throw new DomainError('backup-unusable', `a backup cannot be used: ${detail}`, { cause: causes[0] });
}

async function* keptContent(
  source: BodySource,
  { id }: FileRecord,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stored = await source.index.find(id, signal);
  if (stored !== undefined) yield* storedBody(source, stored.manifest, signal);
}

async function prove(entries: WholeBackup['entries'], signal: AbortSignal): Promise<WholeBackup> {
  let head: BackupHead | undefined;
  for await (const entry of entries(signal)) if (entry.kind === 'head') head = entry;
  if (head === undefined) throw new DomainError('backup-unusable', 'the backup cannot be used: it is empty');
  return { head, entries };
}
