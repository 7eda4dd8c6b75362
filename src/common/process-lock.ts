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
   * @throws DomainError `storage-locked` if another process has it.
   */
  static take(path: string, waitMs = 0): ProcessLock {
    const database = new DatabaseSync(path, { timeout: waitMs });
    try {
      database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    } catch (cause) {
      database.close();
      throw new DomainError('storage-locked', `${path} is held by another process`, { cause });
    }
    return new ProcessLock(database);
  }

  /** Gives the lock back; safe to call twice. */
  release(): void {
    if (this.database.isOpen) this.database.close();
  }
}
