import { DatabaseSync } from 'node:sqlite';
import { DomainError } from './errors.js';

/**
 * An exclusive lock on a path between processes, which the kernel drops when its holder ends, however it ends: a stale lock is
 * never in the way. Node.js has no flock(2); SQLite's locking is the well-kept thing that it does have, on every platform.
 */
export class ProcessLock {
  private constructor(private readonly database: DatabaseSync) {}

  /**
   * Takes the lock at `path`, a file that is made if missing and holds nothing.
   * @param waitMs how long to wait for another holder. Synchronous: more than 0 is for the command line, not for a server at work.
   * @throws DomainError `storage-locked` if another process has it, `storage-unusable` if the file cannot be opened or written.
   */
  static take(path: string, waitMs = 0): ProcessLock {
    const database = open(path, waitMs);
    try {
      // The journal in memory: one on disk could not be made on a full disk, where the lock is needed just the same.
      database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    } catch (cause) {
      database.close();
      throw lockError(path, cause);
    }
    return new ProcessLock(database);
  }

  /** Gives the lock back; safe to call twice. */
  release(): void {
    if (this.database.isOpen) this.database.close();
  }
}

function open(path: string, waitMs: number): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: waitMs });
  } catch (cause) {
    throw lockError(path, cause);
  }
}

/** SQLite's primary result code for "another connection holds it" (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;

function lockError(path: string, cause: unknown): DomainError {
  const code = typeof cause === 'object' && cause !== null && 'errcode' in cause ? Number(cause.errcode) & 0xff : undefined;
  return code === SQLITE_BUSY
    ? new DomainError('storage-locked', `${path} is held by another process`, { cause })
    : new DomainError('storage-unusable', `the lock ${path} cannot be taken`, { cause });
}
