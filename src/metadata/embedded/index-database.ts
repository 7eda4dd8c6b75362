import { open } from 'lmdb';
import type { RootDatabase } from 'lmdb';
import { DomainError } from '../../common/errors.js';
import { closedError } from '../index-error.js';
import type { IndexTables } from './index-tables.js';
import { BINARY, openTables, TABLES_MAX } from './index-tables.js';

export interface OpenDatabase {
  readonly environment: RootDatabase;
  readonly tables: IndexTables;
}

/**
 * `overlappingSync` is lmdb's default on Linux and macOS: a commit then resolves before its fsync. Without it LMDB syncs the pages,
 * writes the meta page through a descriptor with O_DSYNC, and only then the commit resolves (docs/adr/0003).
 * `eventTurnBatching` makes lmdb begin each batch with a promise that nobody holds: when a commit fails, that is an unhandled
 * rejection, which ends the process. GroupCommit makes the batches here. `noSubdir` would be guessed from a dot in the directory's name.
 */
export function openEnvironment(directory: string): RootDatabase {
  return open({
    ...BINARY,
    path: directory,
    overlappingSync: false,
    eventTurnBatching: false,
    noSubdir: false,
    maxDbs: TABLES_MAX,
  });
}

/**
 * The open database of one directory, which is opened anew after a commit failed: LMDB may then refuse all further transactions, does
 * not tell, and lmdb goes on with a transaction that never began. The pages of the failed commit were never part of the index.
 */
export class IndexDatabase {
  private isClosed = false;

  constructor(
    private readonly directory: string,
    private opened: OpenDatabase | undefined,
  ) {}

  get current(): OpenDatabase {
    if (this.opened === undefined) throw new DomainError('index-unavailable', 'the index is not open after an error of its disk');
    return this.opened;
  }

  /** Whether what was open then is open still, and not closed or opened anew. */
  isStill(opened: OpenDatabase): boolean {
    return this.opened === opened;
  }

  /** Opens it if an error closed it. */
  ensureOpen(): OpenDatabase {
    if (this.isClosed) throw closedError();
    if (this.opened === undefined) {
      const environment = openEnvironment(this.directory);
      this.opened = { environment, tables: openTables(environment) };
    }
    return this.opened;
  }

  /** After a failed commit. If it cannot be opened, reads are refused until a later change opens it. */
  async reopen(): Promise<void> {
    try {
      await this.shut();
      this.ensureOpen();
    } catch {
      this.opened = undefined;
    }
  }

  /** Closes it for good; safe to call twice. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.shut();
  }

  private async shut(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    await opened?.environment.close();
  }
}
