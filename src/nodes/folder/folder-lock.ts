import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../common/errors.js';
import { ProcessLock } from '../../common/process-lock.js';
import { NodeError, type NodeErrorKind } from '../storage-node.js';

export const LOCK_FILE = 'node.lock';

const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;

/** What SQLite's refusals mean to the caller of a node; whatever is not here is `unavailable`. */
const KINDS: ReadonlyMap<number, NodeErrorKind> = new Map<number, NodeErrorKind>([
  [SQLITE_CANTOPEN, 'rejected'],
  [SQLITE_FULL, 'full'],
]);

/**
 * The lock that keeps a second process out of a node's folder. It is on the file, not on the path: a folder that is renamed away and
 * back is still locked, one that was deleted and restored from a copy is not, so {@link hold} looks which file is there now.
 * Calls must not overlap: SQLite would take a second attempt of this very process for another process.
 */
export class FolderLock {
  private readonly path: string;
  private lock: ProcessLock | undefined;
  private file: string | undefined;
  /** How often it was taken: what was learned under one hold need not be true under the next. */
  holds = 0;

  constructor(directory: string) {
    this.path = join(directory, LOCK_FILE);
  }

  get isHeld(): boolean {
    return this.lock !== undefined;
  }

  /** Takes the lock, unless it is held on the file that is there now. Throws DomainError `storage-locked` if another process has it. */
  async hold(): Promise<void> {
    if (this.lock !== undefined && this.file === (await this.fileThere())) return;
    this.release();
    const lock = takeProcessLock(this.path);
    try {
      // On a file that it may only read, SQLite takes a lock that others can share, and says nothing.
      await access(this.path, constants.W_OK);
      this.file = await this.fileThere();
    } catch (error) {
      lock.release();
      throw error;
    }
    this.lock = lock;
    this.holds += 1;
  }

  /** Gives the lock back; safe to call twice. */
  release(): void {
    this.lock?.release();
    this.lock = undefined;
  }

  /** Which file the path leads to now: never opened, because closing any descriptor of a file drops the locks of its process on it. */
  private async fileThere(): Promise<string | undefined> {
    try {
      const { dev, ino } = await stat(this.path, { bigint: true });
      return `${dev}:${ino}`;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}

function takeProcessLock(path: string): ProcessLock {
  try {
    return ProcessLock.take(path);
  } catch (error) {
    if (errorCode(error) === 'storage-locked') throw error;
    const code = sqliteCode((error as Error).cause);
    throw new NodeError(KINDS.get(code ?? 0) ?? 'unavailable', `its folder cannot be locked (SQLite ${String(code)})`, {
      cause: error,
    });
  }
}

/** The primary result code of an error of SQLite; the higher bits only refine it. */
function sqliteCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}
